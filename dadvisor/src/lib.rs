//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod board;
pub mod disk_usage;
pub mod host;
pub mod inapp;
pub mod mountinfo;
pub mod oom;
pub mod process;
pub mod rate;
pub mod recent;
pub mod collect;
pub mod devices;
pub mod diagnose;
pub mod group;
pub mod hierarchy;
pub mod kernel;
pub mod network;
pub mod oom_watch;
pub mod read;
pub mod sample;
pub mod tick;
