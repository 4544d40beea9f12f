//! Live logs: the log-agent's own server of its node's files (contracts.md section 4, docs/live-logs.md).

mod files;
pub mod filter;
pub mod message;
mod pace;
mod read;
mod share;
mod span;
#[cfg(test)]
mod testing;
