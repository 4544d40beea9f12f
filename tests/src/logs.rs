//! What the tests of log-agent write, put in its way and count: writers that number their lines, a peer that keeps nothing and one that fails on purpose, the tally.

pub mod arrived;
pub mod flaky;
pub mod null_flume;
pub mod tally;
pub mod writers;
