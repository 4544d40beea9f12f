//! The kernel's side of containers: where a container's cgroups and its network namespace are, and every read of their files.
//!
//! [`Kernel`] is what all groups of the host share, [`Group`] one run of one container. What the files say is parsed in [`crate::collect`];
//! the node's own files are read in `host`.

pub(crate) mod devices;
pub mod diagnose;
pub mod group;
pub mod hierarchy;
pub mod mountinfo;
pub(crate) mod network;
pub mod oom_watch;
pub(crate) mod process;
pub mod read;
mod shared;

pub use group::{Group, Reading};
pub use network::NetView;
pub use shared::{Error, Families, Kernel, Roots};
