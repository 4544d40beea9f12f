//! Every line to a sink that acknowledges it, and where each file goes on, on disk.

mod age;
pub mod avro;
pub mod batch;
pub mod joining;
pub mod journal;
pub mod labels;
pub mod lane;
pub mod retry;
pub mod sink;
pub mod size;
