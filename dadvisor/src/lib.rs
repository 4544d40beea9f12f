//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod board;
pub mod oom;
pub mod rate;
pub mod recent;
pub mod disk_usage;
pub mod host;
pub mod inapp;
pub mod mountinfo;
pub mod process;
pub mod sample;
pub mod tick;
