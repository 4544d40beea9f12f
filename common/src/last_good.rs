//! Reading the last good copy of something from disk: JSON of bounded size, with an error that names the file. Who wrote it ([`atomic_file`])
//! says what is in it, and what a copy is worth.
//!
//! [`atomic_file`]: crate::atomic_file

use crate::kept;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};

/// Why a copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{}: not a copy this version can read: {cause}", path.display())]
    Format { path: PathBuf, cause: serde_json::Error },
    #[error("{}: larger than {most} bytes, ignored", path.display())]
    TooLarge { path: PathBuf, most: u64 },
}

/// The copy, if there is one; of a larger one than `most` bytes no more is read than that.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, most: u64) -> Result<Option<T>, Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let Some(json) = kept::read(path, most).map_err(io)? else { return Ok(None) };
    if json.len() as u64 > most {
        return Err(Error::TooLarge { path: path.to_owned(), most });
    }
    let copy = serde_json::from_slice(&json);
    copy.map(Some).map_err(|cause| Error::Format { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_copy_is_read_within_its_bound_and_errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("copy.json");
        assert!(read::<Vec<u8>>(&path, 7).unwrap().is_none());
        fs::write(&path, "[1,2,3]").unwrap();
        assert_eq!(read::<Vec<u8>>(&path, 7).unwrap().unwrap(), [1, 2, 3]);
        let refused = |path: &Path, most| read::<Vec<u8>>(path, most).unwrap_err().to_string();
        assert!(refused(&path, 6).contains("copy.json: larger than 6 bytes"));
        fs::write(&path, "{").unwrap();
        assert!(refused(&path, 7).contains("copy.json: not a copy this version can read"));
        let shown = dir.path().display().to_string();
        assert!(refused(dir.path(), 7).starts_with(&shown));
    }
}
