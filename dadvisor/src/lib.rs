//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod host;
pub mod inapp;
pub mod mountinfo;
pub mod sample;
