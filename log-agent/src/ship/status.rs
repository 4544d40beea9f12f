//! How shipping goes, for whoever asks: the daemon's metrics, its report, `qae status`.

use super::age::Age;
use super::journal::JournalFigures;
use super::sink;
use crate::files::Files;
use crate::source::{Place, Source, SourceId, Tally};
use common::ids::AppId;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Of everything.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// All threads are there. False before the stop is a bug: restart the process, the journal has all that was acknowledged.
    pub running: bool,
    /// By app; one that is gone keeps its counts.
    pub apps: BTreeMap<AppId, AppStatus>,
    /// The sink.
    pub sink: sink::Status,
    /// Failures since the last success.
    pub failures: u32,
    /// Events in one request at the moment.
    pub request_events: usize,
    /// The journal.
    pub journal: JournalFigures,
}

/// Of an app. What counts counts since the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppStatus {
    /// Bytes of files acknowledged, with their LFs.
    pub bytes: u64,
    /// Events acknowledged: lines, pieces of cut lines, joined lines.
    pub lines: u64,
    /// Bytes of its files that are not acknowledged now.
    pub lag_bytes: u64,
    /// How long the oldest of them has waited.
    pub oldest: Option<Duration>,
    /// Bytes of holes and NULs that were left out.
    pub skipped_bytes: u64,
    /// Gaps in its volumes, and bytes in them, that nobody will ship any more.
    pub gaps: (u64, u64),
    /// Events the sink may have twice, since nobody knows what became of a request.
    pub duplicates_possible: u64,
    /// Events put aside, since the sink failed at them.
    pub quarantined: u64,
    /// Reads that failed.
    pub read_failures: u64,
}

impl Status {
    /// Bytes not acknowledged, of all apps.
    pub fn lag_bytes(&self) -> u64 {
        self.apps.values().map(|app| app.lag_bytes).sum()
    }

    /// How long the oldest byte of all has waited.
    pub fn oldest(&self) -> Option<Duration> {
        self.apps.values().filter_map(|app| app.oldest).max()
    }
}

/// What is counted of an app.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) bytes: AtomicU64,
    pub(super) lines: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) quarantined: AtomicU64,
    pub(super) read_failures: AtomicU64,
}

/// Adds to a count and gives what it was.
pub(super) fn add(count: &AtomicU64, more: u64) -> u64 {
    count.fetch_add(more, Ordering::Relaxed)
}

/// A file on its way: what the thread that reads and the one that sends both know of it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) source: Arc<Source>,
    age: Mutex<Age>,
}

impl Lane {
    pub(super) fn new(source: Arc<Source>) -> Self {
        Self { source, age: Mutex::default() }
    }

    fn age(&self) -> MutexGuard<'_, Age> {
        self.age.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks how long the file is.
    pub(super) fn measure(&self, now: Instant) {
        let acknowledged = self.source.acknowledged_to().mark.offset;
        self.age().grew(self.source.len(), acknowledged, now);
    }

    pub(super) fn acknowledged(&self, place: Place) {
        // one of a generation before says nothing of this one
        if place.generation == self.source.generation() {
            self.age().acknowledged(place.mark.offset);
        }
    }

    pub(super) fn restarted(&self) {
        self.age().restarted();
    }
}

/// Where the threads leave what they know.
#[derive(Debug, Default)]
pub(super) struct Board {
    apps: Mutex<BTreeMap<AppId, Arc<Counts>>>,
    pub(super) lanes: Mutex<HashMap<SourceId, Arc<Lane>>>,
    /// By outlet.
    sending: Mutex<Vec<Sending>>,
}

/// How sending goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) sink: sink::Status,
    /// Failures since the last success.
    pub(super) failures: u32,
    /// Events in one request.
    pub(super) request_events: usize,
}

impl Board {
    /// For so many outlets.
    pub(super) fn new(outlets: usize) -> Self {
        Self { sending: Mutex::new(vec![Sending::default(); outlets]), ..Self::default() }
    }

    fn all_sending(&self) -> MutexGuard<'_, Vec<Sending>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An outlet says how its sending goes.
    pub(super) fn sends(&self, outlet: usize, how: Sending) {
        if let Some(of) = self.all_sending().get_mut(outlet) {
            *of = how;
        }
    }

    /// Of all outlets: what was done is added up, and of the rest the worst is told.
    pub(super) fn sending(&self) -> Sending {
        let all = self.all_sending();
        let sinks: Vec<&sink::Status> = all.iter().map(|of| &of.sink).collect();
        Sending {
            sink: sink::Status::of_all(&sinks),
            failures: all.iter().map(|of| of.failures).max().unwrap_or_default(),
            request_events: all.iter().map(|of| of.request_events).min().unwrap_or_default(),
        }
    }

    pub(super) fn counts(&self, app: &AppId) -> Arc<Counts> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = apps.get(app) {
            return counts.clone();
        }
        apps.entry(app.clone()).or_default().clone()
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, HashMap<SourceId, Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By app, with what the files say now.
    pub(super) fn apps(&self, files: &Files, now: Instant) -> BTreeMap<AppId, AppStatus> {
        let mut apps: BTreeMap<AppId, AppStatus> = {
            let apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
            apps.iter().map(|(app, counts)| (app.clone(), counts.read())).collect()
        };
        for volume in files.figures() {
            let gaps = volume.gaps.values().fold((0, 0), |sum, gap| (sum.0 + gap.0, sum.1 + gap.1));
            let (behind, lag) = (self.behind(&volume.tally), volume.tally.lag());
            if gaps == (0, 0) && lag == 0 {
                continue;
            }
            let app = apps.entry(volume.volume.instance.app.clone()).or_default();
            app.gaps = (app.gaps.0 + gaps.0, app.gaps.1 + gaps.1);
            app.lag_bytes += lag;
            for lane in behind {
                lane.measure(now);
                let since = lane.age().waits_since();
                app.oldest = app.oldest.max(since.map(|since| now.duration_since(since)));
            }
        }
        apps
    }

    /// The files of a volume that have something to ship.
    fn behind(&self, tally: &Tally) -> Vec<Arc<Lane>> {
        let behind = tally.behind();
        let lanes = self.lanes();
        behind.iter().filter_map(|id| lanes.get(id).cloned()).collect()
    }
}

impl Counts {
    fn read(&self) -> AppStatus {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        AppStatus {
            bytes: of(&self.bytes),
            lines: of(&self.lines),
            skipped_bytes: of(&self.skipped),
            duplicates_possible: of(&self.duplicates),
            quarantined: of(&self.quarantined),
            read_failures: of(&self.read_failures),
            ..AppStatus::default()
        }
    }
}
