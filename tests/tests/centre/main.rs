//! The built qae-api against what breaks it: bad input, kills at any moment, full disks, databases that restart, clocks that step, herds of
//! readers; and with the built dadvisor against a real Docker engine.
//!
//! Run with `--test-threads=2` at most: they load the machine, and have seconds to be seen in.

mod bad_input;
mod clock;
mod contract;
mod disk;
mod docker;
mod history;
mod killed;
mod postgres;
mod storm;
mod tls;
