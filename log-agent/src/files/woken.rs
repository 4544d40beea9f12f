//! The list of files that grew: each once, however often it was written.

use crate::source::Source;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For threads that ship; bounded by the number of files.
#[derive(Debug, Default)]
pub struct Woken {
    list: Mutex<List>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct List {
    sources: VecDeque<Arc<Source>>,
    /// Somebody ends the wait from outside.
    rung: bool,
    closed: bool,
}

impl Woken {
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
        let taken: Vec<_> = {
            let most = most.min(list.sources.len());
            list.sources.drain(..most).collect()
        };
        for source in &taken {
            // before it is read: what is written from now on names it again
            source.queued.store(false, Ordering::Release);
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
        if !source.queued.swap(true, Ordering::AcqRel) {
            let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.sources.push_back(source.clone());
            drop(list);
            self.bell.notify_one();
        }
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.bell.notify_all();
    }
}
