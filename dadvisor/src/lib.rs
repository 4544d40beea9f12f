//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod args;
pub mod board;
pub mod check;
pub mod collect;
pub mod config;
pub mod devices;
pub mod diagnose;
pub mod disk_usage;
pub mod group;
pub mod hierarchy;
pub mod host;
pub mod http;
pub mod inapp;
pub mod kernel;
pub mod mountinfo;
pub mod network;
pub mod oom;
pub mod oom_watch;
pub mod process;
pub mod rate;
pub mod read;
pub mod recent;
pub mod sample;
pub mod tick;
pub mod top;
