//! The last pass, for readers: the HTTP side and `top` look here, never at the collector.
//!
//! Every container has a lock of its own, so a reader never holds up a pass for longer than it takes to print one container.

use crate::rate::{self, Previous};
use crate::recent::Recent;
use crate::sample::Sample;
use common::container::Container;
use common::figures::Count;
use common::metric::{Name, Series, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One container's figures.
#[derive(Debug)]
pub struct Entry {
    /// Who it is.
    pub container: Arc<Container>,
    /// What its metrics are called.
    pub series: Series,
    /// Its cgroup below the hierarchy's root.
    pub cgroup: String,
    /// Whose network its figures are, in words: `own`, `host`, `shared with <id>`, `unknown`.
    pub network: String,
    /// Unix seconds of the pass that read `sample`; 0 before the first.
    pub timestamp: u64,
    /// The figures of that pass.
    pub sample: Sample,
    /// The figures of the pass before; meaningful only where `elapsed` is given.
    pub previous: Sample,
    /// Time between the two; None for the first sample of a run.
    pub elapsed: Option<Duration>,
    /// The last hour.
    pub recent: Recent,
    /// What the app inside told at the last tick, where it was asked for by label.
    pub inside: Vec<(String, Value)>,
}

impl Entry {
    /// An entry without figures yet.
    pub fn new(container: Arc<Container>, series: Series) -> Self {
        Self {
            container,
            series,
            cgroup: String::new(),
            network: String::new(),
            timestamp: 0,
            sample: Sample::default(),
            previous: Sample::default(),
            elapsed: None,
            recent: Recent::default(),
            inside: Vec::new(),
        }
    }

    /// Every metric of the last pass, rates and what the app inside told included.
    pub fn each(&self, emit: &mut impl FnMut(Name<'_>, Value)) {
        self.each_read(emit);
        for (name, value) in &self.inside {
            emit(Name::from(name.as_str()), *value);
        }
    }

    /// Only what this daemon read itself.
    pub fn each_read(&self, emit: &mut impl FnMut(Name<'_>, Value)) {
        let previous = self.elapsed.and_then(|elapsed| Previous::new(&self.previous, elapsed));
        rate::each(&self.sample, previous, emit);
    }
}

/// An entry that readers and the collector share.
pub type Shared = Arc<Mutex<Entry>>;

/// What the collector found in its last pass.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PassStats {
    /// Unix seconds of the last pass.
    pub timestamp: u64,
    /// Passes taken.
    pub passes: u64,
    /// Wall time of the last pass.
    pub seconds: f64,
    /// Wall time of all passes.
    pub seconds_total: f64,
    /// Containers read in the last pass.
    pub containers: u64,
    /// Points made in the last pass.
    pub points: u64,
    /// What is counted: `ticks_missed`, `clock_steps`, `points_refused`, `containers_started`, ...
    pub counters: Vec<Count>,
    /// Seconds spent per family, all passes.
    pub family_seconds: Vec<(&'static str, f64)>,
}

/// The board.
#[derive(Debug, Default)]
pub struct Board {
    entries: Mutex<Vec<Shared>>,
    node: Mutex<Vec<(String, f64)>>,
    stats: Mutex<PassStats>,
}

/// A poisoned lock means a reader panicked; what it guards is still whole, since writers only replace values.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// Replaces the list of containers; called when one comes or goes. Sorted by app, then instance.
    pub fn set_entries(&self, entries: Vec<Shared>) {
        *lock(&self.entries) = entries;
    }

    /// The containers, sorted by app, then instance.
    pub fn entries(&self) -> Vec<Shared> {
        lock(&self.entries).clone()
    }

    /// Publishes the node's metrics, in the order they are sent.
    pub fn set_node(&self, metrics: Vec<(String, f64)>) {
        *lock(&self.node) = metrics;
    }

    /// The node's metrics of the last pass.
    pub fn node(&self) -> Vec<(String, f64)> {
        lock(&self.node).clone()
    }

    /// Publishes the collector's own figures.
    pub fn set_stats(&self, stats: PassStats) {
        *lock(&self.stats) = stats;
    }

    /// The collector's own figures.
    pub fn stats(&self) -> PassStats {
        lock(&self.stats).clone()
    }
}
