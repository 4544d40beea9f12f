//! The built dadvisor on a real host: real containers, a real Graphite, real faults. The same tests run on this machine and, those that
//! do not mind an emulated processor, in the guest (`tests/guest/`), whose host has cgroup v2 and systemd.
//!
//! Run with `--test-threads=1`: they load the machine and measure it.

mod engine;
mod figures;
mod lab;
mod life;
mod oom;
mod outage;
mod who;
