//! One file of zstd frames, written from its first byte to its last by one process.

use super::Error;
use common::moment::Moment;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Tries for a name that nobody has.
const NAMES: u32 = 10_000;

/// The file being written.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    len: u64,
    since: SystemTime,
    used: u64,
}

impl Part {
    /// A new one for the log file kept at `path`, with the directories beneath `root` that are not there.
    pub(super) fn create(root: &Path, path: &Path, now: SystemTime) -> Result<Self, Error> {
        let dir = path.parent().unwrap_or(root);
        make(root, dir)?;
        let at = Moment::from(now).to_string();
        // no colons: they are typed and copied elsewhere
        let stamp: String = at.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let mut open = OpenOptions::new();
        open.write(true).create_new(true).mode(0o640);
        for number in 0..NAMES {
            let mut name = OsString::from(path);
            name.push(format!(".{stamp}-{number}.zst"));
            let path = PathBuf::from(name);
            match open.open(&path) {
                Ok(file) => {
                    sync_dir(dir)?;
                    return Ok(Self { path, file, len: 0, since: now, used: 0 });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path)(error)),
            }
        }
        Err(Error::io("find a new name beside", path)(ErrorKind::AlreadyExists.into()))
    }

    /// Appends a frame.
    pub(super) fn write(&mut self, bytes: &[u8], packer: &mut Packer) -> Result<(), Error> {
        let frame = packer.0.compress(bytes).map_err(Error::io("pack for", &self.path))?;
        self.file.write_all(&frame).map_err(Error::io("write", &self.path))?;
        self.len += frame.len() as u64;
        Ok(())
    }

    /// Returns when everything is on disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::io("fsync", &self.path))
    }

    /// Its bytes on disk.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// When it was begun.
    pub(super) fn since(&self) -> SystemTime {
        self.since
    }

    /// The turn it was last used in.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// It is used in this turn.
    pub(super) fn use_at(&mut self, turn: u64) {
        self.used = turn;
    }
}

/// Makes frames, each with its length and a checksum.
pub(super) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    pub(super) fn new(level: i32) -> io::Result<Self> {
        let mut packer = zstd::bulk::Compressor::new(level)?;
        packer.include_checksum(true)?;
        Ok(Self(packer))
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

/// Makes a directory and those above it up to `root`, each on disk before something is put into it.
fn make(root: &Path, dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    if dir == root {
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
    } else if let Some(above) = dir.parent() {
        make(root, above)?;
        match DirBuilder::new().mode(0o750).create(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io("create", dir)(error));
            }
            _ => {}
        }
    }
    dir.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(Error::io("fsync", dir))
}
