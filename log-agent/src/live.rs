//! Live logs: the log-agent's own server of its node's files (contracts.md section 4, docs/live-logs.md).

pub mod filter;
pub mod message;
