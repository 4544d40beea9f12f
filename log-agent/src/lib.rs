//! `log-agent`: every line of the log volumes, live to whoever watches and acknowledged by Flume before it counts as shipped.
//!
//! The file is the buffer: shipping and viewers are cursors into files, and no line waits in memory.

pub mod beneath;
mod discover;
pub mod files;
pub mod identity;
pub mod lines;
pub mod name;
pub mod source;
pub mod volume;
pub mod volumes;
