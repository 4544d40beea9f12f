//! Every line to a sink that acknowledges it, and where each file goes on, on disk.
//!
//! A line's way: `source` → `reader` (whose turn is it: `lane`; where is it: `cursor`; is it one event: `joining`) → `batch` → `exchange` →
//! `sender` (how much at once: `size`; again: `retry`) → a `sink` → `journal`. Two threads: one reads and encodes the next batch while the
//! other sends the one before. One request is under way, so the order of a file is kept. Nothing waits in memory but these two batches:
//! while the sink is away files wait on the disk, and memory stays as it is. Where one connection is too slow there are several such
//! outlets, each with a connection; which files take which is decided by [`crate::outlet`].
//!
//! At least once: a cursor moves on the sink's acknowledgement, and is on disk after that. Ended in order, each line is shipped once; killed,
//! at most the batch under way of each outlet is shipped again.

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

use crate::files::{Files, Woken};
use batch::Limits;
use exchange::Exchange;
use joining::Multiline;
use journal::Journal;
use reader::Reader;
use sender::Sender;
use sink::Sink;
use status::{Board, Sending};
use std::io;
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

/// What both threads of an outlet have in common.
#[derive(Debug, Clone)]
struct Outlet {
    /// Which, from 0.
    nth: usize,
    settings: Arc<ShipSettings>,
    files: Files,
    journal: Arc<Journal>,
    exchange: Arc<Exchange>,
    board: Arc<Board>,
}

impl Outlet {
    /// What grew of its files.
    fn woken(&self) -> &Woken {
        self.files.woken(self.nth)
    }
}

/// Ships until it is stopped. See the module.
#[derive(Debug)]
pub struct Shipper {
    files: Files,
    /// None once it is stopped: another one may open it.
    journal: Mutex<Option<Arc<Journal>>>,
    /// One for each outlet.
    exchanges: Vec<Arc<Exchange>>,
    board: Arc<Board>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Shipper {
    /// Starts two threads for each sink, which are as many as `files` have outlets. `files` were resumed with what `journal` knew.
    pub fn start(
        settings: ShipSettings,
        files: Files,
        journal: Journal,
        sinks: Vec<Box<dyn Sink>>,
    ) -> io::Result<Self> {
        debug_assert_eq!(sinks.len(), files.settings().outlets);
        let board = Arc::new(Board::new(sinks.len()));
        let exchanges = sinks.iter().map(|_| Arc::new(Exchange::new(settings.limits))).collect();
        let (settings, journal) = (Arc::new(settings), Arc::new(journal));
        let kept = Mutex::new(Some(journal.clone()));
        let shipper = Self { files, journal: kept, exchanges, board, threads: Mutex::default() };
        for (nth, (sink, exchange)) in sinks.into_iter().zip(&shipper.exchanges).enumerate() {
            let outlet = Outlet {
                nth,
                settings: settings.clone(),
                files: shipper.files.clone(),
                journal: journal.clone(),
                exchange: exchange.clone(),
                board: shipper.board.clone(),
            };
            let (reader, sender) = (Reader::new(outlet.clone()), Sender::new(outlet, sink));
            shipper.spawn("ship-read", move || reader.run())?;
            shipper.spawn("ship-send", move || sender.run())?;
        }
        Ok(shipper)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let spawned = std::thread::Builder::new().name(name.into()).spawn(run);
        let thread = spawned.inspect_err(|_| self.end())?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn journal(&self) -> MutexGuard<'_, Option<Arc<Journal>>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All threads are there.
    pub fn running(&self) -> bool {
        self.exchanges.iter().all(|exchange| exchange.both_there())
    }

    /// How the sink fares.
    pub fn sink(&self) -> sink::Status {
        self.board.sending().sink
    }

    /// Has all threads end.
    fn end(&self) {
        for (nth, exchange) in self.exchanges.iter().enumerate() {
            exchange.stop();
            self.files.woken(nth).ring();
        }
    }

    /// How it goes; looks at every volume, and at the files that have something to ship.
    pub fn status(&self) -> Status {
        let Sending { sink, failures, request_events } = self.board.sending();
        Status {
            running: self.running(),
            apps: self.board.apps(&self.files, Instant::now()),
            sink,
            failures,
            request_events,
            journal: self.journal().as_ref().map(|j| j.figures()).unwrap_or_default(),
        }
    }

    /// Reads no more, and sends what was read, unless that fails. To be called before the files are stopped. False if the sink had not
    /// answered by then: what is under way may be shipped again by the next process.
    pub fn stop(&self, until: Instant) -> bool {
        self.end();
        // each of them, not up to the first that does not
        let ended = self.exchanges.iter().map(|exchange| exchange.wait_for_end(until));
        let ended = ended.fold(true, |all, one| all & one);
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
