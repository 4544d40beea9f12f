//! Every line to a sink that acknowledges it, and where each file goes on, on disk.

pub mod journal;
pub mod lane;
pub mod size;
