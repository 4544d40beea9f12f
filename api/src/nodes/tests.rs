//! Reports over a real store.

mod headers;
mod lab;
mod reports;
mod shared;
mod silence;
