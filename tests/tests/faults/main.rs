//! The built dadvisor while its host misbehaves: crowds of containers, clocks that step, signals and kills at the worst moment, carbon
//! that refuses, hangs or breaks off, full disks, wrong configs, abusive clients, apps and engines that hang.
//!
//! Run with `--test-threads=1`: they load the machine and measure it.

mod abuse;
mod carbon;
mod clock;
mod crowd;
mod disk;
mod engine;
mod inside;
mod killed;
mod lab;
mod rebirth;
mod signals;
mod start;
