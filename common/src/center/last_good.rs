//! The last good copy of a scope on disk, for an agent that starts while the centre is away.
//!
//! One JSON object: format version, the topics as they were asked for, a snapshot. It is replaced as a whole ([`atomic_file`]), and taken for
//! good only if its content has the digest it says.

use super::replica::{Mismatch, Replica};
use super::status::Stats;
use crate::api_types::Snapshot;
use crate::logging::Episode;
use crate::{atomic_file, last_good};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const FORMAT: u32 = 1;
const MAX_BYTES: u64 = 512 << 20;

/// Why a copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Unread(#[from] last_good::Error),
    #[error("{}: damaged: {cause}", path.display())]
    Damaged { path: PathBuf, cause: Mismatch },
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    topics: String,
    snapshot: Snapshot,
}

/// The copy, if there is one of these topics.
pub(super) fn load(path: &Path, topics: &str) -> Result<Option<Replica>, Error> {
    let Some(kept) = last_good::read::<Kept>(path, MAX_BYTES)? else { return Ok(None) };
    if kept.format != FORMAT || kept.topics != topics {
        return Ok(None);
    }
    let damaged = |cause| Error::Damaged { path: path.to_owned(), cause };
    Replica::new(kept.snapshot).map(Some).map_err(damaged)
}

pub(super) fn save(path: &Path, topics: &str, replica: &Replica) -> Result<(), atomic_file::Error> {
    let kept = Kept { format: FORMAT, topics: topics.to_owned(), snapshot: replica.snapshot() };
    // texts and numbers in maps with keys of text: nothing of it can fail to print
    let json = serde_json::to_vec(&kept).unwrap_or_default();
    atomic_file::write(path, &json).map(drop)
}

/// Writes what is new, at most so often, and once more at the stop.
pub(super) async fn keep(
    path: PathBuf,
    topics: String,
    mut replica: watch::Receiver<Option<Arc<Replica>>>,
    every: Duration,
    stats: &Stats,
    stop: CancellationToken,
) {
    let mut writing = Episode::new("the last good copy of the centre's state");
    loop {
        let waited = async {
            // what failed is tried again without a change too
            let retry = if writing.is_failing() { every * 6 } else { Duration::MAX };
            tokio::select! {
                changed = replica.changed() => changed.is_err(),
                () = sleep(retry) => false,
            }
        };
        let last = stop.run_until_cancelled(waited).await.unwrap_or(true);
        let now = replica.borrow_and_update().clone();
        if let Some(now) = now {
            let (path, topics) = (path.clone(), topics.clone());
            let written = tokio::task::spawn_blocking(move || save(&path, &topics, &now)).await;
            match written {
                Ok(Ok(())) => writing.recovered(),
                Ok(Err(error)) => failed(&mut writing, stats, &error),
                // the runtime is going down
                Err(error) => failed(&mut writing, stats, &error),
            }
        }
        if last {
            return;
        }
        stop.run_until_cancelled(sleep(every)).await;
    }
}

fn failed(writing: &mut Episode, stats: &Stats, error: &dyn std::error::Error) {
    stats.copy_errors.fetch_add(1, Relaxed);
    writing.failed(&error);
}
