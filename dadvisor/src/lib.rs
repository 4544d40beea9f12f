//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod collect;
pub mod hierarchy;
pub mod sample;
