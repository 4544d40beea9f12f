//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

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
