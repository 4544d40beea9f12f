//! What the centre answers over HTTP.

mod extract;
mod list;
mod problem;
mod when;
