//! Kernel text in, figures out: one file per family, v1 and v2 side by side. Pure, allocation-free, for any bytes at all.
//!
//! A wrong number makes its own figure absent and is counted in [`text::Flaws`]; the rest of the text still counts. A key that is not
//! known is passed over, a key that is missing leaves its figure absent.

pub mod cpu;
pub mod io;
pub mod memory;
pub mod net;
pub mod oom;
pub mod pids;
pub mod pressure;
pub mod text;
