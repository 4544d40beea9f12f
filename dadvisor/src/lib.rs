//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod cgroup_scan;
pub mod sample;
pub mod watch;
