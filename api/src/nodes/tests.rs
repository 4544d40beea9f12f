//! Reports over a real store.

mod forget;
mod headers;
mod lab;
mod lost;
mod reports;
mod shared;
mod silence;
