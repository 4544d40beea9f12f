//! What the viewers took.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) opened: AtomicU64,
    pub(super) frames: AtomicU64,
    pub(super) lines: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) gap_bytes: AtomicU64,
    pub(super) downloads: AtomicU64,
    pub(super) download_bytes: AtomicU64,
    refused: Mutex<BTreeMap<String, u64>>,
}

impl Counts {
    /// Counts a refusal by its code.
    pub(super) fn refuse(&self, code: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        // codes are ours: there are few
        *refused.entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// As they are now.
    pub(super) fn read(&self, viewers: usize, shared: u64) -> Figures {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            viewers,
            opened: get(&self.opened),
            frames: get(&self.frames),
            frames_shared: shared,
            lines: get(&self.lines),
            bytes: get(&self.bytes),
            gaps: get(&self.gaps),
            gap_bytes: get(&self.gap_bytes),
            downloads: get(&self.downloads),
            download_bytes: get(&self.download_bytes),
            refused: self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// What the viewers took, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Viewers now.
    pub viewers: usize,
    /// Viewers that came.
    pub opened: u64,
    /// Frames sent to them.
    pub frames: u64,
    /// Of these, how many were made for another viewer already.
    pub frames_shared: u64,
    /// Lines in them.
    pub lines: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Gaps told to viewers that were too slow.
    pub gaps: u64,
    /// Bytes left out in them.
    pub gap_bytes: u64,
    /// Files that were taken away.
    pub downloads: u64,
    /// Bytes of them.
    pub download_bytes: u64,
    /// Requests that were refused, by code.
    pub refused: BTreeMap<String, u64>,
}
