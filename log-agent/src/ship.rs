//! Every line to a sink that acknowledges it, and where each file goes on, on disk.
//!
//! A line's way: `source` → `reader` (whose turn is it: `lane`; where is it: `cursor`; is it one event: `joining`) → `batch` → `exchange` →
//! `sender` (how much at once: `size`; again: `retry`) → a `sink` → `journal`. Two threads: one reads and encodes the next batch while the
//! other sends the one before. One request is under way, so the order of a file is kept. Nothing waits in memory but these two batches:
//! while the sink is away files wait on the disk, and memory stays as it is.
//!
//! At least once: a cursor moves on the sink's acknowledgement, and is on disk after that. Ended in order, each line is shipped once; killed,
//! at most the batch under way is shipped again.

mod age;
pub mod avro;
pub mod batch;
mod cursor;
pub mod dir;
mod exchange;
pub mod flume;
mod forget;
pub mod joining;
pub mod journal;
pub mod labels;
pub mod lane;
mod quarantine;
mod reader;
mod reading;
pub mod retry;
mod sender;
pub mod sink;
pub mod size;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use status::{AppStatus, Status};

use crate::files::Files;
use batch::Limits;
use exchange::Exchange;
use joining::Multiline;
use journal::Journal;
use reader::Reader;
use sender::Sender;
use sink::Sink;
use status::Board;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So long joined lines wait for another one.
const JOINED_AFTER: Duration = Duration::from_secs(1);

/// How to ship.
#[derive(Debug, Clone)]
pub struct ShipSettings {
    /// The data centre, as in the headers.
    pub dc: String,
    /// The node, likewise.
    pub node: String,
    /// The largest batch.
    pub limits: Limits,
    /// Least time between two batches that are not full.
    pub gather: Duration,
    /// After so long without a write what has no LF yet is shipped as part of a line.
    pub partial_after: Duration,
    /// Whether lines are joined.
    pub multiline: Option<Multiline>,
}

impl Default for ShipSettings {
    fn default() -> Self {
        Self {
            dc: "dc1".into(),
            node: String::new(),
            limits: Limits::default(),
            gather: Duration::from_millis(3),
            partial_after: Duration::from_secs(5),
            multiline: None,
        }
    }
}

/// Ships until it is stopped. See the module.
#[derive(Debug)]
pub struct Shipper {
    files: Files,
    /// None once it is stopped: another one may open it.
    journal: Mutex<Option<Arc<Journal>>>,
    exchange: Arc<Exchange>,
    board: Arc<Board>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Shipper {
    /// Starts both threads. `files` were resumed with what `journal` knew.
    pub fn start(
        settings: ShipSettings,
        files: Files,
        journal: Journal,
        sink: Box<dyn Sink>,
    ) -> io::Result<Self> {
        let (settings, journal) = (Arc::new(settings), Arc::new(journal));
        let exchange = Arc::new(Exchange::new(settings.limits));
        let board = Arc::new(Board::default());
        let most = settings.limits.events;
        let reader =
            Reader::new(settings, files.clone(), journal.clone(), exchange.clone(), board.clone());
        let (of_sender, shown) = (exchange.clone(), board.clone());
        let sender = Sender::new(sink, files.clone(), journal.clone(), of_sender, shown, most);
        let journal = Mutex::new(Some(journal));
        let shipper = Self { files, journal, exchange, board, threads: Mutex::default() };
        shipper.spawn("ship-read", move || reader.run())?;
        shipper.spawn("ship-send", move || sender.run())?;
        Ok(shipper)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let spawned = std::thread::Builder::new().name(name.into()).spawn(run);
        let thread = spawned.inspect_err(|_| self.exchange.stop())?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn journal(&self) -> MutexGuard<'_, Option<Arc<Journal>>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Both threads are there.
    pub fn running(&self) -> bool {
        self.exchange.both_there()
    }

    /// How the sink fares.
    pub fn sink(&self) -> sink::Status {
        self.board.sink.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it goes; looks at every volume, and at the files that have something to ship.
    pub fn status(&self) -> Status {
        let failures = self.board.failures.load(Ordering::Relaxed);
        Status {
            running: self.running(),
            apps: self.board.apps(&self.files, Instant::now()),
            sink: self.sink(),
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            request_events: self.board.request_events.load(Ordering::Relaxed),
            journal: self.journal().as_ref().map(|j| j.figures()).unwrap_or_default(),
        }
    }

    /// Reads no more, and sends what was read, unless that fails. To be called before the files are stopped. False if the sink had not
    /// answered by then: what is under way may be shipped again by the next process.
    pub fn stop(&self, until: Instant) -> bool {
        self.exchange.stop();
        self.files.woken().ring();
        let ended = self.exchange.wait_for_end(until);
        let threads: Vec<_> =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads.into_iter().filter(|_| ended) {
            if thread.join().is_err() {
                tracing::error!("a thread that ships had panicked: this is a bug");
            }
        }
        if let Some(journal) = self.journal().take() {
            journal.sync();
        }
        ended
    }
}
