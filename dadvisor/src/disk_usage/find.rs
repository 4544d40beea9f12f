//! Where a container's writable layer and log volumes are, opened.

use crate::kernel::mountinfo::{self, Mount};
use crate::kernel::process::{Process, host_root};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat, openat2};
use rustix::io::Errno;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Most bytes read of a container's `mountinfo`.
const MAX_MOUNTINFO: u64 = 4 << 20;

/// `f_type` of file systems whose server may not answer: NFS, SMB (three), FUSE, Ceph, 9p, AFS, Lustre, virtiofs is FUSE's.
const REMOTE: [u64; 9] = [
    0x6969,
    0xff53_4d42,
    0xfe53_4d42,
    0x517b,
    0x6573_5546,
    0x00c3_6400,
    0x0102_1997,
    0x5346_414f,
    0x0bd0_0bd0,
];

/// Why a tree was not walked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The container's process is not there, not its own any more, or may not be looked at.
    #[error("cannot look at process {pid}: {error}")]
    Process {
        /// The container's first process.
        pid: u32,
        /// The system's word.
        error: std::io::Error,
    },
    /// The root of the container is no overlay: there is no directory of its own to measure.
    #[error(
        "the root of process {pid} is {fs_type}, not overlay; its writable layer is not measured"
    )]
    NotOverlay {
        /// The container's first process.
        pid: u32,
        /// Type of its root file system.
        fs_type: String,
    },
    /// Given from another directory, which is not known.
    #[error("the upper directory {} is not an absolute path, so it cannot be found", path.display())]
    Relative {
        /// As `mountinfo` has it.
        path: PathBuf,
    },
    /// The directory cannot be opened.
    #[error("cannot open {}: {error}", path.display())]
    Open {
        /// On the host.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
    /// A file system that may hang.
    #[error("{} is on a network file system or FUSE, which is not walked", path.display())]
    Remote {
        /// On the host.
        path: PathBuf,
    },
}

impl Error {
    /// The cause in one word, for counters.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Process { .. } => "process",
            Self::NotOverlay { .. } => "not_overlay",
            Self::Relative { .. } => "relative",
            Self::Open { .. } => "open",
            Self::Remote { .. } => "remote",
        }
    }

    /// Every [`Self::cause`].
    pub const CAUSES: [&'static str; 5] = ["process", "not_overlay", "relative", "open", "remote"];
}

/// The upper directory of the overlay that is the process's root.
pub(super) fn writable_layer(proc: &Path, pid: u32, process: &Process) -> Result<OwnedFd, Error> {
    let text = process
        .read(c"mountinfo", MAX_MOUNTINFO)
        .map_err(|error| Error::Process { pid, error: error.into() })?;
    let path = upper_dir(&mountinfo::parse(&text).0)
        .map_err(|fs_type| Error::NotOverlay { pid, fs_type })?;
    if !path.is_absolute() {
        return Err(Error::Relative { path });
    }
    open(proc, &path)
}

/// `upperdir` of what is mounted last at `/`; else the type of that file system.
fn upper_dir(mounts: &[Mount]) -> Result<PathBuf, String> {
    let root = mounts.iter().rev().find(|mount| mount.point == Path::new("/"));
    let root = root.ok_or_else(|| "unknown".to_owned())?;
    match root.option("upperdir") {
        Some(upper) if root.fs_type == "overlay" => Ok(PathBuf::from(upper)),
        _ => Err(root.fs_type.clone()),
    }
}

/// The log volumes that are there, each directory once.
pub(super) fn log_volumes(proc: &Path, sources: &[PathBuf]) -> Result<Vec<OwnedFd>, Error> {
    let mut seen = HashSet::new();
    let mut volumes = Vec::with_capacity(sources.len());
    for source in sources {
        let volume = open(proc, source)?;
        let stat = fstat(&volume)
            .map_err(|error| Error::Open { path: source.clone(), error: error.into() })?;
        if seen.insert((stat.st_dev, stat.st_ino)) {
            volumes.push(volume);
        }
    }
    Ok(volumes)
}

/// Opens a directory of the host, links resolved as the host does.
fn open(proc: &Path, path: &Path) -> Result<OwnedFd, Error> {
    let failed = |error: Errno| Error::Open { path: path.to_owned(), error: error.into() };
    let root = host_root(proc);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // "." because the root may be a magic link
    let at = openat(CWD, root.join("."), flags, Mode::empty()).map_err(failed)?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let dir = match openat2(&at, path, flags, Mode::empty(), resolve) {
        // before Linux 5.6, or forbidden by a filter of system calls
        Err(Errno::NOSYS | Errno::PERM) => {
            let path = root.join(path.strip_prefix("/").unwrap_or(path));
            openat(CWD, path, flags, Mode::empty())
        }
        opened => opened,
    };
    let dir = dir.map_err(failed)?;
    let fs = fstatfs(&dir).map_err(failed)?;
    if REMOTE.iter().any(|remote| u64::try_from(fs.f_type).is_ok_and(|fs| fs == *remote)) {
        return Err(Error::Remote { path: path.to_owned() });
    }
    super::walk::open_dir(dir.as_fd(), c".").map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_root_counts() {
        let mounts = |text: &str| mountinfo::parse(text.as_bytes()).0;
        let text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
                    2 1 0:40 / / rw - overlay overlay rw,lowerdir=/l:/m,upperdir=/var/lib/x/diff,workdir=/w\n\
                    3 2 0:41 / /mnt rw - overlay overlay rw,upperdir=/other\n";
        assert_eq!(upper_dir(&mounts(text)), Ok(PathBuf::from("/var/lib/x/diff")));
        assert_eq!(
            upper_dir(&mounts("1 0 0:9 / / rw - btrfs /dev/sda rw\n")),
            Err("btrfs".to_owned())
        );
        // read-only containers have no upper directory
        let read_only = "1 0 0:9 / / ro - overlay overlay ro,lowerdir=/a:/b\n";
        assert_eq!(upper_dir(&mounts(read_only)), Err("overlay".to_owned()));
        assert_eq!(upper_dir(&[]), Err("unknown".to_owned()));
    }
}
