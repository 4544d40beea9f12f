//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod board;
pub mod oom;
pub mod rate;
pub mod recent;
pub mod sample;
pub mod tick;
