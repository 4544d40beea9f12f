//! Live logs: the log-agent's own server of its node's files (contracts.md section 4, docs/live-logs.md).

mod access;
mod figures;
mod files;
pub mod filter;
mod limits;
pub mod message;
mod pace;
mod read;
mod room;
mod share;
mod span;
#[cfg(test)]
mod testing;
mod viewer;
