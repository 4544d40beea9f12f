//! How many descriptors may be held at once, so that a host with very many containers runs slower instead of out of descriptors.

use common::files;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Descriptors left for everything else: sockets, spool, files open for one read.
const RESERVE: u64 = 256;

/// Where the limit is unknown or absurd: more than any host needs (10,000 containers, 13 each).
const MOST: u64 = 131_072;

/// The permits that are left.
#[derive(Debug, Clone)]
pub struct Budget(Arc<AtomicUsize>);

/// The right to hold one descriptor; gives itself back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl Budget {
    /// What the limit of this process leaves.
    pub fn of_process() -> Self {
        let soft = files::limit().soft.unwrap_or(MOST).min(MOST);
        Self::new(usize::try_from(soft.saturating_sub(RESERVE.min(soft / 2))).unwrap_or(0))
    }

    /// This many.
    pub fn new(permits: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(permits)))
    }

    /// Takes one, if there is one.
    pub fn take(&self) -> Option<Permit> {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .ok()
            .map(|_| Permit(Arc::clone(&self.0)))
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_come_back() {
        let budget = Budget::new(2);
        let first = budget.take();
        let second = budget.take();
        assert!(first.is_some() && second.is_some() && budget.take().is_none());
        drop(first);
        assert_eq!(budget.left(), 1);
        assert!(budget.take().is_some());
        assert_eq!(budget.left(), 1);
    }

    #[test]
    fn the_process_has_a_budget() {
        assert!(files::raise().is_ok());
        let left = Budget::of_process().left();
        assert!(left > 0 && left as u64 <= MOST);
    }
}
