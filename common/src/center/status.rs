//! How talking to the centre goes, for `/metrics`, `check` and people.

use super::Error;
use crate::moment::Moment;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One conversation: the reports, or one scope that is followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// When the centre last answered.
    pub last_good: Option<Moment>,
    /// Since when it does not; None while it does, and before the first try.
    pub failing_since: Option<Moment>,
    /// The last failure, in words.
    pub last_error: Option<String>,
}

impl Link {
    fn good(&mut self, now: Moment) {
        (self.last_good, self.failing_since) = (Some(now), None);
    }

    fn failed(&mut self, error: &Error, now: Moment) {
        self.failing_since.get_or_insert(now);
        self.last_error = Some(error.to_string());
    }
}

/// Which conversation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Talk {
    Report,
    Follow,
}

macro_rules! counters {
    ($($field:ident $name:literal $kind:literal $doc:literal,)+) => {
        /// Counters since start.
        #[derive(Debug, Default)]
        pub struct Stats {
            $(#[doc = $doc] pub $field: AtomicU64,)+
            failures: [[AtomicU64; Error::KINDS.len()]; 2],
            links: Mutex<[Link; 2]>,
        }

        impl Stats {
            fn counted(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$(($name, $kind, self.$field.load(Relaxed)),)+]
            }
        }
    };
}

counters! {
    reports_whole "reports" "whole" "Reports taken, sent whole.",
    reports_empty "reports" "unchanged" "Reports taken, sent as a digest alone.",
    reports_unknown "reports_again" "" "Reports sent again, whole, because the centre did not know the digest.",
    events "events" "" "Events received.",
    snapshots "snapshots" "" "Snapshots taken.",
    reconnects "reconnects" "" "Streams opened anew.",
    gone "gone" "" "Cursors that the centre could not go on from.",
    compared "compared" "" "Comparisons of digests.",
    differed "differed" "" "Comparisons that found a difference; the centre's word was taken.",
    copy_errors "copy_errors" "" "Last good copies that could not be read or written.",
}

/// How it goes, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The reports.
    pub report: Link,
    /// What is followed.
    pub follow: Link,
    /// Every counter: name, kind (empty where there is only one), count.
    pub counts: Vec<(&'static str, &'static str, u64)>,
}

impl Stats {
    /// Everything, now.
    pub fn status(&self) -> Status {
        let mut counts = self.counted();
        for (name, counters) in ["report_errors", "follow_errors"].into_iter().zip(&self.failures) {
            let kinds = Error::KINDS.into_iter().zip(counters);
            counts.extend(kinds.map(|(kind, count)| (name, kind, count.load(Relaxed))));
        }
        let [report, follow] = self.links().clone();
        Status { report, follow, counts }
    }

    pub(super) fn good(&self, talk: Talk) {
        self.links()[talk as usize].good(Moment::now());
    }

    pub(super) fn failed(&self, talk: Talk, error: &Error) {
        let kind = Error::KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or(0);
        self.failures[talk as usize][kind].fetch_add(1, Relaxed);
        self.links()[talk as usize].failed(error, Moment::now());
    }

    fn links(&self) -> MutexGuard<'_, [Link; 2]> {
        // only whole values are put there
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
