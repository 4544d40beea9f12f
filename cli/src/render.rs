//! What people see: tables and lines made of what the centre answers. Pure: values in, text out.
//!
//! Promise: nothing that came from a container, a scheduler or another user reaches the terminal unescaped. Every cell goes through
//! [`Cell`], which escapes it; there is no other way into a table.

pub mod access;
pub mod apps;
pub mod events;
pub mod findings;
pub mod instances;
pub mod logs;
pub mod nodes;
pub mod table;
pub mod top;
pub mod words;

pub use table::{Cell, Ink, Paint, Table};
