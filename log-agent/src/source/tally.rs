//! What the files of a volume come to, kept as they change: whoever wants sums walks no files.
//!
//! Every change of a source is made through [`Locked`], which counts anew when it is let go: there is no way past it, and the sums are at any
//! moment those of what the sources were last left as.

use super::{Inner, SourceId, State};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sums of one volume.
#[derive(Debug, Default)]
pub struct Tally {
    /// Somebody ships and acknowledges; without, nobody is behind.
    ships: bool,
    files: AtomicU64,
    bytes: AtomicU64,
    on_disk: AtomicU64,
    lag: AtomicU64,
    moves: AtomicU64,
    behind: Mutex<BTreeSet<SourceId>>,
}

/// What one source adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    bytes: u64,
    on_disk: u64,
    lag: u64,
    state: State,
}

/// What of a source is in which sums.
#[derive(Debug, Default)]
pub(crate) struct Counted(Option<(Arc<Tally>, Share)>);

impl Tally {
    pub(crate) fn new(ships: bool) -> Self {
        Self { ships, ..Self::default() }
    }

    /// Files followed, deleted ones that are open included.
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes they have on the disk.
    pub fn on_disk(&self) -> u64 {
        self.on_disk.load(Ordering::Relaxed)
    }

    /// Bytes that are not acknowledged; 0 if nothing is shipped.
    pub fn lag(&self) -> u64 {
        self.lag.load(Ordering::Relaxed)
    }

    /// Grows when a file is found, renamed, deleted or let go.
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// The files that have bytes which are not acknowledged.
    pub fn behind(&self) -> Vec<SourceId> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<SourceId>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share(&self, of: &Inner) -> Share {
        let lag = of.tide.len.saturating_sub(of.acknowledged.offset);
        Share {
            bytes: of.tide.len,
            on_disk: of.on_disk,
            lag: if self.ships { lag } else { 0 },
            state: of.tide.state,
        }
    }

    fn change(&self, id: SourceId, before: Option<Share>, after: Option<Share>) {
        let add = |to: &AtomicU64, of: fn(Share) -> u64| {
            let (before, after) = (before.map_or(0, of), after.map_or(0, of));
            if before != after {
                // sums of what is not negative, added in any order, do not wrap in the end
                to.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
            }
        };
        add(&self.files, |_| 1);
        add(&self.bytes, |share| share.bytes);
        add(&self.on_disk, |share| share.on_disk);
        add(&self.lag, |share| share.lag);
        let is_behind = |share: Option<Share>| share.is_some_and(|share| share.lag > 0);
        match (is_behind(before), is_behind(after)) {
            (false, true) => drop(self.lock().insert(id)),
            (true, false) => drop(self.lock().remove(&id)),
            _ => {}
        }
        if before.map(|share| share.state) != after.map(|share| share.state) {
            self.moves.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Inner {
    /// Brings the sums up to what the source is now.
    pub(super) fn recount(&mut self, id: SourceId) {
        let now = self.tally.as_ref().map(|tally| (tally, tally.share(self)));
        match (&mut self.counted.0, now) {
            (Some((of, counted)), Some((tally, share))) if Arc::ptr_eq(of, tally) => {
                if *counted != share {
                    of.change(id, Some(*counted), Some(share));
                    *counted = share;
                }
            }
            (counted, now) => {
                let now = now.map(|(tally, share)| (tally.clone(), share));
                if let Some((of, share)) = counted.take() {
                    of.change(id, Some(share), None);
                }
                if let Some((tally, share)) = &now {
                    tally.change(id, None, Some(*share));
                }
                *counted = now;
            }
        }
    }
}

/// What changes in a source's life, held by one; counted anew when it is let go.
pub(crate) struct Locked<'a> {
    id: SourceId,
    inner: MutexGuard<'a, Inner>,
    changed: bool,
}

impl<'a> Locked<'a> {
    pub(super) fn new(id: SourceId, inner: MutexGuard<'a, Inner>) -> Self {
        Self { id, inner, changed: false }
    }
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        self.changed = true;
        &mut self.inner
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.changed {
            self.inner.recount(self.id);
        }
    }
}
