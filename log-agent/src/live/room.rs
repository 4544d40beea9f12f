//! What all viewers have in common: the lists of files, the frames they share, the turns at the disk, the counts.

use super::figures::Counts;
use super::files::Listings;
use super::share::Sharing;
use crate::files::Files;
use common::logging::Episode;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Reads of viewers at a time: a slow disk holds up viewers, and nothing else.
const READS: usize = 4;

/// The room.
#[derive(Debug)]
pub struct Room {
    /// Which files there are.
    pub listings: Listings,
    /// Frames made for several viewers.
    pub sharing: Sharing,
    /// What they took.
    pub counts: Counts,
    reads: Arc<Semaphore>,
    failing: Mutex<Episode>,
}

impl Room {
    /// An empty one.
    pub fn new(files: Files) -> Self {
        Self {
            listings: Listings::new(files),
            sharing: Sharing::default(),
            counts: Counts::default(),
            reads: Arc::new(Semaphore::new(READS)),
            failing: Mutex::new(Episode::new("reading log files for viewers")),
        }
    }

    /// Runs what blocks when its turn has come. Given up half-way, it still ends, and keeps its turn until then.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        // it is never closed
        let turn = self.reads.clone().acquire_owned().await.map_err(io::Error::other)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        let done = done.await.map_err(io::Error::other).and_then(|done| done);
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match &done {
            // a file that was deleted while it was closed
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failing.failed(error),
            Ok(_) => failing.recovered(),
        }
        done
    }
}
