//! The sums that are kept beside those of a walk, for tests of whatever changes a file.

use super::Files;
use crate::source::SourceId;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Of a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    files: u64,
    bytes: u64,
    on_disk: u64,
    /// Bytes that are not acknowledged.
    pub(crate) lag: u64,
    behind: Vec<SourceId>,
}

impl Files {
    /// Waits until the sums that are kept are those of the files, which they are as soon as nothing is under way.
    pub(crate) fn until_tallied(&self, longest: Duration) {
        let until = Instant::now() + longest;
        loop {
            let [kept, walked] = self.sums();
            if kept == walked {
                return;
            }
            assert!(Instant::now() < until, "kept {kept:?}, there are {walked:?}");
            std::thread::yield_now();
        }
    }

    /// What is kept, and what a walk over all files gives: the same while nothing happens.
    pub(crate) fn sums(&self) -> [BTreeMap<PathBuf, Sums>; 2] {
        let figures = self.figures().into_iter();
        let kept = figures.filter(|of| of.tally.files() > 0).map(|of| {
            let (files, bytes, on_disk) = (of.tally.files(), of.tally.bytes(), of.tally.on_disk());
            let (lag, behind) = (of.tally.lag(), of.tally.behind());
            (of.volume.dir.clone(), Sums { files, bytes, on_disk, lag, behind })
        });
        let mut walked: BTreeMap<PathBuf, Sums> = BTreeMap::new();
        for source in self.all() {
            let inner = source.inner();
            let sums = walked.entry(inner.volume.dir.clone()).or_default();
            let lag = inner.tide.len.saturating_sub(inner.acknowledged.offset);
            sums.files += 1;
            sums.bytes += inner.tide.len;
            sums.on_disk += inner.on_disk;
            if self.settings().ships && lag > 0 {
                sums.lag += lag;
                sums.behind.push(source.id());
            }
        }
        [kept.collect(), walked]
    }
}
