//! Live logs: the log-agent's own server of its node's files (contracts.md section 4, docs/live-logs.md).
//!
//! A request passes `server` (routes), `access` (its ticket) and `limits` (a place); then a `viewer` has a cursor into each of its files:
//! `read` makes frames of a file's bytes (`span`, `filter`, `message`), `share` keeps them for the others at the same place, `pace` says
//! when it is too slow. No line is queued: what a viewer has not taken stays in the file.

mod access;
mod ask;
mod figures;
mod files;
pub mod filter;
mod keys;
mod limits;
pub mod message;
mod pace;
mod read;
mod room;
mod server;
mod share;
mod span;
#[cfg(test)]
mod testing;
mod viewer;

pub use figures::Figures;
pub use keys::Keyring;
pub use limits::Limits;
pub use server::{Live, LiveSettings};

/// What whoever asks sends and gets, for fuzz targets; see [`crate::fuzzing`].
pub(crate) mod fuzzing {
    pub use super::access::{from_here, named, shown};
    pub use super::ask::{Part, Query, range};
    pub use super::span::{CAP, Rest, Taken, Within, take};
}
