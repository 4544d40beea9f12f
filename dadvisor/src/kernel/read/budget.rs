//! How many descriptors may be held at once, so that a host with very many containers runs slower instead of out of descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Descriptors left for everything else: sockets, spool, files open for one read.
const RESERVE: u64 = 256;

/// Where the limit is unknown or absurd: more than any host needs (10,000 containers, 13 each).
const MOST: u64 = 131_072;

/// The limits of this process (`RLIMIT_NOFILE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFile {
    /// In force. None: no limit.
    pub soft: Option<u64>,
    /// As far as it may be raised. None: no limit.
    pub hard: Option<u64>,
}

/// Reads `RLIMIT_NOFILE`.
pub fn nofile() -> NoFile {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    NoFile { soft: current, hard: maximum }
}

/// Raises the soft limit to the hard one: to be called once at start, before [`crate::kernel::shared::Kernel::open`].
pub fn raise_nofile() -> std::io::Result<NoFile> {
    let NoFile { hard, .. } = nofile();
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    Ok(nofile())
}

/// The permits that are left.
#[derive(Debug, Clone)]
pub struct Budget(Arc<AtomicUsize>);

/// The right to hold one descriptor; gives itself back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl Budget {
    /// What the limit of this process leaves.
    pub fn of_process() -> Self {
        let soft = nofile().soft.unwrap_or(MOST).min(MOST);
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
        assert!(raise_nofile().is_ok());
        let NoFile { soft, hard } = nofile();
        assert_eq!(soft, hard);
        let left = Budget::of_process().left();
        assert!(left > 0 && left as u64 <= MOST);
    }
}
