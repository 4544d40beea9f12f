//! Reconciling against a small world that applies changes as the centre does.

mod cases;
pub(crate) mod lab;
mod once;
mod order;
