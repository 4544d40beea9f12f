//! Every line to a sink that acknowledges it, and where each file goes on, on disk.

pub mod journal;
pub mod lane;
pub mod size;
//! Shipping: lines leave for a sink, and count as shipped when it has acknowledged them.

pub mod avro;
pub mod batch;
pub mod labels;
pub mod sink;
