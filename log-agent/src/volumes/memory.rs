//! The ledger on disk, so that what ended while this agent was away, or long before, is still known after a restart.
//!
//! One JSON object: format version and entries. It is replaced as a whole ([`common::atomic_file`]). A file that cannot be read is put
//! aside under another name, and said: the agent goes on with what runs now.

use super::ledger::Entry;
use crate::kept;
pub(super) use crate::kept::put_aside;
use common::atomic_file;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
const MOST_BYTES: u64 = 64 << 20;

/// Why the memory could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read {}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{}: it is no list of volumes: {cause}", path.display())]
    Json { path: PathBuf, cause: serde_json::Error },
    #[error("{}: format {found}, this version reads {FORMAT}", path.display())]
    Format { path: PathBuf, found: u32 },
    #[error("{}: larger than {MOST_BYTES} bytes", path.display())]
    TooLarge { path: PathBuf },
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
struct Read1 {
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Write1<'a> {
    format: u32,
    entries: Vec<&'a Entry>,
}

/// What was remembered; nothing if there is no file.
pub(super) fn load(path: &Path) -> Result<Vec<Entry>, Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let Some(json) = kept::read(path, MOST_BYTES).map_err(io)? else { return Ok(Vec::new()) };
    if json.len() as u64 > MOST_BYTES {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    let fault = |cause| Error::Json { path: path.to_owned(), cause };
    let Head { format } = serde_json::from_slice(&json).map_err(fault)?;
    if format != FORMAT {
        return Err(Error::Format { path: path.to_owned(), found: format });
    }
    let Read1 { entries } = serde_json::from_slice(&json).map_err(fault)?;
    // a file somebody wrote by hand is trusted no more than an engine
    Ok(entries.into_iter().filter(|e| e.dir.is_absolute()).collect())
}

/// The bytes to be written.
pub(super) fn print<'a>(entries: impl Iterator<Item = &'a Entry>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Write1 { format: FORMAT, entries: entries.collect() })
}

/// Writes them.
pub(super) fn save(path: &Path, json: &[u8]) -> Result<bool, atomic_file::Error> {
    atomic_file::write(path, json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::claim::By;
    use common::ids::{AppId, InstanceId};
    use common::moment::Moment;
    use std::fs;

    #[test]
    fn what_is_saved_comes_back_and_what_is_damaged_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("volumes.json");
        assert!(load(&path).unwrap().is_empty());
        let entry = Entry {
            app: AppId::new("shop/web"),
            instance: InstanceId::new("a"),
            by: By::Docker,
            container: "c".into(),
            source: "/srv/a".into(),
            dir: "/srv/a".into(),
            name: String::new(),
            json: true,
            started_at: None,
            ended_at: Some(Moment::from_unix_ms(7)),
        };
        let json = print([&entry].into_iter()).unwrap();
        assert!(save(&path, &json).unwrap());
        assert!(!save(&path, &json).unwrap());
        assert_eq!(load(&path).unwrap(), [entry]);
        for (text, said) in [
            ("{", "no list of volumes"),
            (r#"{"format":2,"entries":7}"#, "format 2, this version reads 1"),
            (r#"{"format":1,"entries":[{}]}"#, "no list of volumes"),
        ] {
            fs::write(&path, text).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("volumes.json"), "{error}");
        }
        put_aside(&path).unwrap();
        put_aside(&path).unwrap();
        assert!(load(&path).unwrap().is_empty() && dir.path().join("volumes.json.bad").exists());
    }
}
