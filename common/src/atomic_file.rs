//! A small file replaced as a whole: after a crash at any moment it holds the old bytes or the new ones, never a part.
//!
//! Temporary file in the same directory, written, fsynced, renamed over the target, directory fsynced. The same bytes as before
//! cause no write at all. One writer per path: the temporary name is fixed, so that a crash leaves at most one behind and the next
//! write takes it away.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Why the file was not replaced; the old one is untouched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path has no file name.
    #[error("{path}: not a file's path", path = .0.display())]
    NotAFile(PathBuf),
    /// A step failed; check the directory's rights and free space.
    #[error("cannot {step} {path}: {source}", path = .path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file or directory in hand.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Makes `path` hold exactly `bytes`. False if it did already. Blocks for two fsyncs.
pub fn write(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    if holds(path, bytes) {
        return Ok(false);
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::NotAFile(path.to_owned()));
    };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".tmp");
    let temporary = dir.join(hidden);
    replace(path, dir, &temporary, bytes).inspect_err(|_| {
        // a full disk must not stay full because of us; the error told is the first one
        drop(fs::remove_file(&temporary));
    })?;
    Ok(true)
}

fn replace(path: &Path, dir: &Path, temporary: &Path, bytes: &[u8]) -> Result<(), Error> {
    let step = |step, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { step, path, source }
    };
    match fs::remove_file(temporary) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(step("remove", temporary)(e)),
        _ => {}
    }
    // create_new: a link somebody put there is never followed
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(temporary)
        .map_err(step("create", temporary))?;
    file.write_all(bytes).map_err(step("write", temporary))?;
    file.sync_all().map_err(step("fsync", temporary))?;
    fs::rename(temporary, path).map_err(step("rename onto", path))?;
    File::open(dir).and_then(|d| d.sync_all()).map_err(step("fsync", dir))
}

/// Whether the file has these bytes, read no further than needed.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    let mut there = Vec::with_capacity(bytes.len() + 1);
    file.take(limit).read_to_end(&mut there).is_ok() && there == bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn replaces_as_a_whole_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("position");
        fs::write(dir.path().join(".position.tmp"), b"left by a crash").unwrap();
        assert!(write(&path, b"one").unwrap());
        let inode = fs::metadata(&path).unwrap().ino();
        assert!(!write(&path, b"one").unwrap(), "same bytes: no write");
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        assert!(write(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_path_and_keep_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none/position");
        let told = write(&missing, b"x").unwrap_err().to_string();
        assert!(told.contains("none/.position.tmp"), "{told}");
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let told = write(&taken, b"x").unwrap_err().to_string();
        assert!(told.contains("rename onto"), "{told}");
        assert!(!dir.path().join(".taken.tmp").exists());
        assert!(write(Path::new("/"), b"x").is_err());
    }
}
