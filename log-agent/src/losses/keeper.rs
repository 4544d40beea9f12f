//! The accounts on disk: one JSON object, format version and accounts, replaced as a whole within a second of a loss.
//!
//! What is told is on disk before: were an older state read after a crash, accounts would grow again below what the centre knows, unheard.
//! A disk that takes none keeps nobody from telling; then the older state is removed, and a restart begins new accounts. So it does after
//! a file that cannot be read, which is put aside under another name, and said.

use crate::files::Files;
use crate::kept;
use common::api_types::LogLossFact;
use common::atomic_file;
use common::logging::Episode;
use common::moment::Moment;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const FORMAT: u32 = 1;
const MOST_BYTES: u64 = 16 << 20;
/// Least time between two writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Why the file could not be read.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read {}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{}: it is no list of losses: {cause}", path.display())]
    Json { path: PathBuf, cause: serde_json::Error },
    #[error("{}: format {found}, this version reads {FORMAT}", path.display())]
    Format { path: PathBuf, found: u32 },
    #[error("{}: larger than {MOST_BYTES} bytes", path.display())]
    TooLarge { path: PathBuf },
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    #[serde(default)]
    losses: Vec<LogLossFact>,
}

/// Keeps them.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    files: Files,
    saved: Mutex<Saved>,
}

#[derive(Debug)]
struct Saved {
    revision: u64,
    losses: Vec<LogLossFact>,
    /// How writing goes.
    writing: Episode,
}

impl Keeper {
    /// Gives the files what was kept at `path`, and keeps what they lose from now on.
    pub fn open(path: PathBuf, files: Files) -> Self {
        match load(&path) {
            Ok(kept) => files.begin_losses(kept),
            Err(error) => match kept::put_aside(&path) {
                Ok(()) => tracing::warn!(
                    "losses that were not told to the centre yet are not any more: {error}; it is put aside as {}.bad",
                    path.display()
                ),
                Err(aside) => tracing::warn!(
                    "losses that were not told to the centre yet are not any more: {error}; putting it aside failed, too: {aside}"
                ),
            },
        }
        let (revision, losses) = files.losses(Moment::now());
        let writing = Episode::new("keeping what was lost to shipping");
        Self { path, files, saved: Mutex::new(Saved { revision, losses, writing }) }
    }

    /// Writes what is new when something was lost, until the stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(self.files.lost_more()).await.is_some() {
            let keeper = Arc::clone(&self);
            if tokio::task::spawn_blocking(move || keeper.save()).await.is_err() {
                tracing::error!("keeping what was lost to shipping broke: a bug");
            }
            // much is lost together
            if stop.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                return;
            }
        }
    }

    /// Writes what is new.
    pub fn save(&self) {
        let mut saved = self.saved();
        let (revision, losses) = self.files.losses(Moment::now());
        if revision == saved.revision {
            return;
        }
        let kept = serde_json::to_vec(&Kept { format: FORMAT, losses: losses.clone() });
        let written = kept
            .map_err(|error| error.to_string())
            .and_then(|json| atomic_file::write(&self.path, &json).map_err(|e| e.to_string()));
        match written {
            Ok(_) => saved.writing.recovered(),
            Err(error) => {
                saved.writing.failed(&error);
                // it may not be there
                fs::remove_file(&self.path).ok();
            }
        }
        (saved.revision, saved.losses) = (revision, losses);
    }

    /// What may be told now, by app and instance.
    pub fn told(&self) -> Vec<LogLossFact> {
        self.saved().losses.clone()
    }

    fn saved(&self) -> MutexGuard<'_, Saved> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(path: &Path) -> Result<Vec<LogLossFact>, Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let Some(json) = kept::read(path, MOST_BYTES).map_err(io)? else { return Ok(Vec::new()) };
    if json.len() as u64 > MOST_BYTES {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    let kept: Kept = serde_json::from_slice(&json)
        .map_err(|cause| Error::Json { path: path.to_owned(), cause })?;
    if kept.format != FORMAT {
        return Err(Error::Format { path: path.to_owned(), found: kept.format });
    }
    Ok(kept.losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Settings, Why};
    use crate::volume::InstanceKey;
    use common::ids::{AppId, InstanceId};

    fn files() -> Files {
        Files::resume(Settings::default(), Vec::new()).unwrap()
    }

    #[test]
    fn what_was_lost_is_known_after_a_restart_and_damage_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("losses.json");
        let keeper = Keeper::open(path.clone(), files());
        keeper.save();
        assert!(!path.exists(), "nothing was lost");
        let key = InstanceKey { id: InstanceId::new("a"), app: AppId::new("web") };
        let now = Moment::now();
        keeper.files.lost(&key, Why::Quota, 9, "app.log.1".into(), now);
        assert!(keeper.told().is_empty(), "it is not on disk");
        keeper.save();
        let told = keeper.told();
        assert_eq!((told.len(), told[0].since), (1, now));
        keeper.files.stop();

        let again = Keeper::open(path.clone(), files());
        assert_eq!(again.told(), told);
        // a disk that takes nothing: told all the same, and nothing older is left for the next start
        fs::create_dir(dir.path().join(".losses.json.tmp")).unwrap();
        again.files.lost(&key, Why::Quota, 1, "app.log.1".into(), now);
        again.save();
        assert_eq!(again.told()[0].beyond(&told).unwrap().bytes, 1);
        assert!(!path.exists());
        again.files.stop();
        fs::remove_dir(dir.path().join(".losses.json.tmp")).unwrap();
        for (text, said) in [
            ("{", "no list of losses"),
            (r#"{"format":2}"#, "format 2, this version reads 1"),
            (r#"{"format":1,"losses":[{}]}"#, "no list of losses"),
        ] {
            fs::write(&path, text).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("losses.json"), "{error}");
        }
        let anew = Keeper::open(path.clone(), files());
        assert!(anew.told().is_empty() && !path.exists());
        assert!(dir.path().join("losses.json.bad").exists());
        anew.files.stop();
    }
}
