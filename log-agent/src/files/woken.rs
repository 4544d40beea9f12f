//! The lists of files that grew, one for each outlet: each file once, however often it was written, and once more when it becomes known where
//! its shipping starts.

use crate::source::Source;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The lists of all outlets.
#[derive(Debug)]
pub(crate) struct Outlets(Box<[Woken]>);

impl Outlets {
    /// At least one.
    pub(crate) fn new(ships: bool, outlets: usize) -> Self {
        Self((0..outlets.max(1)).map(|_| Woken::new(ships)).collect())
    }

    pub(crate) fn of(&self, outlet: usize) -> &Woken {
        &self.0[outlet % self.0.len()]
    }

    /// Puts a file on the list of its outlet.
    pub(crate) fn push(&self, source: &Arc<Source>) {
        self.of(source.outlet()).push(source);
    }

    /// Tells of a file's start, see [`Woken::begin`].
    pub(crate) fn begin(&self, source: &Arc<Source>) {
        self.of(source.outlet()).begin(source);
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.0.iter().for_each(Woken::close);
    }
}

/// For the thread that reads of one outlet; bounded by twice the number of files.
#[derive(Debug)]
pub struct Woken {
    list: Mutex<List>,
    bell: Condvar,
    /// Somebody takes what is named. Without, nothing is kept, and a start is known at once.
    ships: bool,
}

#[derive(Debug, Default)]
struct List {
    /// In the order they came; with whether it tells of a start.
    sources: VecDeque<(Arc<Source>, bool)>,
    /// Somebody ends the wait from outside.
    rung: bool,
    closed: bool,
}

impl Woken {
    pub(crate) fn new(ships: bool) -> Self {
        Self { list: Mutex::default(), bell: Condvar::new(), ships }
    }

    /// Waits until a file grew, got a new generation or was deleted, or the time is over, or it is rung, or following has ended; takes at most `most`
    /// of them. A file may be named although there is nothing new in it; it is never left out when there is.
    pub fn wait(&self, longest: Duration, most: usize) -> Vec<Arc<Source>> {
        let until = Instant::now() + longest;
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        while list.sources.is_empty() && !list.closed && !list.rung {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            list = self.bell.wait_timeout(list, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        list.rung = false;
        let mut taken: Vec<Arc<Source>> = Vec::with_capacity(most.min(list.sources.len()));
        while taken.len() < most {
            let Some((source, begins)) = list.sources.pop_front() else { break };
            if !begins {
                // before it is read: what is written from now on names it again
                source.queued.store(false, Ordering::Release);
            } else if taken.iter().any(|s| s.id() == source.id()) {
                // it would be read at its earlier place, before what stands between
                list.sources.push_front((source, begins));
                break;
            } else {
                source.begins.store(false, Ordering::Relaxed);
                source.tell_start();
            }
            taken.push(source);
        }
        taken
    }

    /// Ends a wait from outside, this one or the next, for instance because an acknowledgement came.
    pub fn ring(&self) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).rung = true;
        self.bell.notify_all();
    }

    /// Whether following has ended: no more will come.
    pub fn is_closed(&self) -> bool {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Puts a file on the list.
    pub(crate) fn push(&self, source: &Arc<Source>) {
        if self.ships && !source.queued.swap(true, Ordering::AcqRel) {
            let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.sources.push_back((source.clone(), false));
            drop(list);
            self.bell.notify_one();
        }
    }

    /// Tells of a file's start, behind everything that was told before: the start of a copy is known before its original goes on.
    pub(crate) fn begin(&self, source: &Arc<Source>) {
        if !self.ships {
            source.tell_start();
            return;
        }
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if source.begins.swap(true, Ordering::Relaxed) {
            // of a generation that ended meanwhile
            list.sources.retain(|(other, begins)| !begins || other.id() != source.id());
        }
        list.sources.push_back((source.clone(), true));
        drop(list);
        self.bell.notify_one();
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.bell.notify_all();
    }
}
