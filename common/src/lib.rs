//! What two or more daemons of QAE share. Pure rooms (text or values in, values out) and thin shells round one outside thing;
//! nothing here knows a daemon. Daemons import this crate and never each other.

pub mod api_types;
pub mod atomic_file;
pub mod backoff;
pub mod carbon;
pub mod center;
pub mod check;
pub mod command;
pub mod config;
pub mod container;
pub mod docker;
pub mod exit;
pub mod exposition;
pub mod figures;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod ids;
pub mod kept;
mod last_good;
mod lenient;
pub mod logging;
pub mod mesos;
pub mod metric;
pub mod moment;
pub mod own;
pub mod printable;
pub mod reload;
pub mod serve;
pub mod stop;
pub mod systemd;
pub mod tick;
pub mod ticket;
pub mod tls;
