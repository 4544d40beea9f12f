//! `common::carbon` against a real Graphite: what arrives, what survives, what is counted.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

#[path = "carbon/arrives.rs"]
mod arrives;
#[path = "carbon/faults.rs"]
mod faults;
#[path = "carbon/peer.rs"]
mod peer;
#[path = "carbon/spool.rs"]
mod spool;
#[path = "carbon/support.rs"]
mod support;
