//! What the follower knows, for one turn over all volumes.

use super::look::Followed;
use super::rest::Known;
use crate::files::Files;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Sums at hand, and every source once they are asked for.
pub(super) struct View {
    known: HashMap<PathBuf, Known>,
    files: Files,
    followed: OnceCell<Followed>,
}

impl View {
    pub(super) fn new(files: &Files) -> Self {
        let now = Instant::now();
        let figures = files.figures().into_iter();
        let known = figures.map(|of| (of.volume.dir.clone(), Known::of(&of.tally, now)));
        Self { known: known.collect(), files: files.clone(), followed: OnceCell::new() }
    }

    /// Every source: made when the first volume is walked. What comes after [`Self::known`] may be in it already, never the reverse.
    pub(super) fn followed(&self) -> &Followed {
        self.followed.get_or_init(|| {
            let all = self.files.all().into_iter();
            all.map(|source| {
                let identity = source.identity();
                ((identity.dev, identity.ino), source)
            })
            .collect()
        })
    }

    /// Of a volume; None before it is followed.
    pub(super) fn known(&self, dir: &Path) -> Option<Known> {
        self.known.get(dir).copied()
    }
}
