//! Every open of a container's file. The container owns its log directory and may put there whatever it likes at any moment; this agent
//! may read more than the container may. So nothing is decided by a path: what is opened is resolved beneath a held directory without
//! following any link (`openat2`, `RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV`), looked at before it is opened (a FIFO or a
//! device never is), and looked at again afterwards: only the same regular file with one name stays.
//!
//! A kernel without `openat2` (before 5.6, or a filter that forbids it) is served component by component with `O_NOFOLLOW`, never by a
//! plain open.

mod list;
mod resolve;

pub use list::{Entry, Held, Kind, Weight, is_settled};

use crate::name::FileName;
use resolve::Way;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What the kernel says of an opened file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Device of its file system.
    pub dev: u64,
    /// Its inode.
    pub ino: u64,
    /// When the inode was made, where the file system keeps that: seconds and nanoseconds.
    pub birth: Option<(i64, u32)>,
    /// Bytes.
    pub len: u64,
    /// Names it has in the file system; 0 once it is deleted.
    pub links: u64,
    /// Last change of its inode, in nanoseconds since 1970: unlike the time of modification nobody can set it.
    pub changed_ns: i128,
    /// Last modification as its owner says, for display only; Unix milliseconds.
    pub modified_ms: u64,
}

/// Why something in a volume is not read.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It, or a directory on the way, is a symbolic link.
    #[error("it is a symbolic link, or lies behind one")]
    Symlink,
    /// Another file system is mounted there.
    #[error("another file system is mounted there")]
    OtherMount,
    /// A FIFO.
    #[error("it is a FIFO")]
    Fifo,
    /// A device.
    #[error("it is a device")]
    Device,
    /// A socket.
    #[error("it is a socket")]
    Socket,
    /// A directory where a file is wanted, or the reverse.
    #[error("it is a directory where a file is wanted, or the reverse")]
    Kind,
    /// It has several names: the other one may be somebody else's file.
    #[error("it has {0} names (hard links)")]
    HardLink(u64),
    /// Another file was put in its place while it was opened.
    #[error("it was replaced while it was opened")]
    Replaced,
    /// It is not there.
    #[error("it is not there")]
    Gone,
    /// More entries than a directory may have here.
    #[error("the directory has more than {0} entries")]
    TooMany(usize),
    /// The kernel says no.
    #[error("{0}")]
    System(io::Error),
}

impl Refused {
    /// One word, for counting.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::OtherMount => "other_mount",
            Self::Fifo => "fifo",
            Self::Device => "device",
            Self::Socket => "socket",
            Self::Kind => "wrong_kind",
            Self::HardLink(_) => "hard_link",
            Self::Replaced => "replaced",
            Self::Gone => "gone",
            Self::TooMany(_) => "too_many",
            Self::System(_) => "system",
        }
    }

    fn of(error: Errno) -> Self {
        match error {
            Errno::LOOP => Self::Symlink,
            Errno::XDEV => Self::OtherMount,
            Errno::NOENT => Self::Gone,
            Errno::NOTDIR | Errno::ISDIR => Self::Kind,
            // a socket, or a FIFO that was put there between the look and the open
            Errno::NXIO => Self::Socket,
            error => Self::System(error.into()),
        }
    }
}

/// A volume's directory, held open.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    path: PathBuf,
    dev: u64,
    way: Way,
}

/// For reading a file: never waits for a FIFO's other end, never becomes a terminal's process.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
/// For listing a directory.
const LIST: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Root {
    /// Holds a volume's directory. Its path is free of links, or it is refused: links that are the operator's were resolved when the
    /// container was first seen, so one that is there now may have been put there by a container whose directory this lies in.
    pub fn open(path: &Path) -> Result<Self, Refused> {
        Self::open_by(path, Way::best())
    }

    /// As [`Self::open`], without `openat2`: for tests of what old kernels get.
    #[doc(hidden)]
    pub fn open_stepwise(path: &Path) -> Result<Self, Refused> {
        Self::open_by(path, Way::Stepwise)
    }

    fn open_by(path: &Path, way: Way) -> Result<Self, Refused> {
        let dir = way.open_root(path, LIST)?;
        let dev = rustix::fs::fstat(&dir).map_err(Refused::of)?.st_dev;
        Ok(Self { dir, path: path.to_owned(), dev, way })
    }

    /// Where it was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file system.
    pub fn dev(&self) -> u64 {
        self.dev
    }

    /// Opens a log file for reading.
    pub fn open_file(&self, name: &FileName) -> Result<(File, Stat), Refused> {
        let parent = self.directory(name.parent().as_ref())?;
        let last = Path::new(std::ffi::OsStr::new(name.path().file_name().unwrap_or_default()));
        // what is no regular file is not opened at all: opening a device can have effects
        let before =
            rustix::fs::statat(&parent, last, AtFlags::SYMLINK_NOFOLLOW).map_err(Refused::of)?;
        regular(FileType::from_raw_mode(before.st_mode))?;
        let file = self.way.open(&parent, last, READ)?;
        let after = rustix::fs::fstat(&file).map_err(Refused::of)?;
        regular(FileType::from_raw_mode(after.st_mode))?;
        if (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino) {
            return Err(Refused::Replaced);
        }
        let stat = stat(&file)?;
        if stat.dev != self.dev {
            return Err(Refused::OtherMount);
        }
        if stat.links > 1 {
            return Err(Refused::HardLink(stat.links));
        }
        Ok((File::from(file), stat))
    }

    /// Opens a directory of the volume; None is the volume's own.
    fn directory(&self, name: Option<&FileName>) -> Result<OwnedFd, Refused> {
        match name {
            None => self.dir.try_clone().map_err(Refused::System),
            Some(name) => self.way.open(&self.dir, name.path(), LIST),
        }
    }

    /// Removes a file, if it is still the one that was meant. There is no system call that does both at once: the look and the removal
    /// are two steps, within which the container can at most make us remove another file of its own volume.
    pub fn remove(&self, name: &FileName, dev: u64, ino: u64) -> Result<(), Refused> {
        let parent = self.directory(name.parent().as_ref())?;
        let last = Path::new(std::ffi::OsStr::new(name.path().file_name().unwrap_or_default()));
        let found =
            rustix::fs::statat(&parent, last, AtFlags::SYMLINK_NOFOLLOW).map_err(Refused::of)?;
        if (found.st_dev, found.st_ino) != (dev, ino) {
            return Err(Refused::Replaced);
        }
        rustix::fs::unlinkat(&parent, last, AtFlags::empty()).map_err(Refused::of)
    }

    /// Removes an empty directory; false if it is not empty.
    pub fn remove_dir(&self, name: &FileName) -> Result<bool, Refused> {
        let parent = self.directory(name.parent().as_ref())?;
        let last = Path::new(std::ffi::OsStr::new(name.path().file_name().unwrap_or_default()));
        match rustix::fs::unlinkat(&parent, last, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            done => done.map(|()| true).map_err(Refused::of),
        }
    }
}

fn regular(kind: FileType) -> Result<(), Refused> {
    match kind {
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(Refused::Symlink),
        FileType::Fifo => Err(Refused::Fifo),
        FileType::Socket => Err(Refused::Socket),
        FileType::CharacterDevice | FileType::BlockDevice => Err(Refused::Device),
        FileType::Directory | FileType::Unknown => Err(Refused::Kind),
    }
}

/// What the kernel says of an open file.
pub fn stat(file: impl rustix::fd::AsFd) -> Result<Stat, Refused> {
    let plain = rustix::fs::fstat(&file).map_err(Refused::of)?;
    let wanted = StatxFlags::BTIME;
    let birth = rustix::fs::statx(&file, c"", AtFlags::EMPTY_PATH, wanted)
        .ok()
        .filter(|x| x.stx_mask & StatxFlags::BTIME.bits() != 0)
        .map(|x| (x.stx_btime.tv_sec, x.stx_btime.tv_nsec));
    let seconds = |s: i64, ns: u64| i128::from(s) * 1_000_000_000 + i128::from(ns);
    let modified = seconds(plain.st_mtime, plain.st_mtime_nsec) / 1_000_000;
    #[allow(clippy::useless_conversion, reason = "it has 32 bits on some processors")]
    let links = u64::from(plain.st_nlink);
    Ok(Stat {
        dev: plain.st_dev,
        ino: plain.st_ino,
        birth,
        len: u64::try_from(plain.st_size).unwrap_or(0),
        links,
        changed_ns: seconds(plain.st_ctime, plain.st_ctime_nsec),
        modified_ms: u64::try_from(modified).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
