//! What the tests of log-agent write, put in its way and count: writers that number their lines, a peer that fails on purpose, the tally.

pub mod flaky;
pub mod tally;
pub mod writers;
