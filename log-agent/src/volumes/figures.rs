//! What finding volumes does, for `/metrics` and the report.

use super::ledger::Refusal;

/// Counters since the start, and what is so now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Volumes of running instances now.
    pub running: usize,
    /// Volumes of ended instances now.
    pub ended: usize,
    /// Claims that are refused now, sorted.
    pub refused: Vec<Refusal>,
    /// Refusals since the start; one that lasts counts once.
    pub refused_total: u64,
    /// Directories beneath `volumes_root` whose names are no ids, and what is no directory there.
    pub foreign: u64,
    /// Containers that wait now for their name from the Mesos agent.
    pub unnamed: usize,
    /// Ended instances done with since the start.
    pub forgotten: u64,
    /// Of these, because too many were remembered.
    pub forgotten_too_many: u64,
    /// Containers that came and went unseen, too many at once to look for their directories.
    pub unseen_dropped: u64,
    /// Questions to the Mesos agent.
    pub mesos_asked: u64,
    /// Of these, without an answer.
    pub mesos_errors: u64,
    /// Looks at `volumes_root` that failed.
    pub root_errors: u64,
    /// Failures to read or write the memory of ended instances.
    pub memory_errors: u64,
}

impl Figures {
    /// Every number with its name, for `/metrics`; what ends in `_total` only grows.
    pub fn all(&self) -> [(&'static str, u64); 13] {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        [
            ("running", count(self.running)),
            ("ended", count(self.ended)),
            ("refused", count(self.refused.len())),
            ("refused_total", self.refused_total),
            ("foreign", self.foreign),
            ("unnamed", count(self.unnamed)),
            ("forgotten_total", self.forgotten),
            ("forgotten_too_many_total", self.forgotten_too_many),
            ("unseen_dropped_total", self.unseen_dropped),
            ("mesos_asked_total", self.mesos_asked),
            ("mesos_errors_total", self.mesos_errors),
            ("root_errors_total", self.root_errors),
            ("memory_errors_total", self.memory_errors),
        ]
    }
}
