//! The containers of a Docker engine, followed over its socket: list, event stream, and a full comparison every so often and after every
//! reconnect.
//!
//! - It subscribes before it lists, so nothing falls between the two; an event only says *look again* ([`desk`](self)).
//! - An engine that is gone or hangs is a state ([`Engine`]), never a loss: the inventory keeps what was known, and so does a copy on disk for
//!   an agent that starts while the engine is away.
//! - While nothing changes the engine is asked for one list per `resync` and for nothing else: only what differs is inspected.
//! - Everything is bounded: each call in time and size, looks under way (8), containers (10,000), the length of an event.
//!
//! The engine is asked through [`crate::http`] rather than through bollard: bollard 0.21 collects answers and event lines without a bound, and fails
//! a whole answer on one value its enums do not know.

mod api;
mod desk;
mod follow;
pub(crate) mod fuzzing;
mod last_good;
mod lines;
mod stats;
mod wire;

pub use follow::follow;
pub use stats::Stats;

use crate::container::{Container, Rules};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How an engine is followed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `unix:///var/run/docker.sock`, or the path alone.
    pub socket: String,
    /// How containers are recognised.
    pub rules: Rules,
    /// Time between two full comparisons.
    pub resync: Duration,
    /// For each call.
    pub timeout: Duration,
    /// Where the last good copy is kept; its directory exists.
    pub last_good: Option<PathBuf>,
    /// Whether the engine is asked where its data is, once for each connection.
    pub asks_root: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            socket: "unix:///var/run/docker.sock".to_owned(),
            rules: Rules::default(),
            resync: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            last_good: None,
            asks_root: false,
        }
    }
}

/// How the engine is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Engine {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It answers.
    Up {
        /// Its own version, `28.2.2`.
        version: String,
    },
    /// No connection, or answers that cannot be used.
    Gone {
        /// In words, with the socket.
        cause: String,
    },
    /// Connected, but it does not answer in time.
    Hung,
}

/// What runs, as far as is known.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Running and paused containers by id; as last seen while the engine is away.
    pub containers: BTreeMap<String, Arc<Container>>,
    /// How the engine is.
    pub engine: Engine,
    /// Whether every container that runs is above: false until each one of the first list has been looked at. Who is missing then has
    /// not ended.
    pub whole: bool,
    /// Where the engine keeps its data, by its own word and if [`Settings::asks_root`]: known before any container that was not known
    /// from the last good copy, and kept while the engine is away.
    pub root: Option<PathBuf>,
    /// Grows with every change of the above.
    pub revision: u64,
}

/// A change. Events are the differences to what was known: what the very first look finds is in the inventory without one.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A container runs; it is in the inventory.
    Started {
        /// Its id.
        id: String,
    },
    /// A container ended.
    Died {
        /// As it was last seen.
        container: Arc<Container>,
        /// None when the end was missed and only its absence seen.
        exit_code: Option<i64>,
        /// The engine told of an OOM kill in this run before its end. One told of later comes as [`Event::Oom`].
        oom_killed: bool,
        /// It came and went between two looks: it was never in the inventory, and no [`Event::Started`] was told.
        unseen: bool,
    },
    /// The kernel killed a process of a container for memory; the container may live on, or be dead already.
    Oom {
        /// The container.
        container: Arc<Container>,
    },
    /// Name, health, addresses or state are different, and the inventory has it; or limits are, and the kernel has them.
    Updated {
        /// Its id.
        id: String,
    },
}
