//! The built log-agent: hostile volumes, faults and kills before a real Flume.
//!
//! Run with `--test-threads=1`: they load the machine.

mod containers;
mod crowd;
mod flood;
mod hostile;
mod page;
mod scene;
mod summed;
mod tls;
mod torture;
