//! Batches of points into Graphite, without losing one: a spool on disk, and a sender that knows what carbon has taken.
//!
//! ```text
//! collector's thread --submit--> spool (segments on disk) --run--> carbon, first destination that answers
//!                                  ^-- acknowledged? else it stays --'
//! ```
//!
//! **The promise.** When [`Carbon::submit`] returns, the batch is in the page cache of a segment file and survives `kill -9`. It is sent
//! oldest first, with its own timestamps, until a carbon acknowledged it, and again if that carbon ends within the replay window. It
//! leaves unacknowledged only at the spool's cap, or while disk and memory are full, or because the disk damaged it; each is counted
//! in [`Status`] and logged once with its cause.
//!
//! **Acknowledgement.** Carbon never sends a byte, and a socket only tells what the peer's kernel has. But carbon closes a half-closed
//! connection once it has parsed all of it: so each chunk is written, half-closed, and the end of the connection read. An end before
//! that, a reset or a time-out is a failure. Acknowledged is in carbon's memory, not on its disk: a carbon that ends loses up to its
//! last second. So the acknowledged batches of the last [`Settings::replay_window`] are kept, and sent again when the idle sentinel
//! connection sees carbon end, and after a restart, since nobody was watching. For a cache that is harmless, the last write of a slot
//! wins. Through a carbon-aggregator, or carbon-c-relay's aggregates, points sent twice count twice, and the acknowledgement covers
//! the relay only: set the replay window to 0 there, or better, aggregate when reading.
//!
//! **No fsync per batch.** It would let a slow disk hold up the collector, to save what the host measured in the seconds before its
//! power failed. Dirty pages reach the disk within some 30 s; what a power cut leaves half-written is found by its CRC.
//!
//! **Invariants.** A batch's records lie in one segment, one after the other. Segments are numbered in the order of their batches, and
//! only the newest grows. A segment is removed once everything in it is acknowledged and out of the replay window, or the oldest at
//! the cap. A start never appends to an old segment. The formats are in `record`, `position` and `pickle`; the decisions, all
//! pure, in `ledger` (what) and `plan` (when, to whom).
//!
//! **Cost.** Appending makes no copy; sending reads one record (256 KiB at most) at a time, so memory does not grow with the batch or
//! the backlog.

mod connection;
pub(crate) mod fuzzing;
mod ledger;
mod pickle;
mod plan;
mod position;
mod record;
mod segment;
mod sender;
mod spool;
mod status;

pub use status::{Sending, State, Status};

use crate::metric::Batch;
use sender::Sender;
use serde::{Deserialize, Serialize};
use spool::{Spool, lock};
use status::{Health, wall_ms};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How points travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// One line a point (port 2003 by habit).
    Plaintext,
    /// Frames of pickled lists (port 2004 by habit).
    Pickle,
}

/// Where to, how, and within which bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port`, in the order they are tried. Empty: no Graphite, [`Carbon::submit`] does nothing.
    pub destinations: Vec<String>,
    /// How points travel.
    pub protocol: Protocol,
    /// The spool's directory, made if it is not there; one process at a time.
    pub dir: PathBuf,
    /// Most bytes of the spool on disk; the newest batch is kept even if it is larger.
    pub spool_max: u64,
    /// How long acknowledged points are kept to be sent again should carbon end.
    pub replay_window: Duration,
    /// Points a second at most while a backlog drains; 0 = as fast as carbon takes them.
    pub drain_rate: u32,
    /// Longest time a fresh batch is held back. Each process draws its own at the start, so that a fleet with aligned ticks does not
    /// reach carbon in one instant.
    pub splay: Duration,
    /// How often a destination before the one in use is tried again.
    pub probe_every: Duration,
    /// Longest wait for a connection, per address of a destination.
    pub connect_timeout: Duration,
    /// Longest wait for carbon to take a record's bytes, and for the acknowledgement.
    pub ack_timeout: Duration,
}

impl Settings {
    /// The defaults: plaintext, 512 MiB, 30 s of replay, 50,000 points/s, no splay, a probe a minute,
    /// 3 s to connect, 10 s to acknowledge.
    pub fn new(destinations: Vec<String>, dir: PathBuf) -> Self {
        Self {
            destinations,
            protocol: Protocol::Plaintext,
            dir,
            spool_max: 512 << 20,
            replay_window: Duration::from_secs(30),
            drain_rate: 50_000,
            splay: Duration::ZERO,
            probe_every: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(3),
            ack_timeout: Duration::from_secs(10),
        }
    }
}

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not `host:port`.
    #[error("carbon destination {0:?} is not host:port, like \"127.0.0.1:2003\"")]
    Destination(String),
    /// Another process has it.
    #[error("the spool {path} is in use by another process: give each its own directory", path = .path.display())]
    InUse {
        /// The spool's directory.
        path: PathBuf,
    },
    /// The directory cannot be made, listed or written.
    #[error("cannot open the spool {path}: {source}; check that the directory may be written", path = .path.display())]
    Spool {
        /// The spool's directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// The handle. Clones share one spool.
#[derive(Debug, Clone)]
pub struct Carbon {
    /// `None` without a destination.
    inner: Option<Arc<Inner>>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    spool: Spool,
    wake: Notify,
    health: Mutex<Health>,
    /// One sender at a time.
    running: tokio::sync::Mutex<()>,
}

impl Carbon {
    /// Opens the spool and takes stock of what an earlier run left in it; reads headers only. Blocks on the disk.
    pub fn open(mut settings: Settings) -> Result<Self, Error> {
        if settings.destinations.is_empty() {
            return Ok(Self { inner: None });
        }
        for destination in &settings.destinations {
            let port = destination.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if !port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|p| p > 0)) {
                return Err(Error::Destination(destination.clone()));
            }
        }
        let part = f64::from(crate::backoff::random()) / f64::from(u32::MAX);
        settings.splay = settings.splay.mul_f64(part);
        let spool = Spool::open(&settings)?;
        Ok(Self {
            inner: Some(Arc::new(Inner {
                settings,
                spool,
                wake: Notify::new(),
                health: Mutex::default(),
                running: tokio::sync::Mutex::default(),
            })),
        })
    }

    /// Takes a batch in, for any thread; blocks on the disk's write. Never fails: what the disk does not take waits in memory, and
    /// what has no room is counted.
    pub fn submit(&self, batch: &Batch) {
        if let Some(inner) = &self.inner {
            inner.spool.append(batch);
            inner.wake.notify_one();
        }
    }

    /// Sends until `stop`, and then for at most 5 s what still waits, if it is taken at the first attempt. A second call waits for the
    /// first to end. Disk work runs on tokio's blocking threads: end the runtime with a time-out, a stalled disk may hold one.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(inner) = &self.inner else { return stop.cancelled().await };
        let _one = inner.running.lock().await;
        Sender::new(Arc::clone(inner)).run(stop).await;
    }

    /// How things stand. Cheap, and never waits for disk or network.
    pub fn status(&self) -> Status {
        let Some(inner) = &self.inner else { return Status::off() };
        let spool_error = inner.spool.trouble();
        let ledger = inner.spool.ledger();
        let status = Status::of(&lock(&inner.health), &ledger.counts, &inner.settings.destinations);
        Status {
            spool_error,
            waiting_points: ledger.waiting_points(),
            waiting_bytes: ledger.waiting_bytes(),
            disk_bytes: ledger.disk_bytes(),
            memory_bytes: ledger.memory_bytes(),
            ..status.with_oldest(ledger.oldest(), wall_ms())
        }
    }
}
