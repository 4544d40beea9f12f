//! The last good copy of the inventory on disk, for an agent that starts while the engine is away.
//!
//! One JSON object: format version, boot id, containers. A copy from before a reboot is worth nothing (its pids belong to others) and is ignored. It is
//! replaced as a whole ([`atomic_file`]).

use super::{Inventory, Settings, Stats};
use crate::container::Container;
use crate::logging::Episode;
use crate::{atomic_file, last_good};
use serde::{Deserialize, Serialize};
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const FORMAT: u32 = 1;
const MAX_BYTES: u64 = 64 << 20;
const AT_MOST_EVERY: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_secs(30);
/// As good as never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

#[derive(Deserialize)]
struct Read1 {
    format: u32,
    boot: String,
    containers: Vec<Container>,
}

#[derive(Serialize)]
struct Write1<'a> {
    format: u32,
    boot: &'a str,
    containers: Vec<&'a Container>,
}

/// This boot of the kernel; empty where `/proc` does not tell.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

/// The copy, if there is one of this boot.
fn load(path: &Path, boot: &str) -> Result<Option<Vec<Container>>, last_good::Error> {
    let read = last_good::read::<Read1>(path, MAX_BYTES)?;
    let ours = read.filter(|read| read.format == FORMAT && read.boot == boot);
    Ok(ours.map(|read| read.containers))
}

/// The copy's bytes.
fn print<'a>(containers: impl Iterator<Item = &'a Container>, boot: &str) -> Vec<u8> {
    let copy = Write1 { format: FORMAT, boot, containers: containers.collect() };
    // strings and numbers in maps with string keys: nothing of it can fail to print
    serde_json::to_vec(&copy).unwrap_or_default()
}

/// Tells two copies apart without keeping either.
fn fingerprint(json: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(json);
    hasher.finish()
}

/// Keeps the copy of one inventory.
pub(super) struct Keeper<'a> {
    path: Option<PathBuf>,
    boot: String,
    stats: &'a Stats,
    /// [`fingerprint`] of what is on disk, when that is known.
    written: Option<u64>,
    writing: Episode,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(settings: &Settings, stats: &'a Stats) -> Self {
        let path = settings.last_good.clone();
        let writing = Episode::new("the last good copy of Docker's containers cannot be written");
        Self { path, boot: boot_id(), stats, written: None, writing }
    }

    /// The copy, if there is one to begin with.
    pub(super) fn load(&mut self) -> Option<Vec<Container>> {
        let past = load(self.path.as_deref()?, &self.boot).unwrap_or_else(|error| {
            self.stats.last_good_errors.fetch_add(1, Relaxed);
            tracing::warn!(%error, "starting without the last good copy of Docker's containers");
            None
        })?;
        self.written = Some(fingerprint(&print(past.iter(), &self.boot)));
        Some(past)
    }

    /// Writes what differs, at most every two seconds, and once more at `stop`.
    pub(super) async fn keep(
        mut self,
        mut inventory: watch::Receiver<Arc<Inventory>>,
        stop: &CancellationToken,
    ) {
        let Some(path) = self.path.take() else { return };
        loop {
            let waited = async {
                // what failed is tried again without a change too
                let retry = if self.writing.is_failing() { RETRY } else { NEVER };
                tokio::time::timeout(retry, inventory.changed()).await.is_ok_and(|c| c.is_err())
            };
            let last = stop.run_until_cancelled(waited).await.unwrap_or(true);
            let seen = Arc::clone(&inventory.borrow_and_update());
            let json = print(seen.containers.values().map(Arc::as_ref), &self.boot);
            let fingerprint = fingerprint(&json);
            if self.written != Some(fingerprint) {
                self.write(&path, json, fingerprint).await;
            }
            if last {
                return;
            }
            stop.run_until_cancelled(sleep(AT_MOST_EVERY)).await;
        }
    }

    async fn write(&mut self, path: &Path, json: Vec<u8>, fingerprint: u64) {
        let target = path.to_owned();
        let write = move || atomic_file::write(&target, &json);
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(_)) => {
                self.written = Some(fingerprint);
                self.writing.recovered();
            }
            Ok(Err(error)) => self.failed(&error),
            // the runtime is going down
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &dyn std::error::Error) {
        self.stats.last_good_errors.fetch_add(1, Relaxed);
        self.writing.failed(&error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Rules, from_inspect};

    fn one() -> Container {
        let json = include_bytes!("../../tests/fixtures/docker_inspect_mesos_task.json");
        from_inspect(json, &Rules::default()).unwrap().container
    }

    #[test]
    fn what_is_saved_is_loaded_in_the_same_boot_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.json");
        assert!(load(&path, "b1").unwrap().is_none());
        atomic_file::write(&path, &print([&one()].into_iter(), "b1")).unwrap();
        assert_eq!(load(&path, "b1").unwrap().unwrap(), [one()]);
        assert!(load(&path, "b2").unwrap().is_none());
    }

    #[test]
    fn bad_copies_are_errors_that_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.json");
        for bad in ["", "{", "[]", r#"{"format":1,"boot":"b","containers":[{"id":1}]}"#] {
            fs::write(&path, bad).unwrap();
            let error = load(&path, "b").unwrap_err().to_string();
            assert!(error.contains("docker.json"), "{error}");
        }
        assert!(load(dir.path(), "b").is_err());
    }
}
