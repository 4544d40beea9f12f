//! What a directory of a volume holds, by raw name and kind; bounded.

use super::{Refused, Root};
use crate::name::FileName;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType};
use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, FIFO, device or socket: never opened.
    Other(&'static str),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory, raw.
    pub name: Vec<u8>,
    /// What it is, as the directory says.
    pub kind: Kind,
    /// Its inode.
    pub ino: u64,
}

/// What is under a name, as far as it matters for removing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// What it is.
    pub kind: Kind,
    /// Device of its file system.
    pub dev: u64,
    /// Its inode.
    pub ino: u64,
    /// Its length.
    pub len: u64,
    /// Bytes it has on the disk.
    pub on_disk: u64,
    /// Names it has in the file system.
    pub links: u64,
    /// Last change of its inode, in nanoseconds since 1970.
    pub changed_ns: i128,
}

/// A directory of a volume, held open.
#[derive(Debug)]
pub struct Held(OwnedFd);

/// A directory that changed less than this before it was listed may change again without another time.
const FRESH: i128 = 1_000_000_000;

/// Whether a directory with this change, listed after `begun`, has another change by now if it has other entries.
pub fn is_settled(changed_ns: i128, begun: SystemTime) -> bool {
    let begun = begun.duration_since(SystemTime::UNIX_EPOCH).ok();
    let begun = begun.and_then(|begun| i128::try_from(begun.as_nanos()).ok());
    begun.is_some_and(|begun| begun - changed_ns > FRESH)
}

impl Held {
    /// Its inode, and its last change in nanoseconds since 1970: nobody can set that back, so as long as it is the same, the directory has
    /// the same entries.
    pub fn ino_and_change(&self) -> Result<(u64, i128), Refused> {
        let stat = rustix::fs::fstat(&self.0).map_err(Refused::of)?;
        let changed = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
        Ok((stat.st_ino, changed))
    }

    /// A path that leads to this very directory, for system calls that take nothing else.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }

    /// Looks at one of its entries without opening it.
    pub fn weigh(&self, name: &[u8]) -> Result<Weight, Refused> {
        let name = std::path::Path::new(std::ffi::OsStr::from_bytes(name));
        let stat =
            rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).map_err(Refused::of)?;
        #[allow(clippy::useless_conversion, reason = "it has 32 bits on some processors")]
        let links = u64::from(stat.st_nlink);
        Ok(Weight {
            kind: kind(FileType::from_raw_mode(stat.st_mode)),
            dev: stat.st_dev,
            ino: stat.st_ino,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            on_disk: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            links,
            changed_ns: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
        })
    }

    /// At most `most` entries, and whether there are more.
    pub fn entries(&self, most: usize) -> Result<(Vec<Entry>, bool), Refused> {
        entries(self.0.as_fd(), most)
    }
}

impl Root {
    /// Holds a directory of the volume, None for the volume's own.
    pub fn hold(&self, name: Option<&FileName>) -> Result<Held, Refused> {
        self.directory(name).map(Held)
    }

    /// What a name names now, without opening it, and its inode.
    pub fn look(&self, name: &FileName) -> Result<(Kind, u64), Refused> {
        let parent = self.directory(name.parent().as_ref())?;
        let last = std::path::Path::new(name.path().file_name().unwrap_or_default());
        let stat =
            rustix::fs::statat(&parent, last, AtFlags::SYMLINK_NOFOLLOW).map_err(Refused::of)?;
        Ok((kind(FileType::from_raw_mode(stat.st_mode)), stat.st_ino))
    }

    /// Lists a directory, None for the volume's own; more than `most` entries are refused.
    pub fn list(&self, name: Option<&FileName>, most: usize) -> Result<Vec<Entry>, Refused> {
        match self.hold(name)?.entries(most)? {
            (entries, false) => Ok(entries),
            (_, true) => Err(Refused::TooMany(most)),
        }
    }
}

fn entries(dir: BorrowedFd<'_>, most: usize) -> Result<(Vec<Entry>, bool), Refused> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(dir).map_err(Refused::of)? {
        let entry = entry.map_err(Refused::of)?;
        let bytes = entry.file_name().to_bytes();
        if bytes == b"." || bytes == b".." {
            continue;
        }
        if entries.len() == most {
            return Ok((entries, true));
        }
        let found = match entry.file_type() {
            FileType::Unknown => asked(dir, entry.file_name()),
            told => told,
        };
        entries.push(Entry { name: bytes.to_vec(), kind: kind(found), ino: entry.ino() });
    }
    Ok((entries, false))
}

/// Some file systems do not keep the kind in the directory.
fn asked(dir: BorrowedFd<'_>, name: &CStr) -> FileType {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |s| FileType::from_raw_mode(s.st_mode))
}

fn kind(found: FileType) -> Kind {
    match found {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Other("symlink"),
        FileType::Fifo => Kind::Other("fifo"),
        FileType::Socket => Kind::Other("socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Other("device"),
        FileType::Unknown => Kind::Other("unknown"),
    }
}
