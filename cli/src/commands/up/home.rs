//! The state directory of `qae up`: made, locked, and what is written into it.

use crate::error::Error;
use crate::place::FILE;
use common::atomic_file;
use common::config::Source;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory, held by this process.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    /// Held as long as this lives.
    _lock: File,
}

impl Home {
    /// Makes it where it is not there, for nobody else to read, and takes it.
    pub fn take(dir: &Path) -> Result<Self, Error> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(Error::file("make", dir))?;
        let dir = dir.canonicalize().map_err(Error::file("find", dir))?;
        if dir.to_str().is_none() {
            return Err(Error::Usage(format!("{}: name a directory that is text", dir.display())));
        }
        let path = dir.join("lock");
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let lock = lock.map_err(Error::file("open", &path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::Missing(format!(
                "another `qae up` runs with {}: end it, or use another --state DIR",
                dir.display()
            )));
        }
        Ok(Self { dir, _lock: lock })
    }

    /// The directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same as text.
    pub fn text(&self) -> String {
        self.dir.display().to_string()
    }

    /// The config file.
    pub fn config(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// The token people's commands use.
    pub fn admin_token(&self) -> PathBuf {
        self.dir.join("admin-token")
    }

    /// The token this node's agents use.
    pub fn node_token(&self) -> PathBuf {
        self.dir.join("node-token")
    }

    /// The config file's text, if there is one.
    pub fn written(&self) -> Result<Option<String>, Error> {
        let path = self.config();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::file("read", path)(e)),
        }
    }

    /// Replaces the config file if the text is another one.
    pub fn write(&self, text: &str) -> Result<Source, Error> {
        let path = self.config();
        atomic_file::write(&path, text.as_bytes())
            .map_err(|e| Error::Missing(format!("{e}; check the directory's rights and space")))?;
        Ok(Source::of(&path, text))
    }
}

/// Writes a secret that only its owner may read.
pub fn keep_secret(path: &Path, secret: &str) -> Result<(), Error> {
    let line = format!("{secret}\n");
    if std::fs::read_to_string(path).is_ok_and(|old| old == line) {
        return Ok(());
    }
    let failed = |step| Error::file(step, path);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("write"))?;
    // one that was there may be open to others
    file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(failed("write"))?;
    file.write_all(line.as_bytes()).map_err(failed("write"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn one_at_a_time_and_for_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let home = Home::take(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        let refused = Home::take(&path).unwrap_err().to_string();
        assert!(refused.contains("another `qae up` runs with"), "{refused}");
        assert_eq!(home.written().unwrap(), None);
        home.write("[node]\n").unwrap();
        assert_eq!(home.written().unwrap().as_deref(), Some("[node]\n"));
        drop(home);
        assert!(Home::take(&path).is_ok());
    }

    #[test]
    fn a_secret_is_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "old").unwrap();
        keep_secret(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }
}
