//! The size of what is beneath a directory, as `du` sees it: blocks on disk, each hard link once, one file system.
//!
//! The tree belongs to a container that changes it while it is walked, and may mean harm: nothing but directories is ever opened, each
//! beneath the one before it and never through a link; depth, inodes and remembered links are bounded, and what a bound or a missing
//! right leaves out makes the result incomplete ("at least"). What vanishes on the way was not there.

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat,
};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::CStr;

/// Open directories at most, one per level; deeper ones are left out.
const MAX_DEPTH: usize = 128;

/// Hard links remembered at most (16 bytes each); beyond it one may be counted twice.
const MAX_LINKS: usize = 65_536;

/// Bytes of `st_blocks`' unit, whatever the file system's block size.
const BLOCK: u64 = 512;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub bytes: u64,
    pub inodes: u64,
    /// Directories that could not be read.
    pub unreadable: u64,
    /// A bound or a missing right has left something out.
    pub incomplete: bool,
}

/// What bounds all walks of one container together.
#[derive(Debug)]
pub(super) struct Bounds {
    /// Inodes that may still be looked at.
    pub inodes_left: u64,
    /// Hard-linked files seen.
    links: HashSet<(u64, u64)>,
}

impl Bounds {
    pub fn new(inodes: u64) -> Self {
        Self { inodes_left: inodes, links: HashSet::new() }
    }
}

/// Told to stop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stopped;

/// Opens a directory to walk, `name` beneath `at`; `EXDEV` if something is mounted there, `ELOOP` if it is a link.
pub(super) fn open_dir(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // sees bind mounts of the same file system too, which a device number does not tell
    let stay = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    // without NOATIME every walk would write; only the owner, or root, may ask for it
    for flags in [flags | OFlags::NOATIME, flags] {
        match openat2(at, name, flags, Mode::empty(), stay) {
            Err(Errno::PERM | Errno::NOSYS) => {}
            opened => return opened,
        }
    }
    // before Linux 5.6, or forbidden by a filter of system calls
    openat(at, name, flags, Mode::empty())
}

/// Walks the tree of an open directory and adds it to `size`. `pace` is called before each inode; it waits, or ends the walk.
pub(super) fn walk(
    top: OwnedFd,
    bounds: &mut Bounds,
    size: &mut Size,
    mut pace: impl FnMut() -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let Ok((stat, dir)) = fstat(&top).and_then(|stat| Ok((stat, Dir::new(top)?))) else {
        unreadable(size);
        return Ok(());
    };
    count(&stat, bounds, size);
    let mut levels = vec![dir];
    loop {
        let depth = levels.len();
        let Some(dir) = levels.last_mut() else { return Ok(()) };
        let entry = match dir.read() {
            Some(Ok(entry)) => entry,
            end => {
                if end.is_some() {
                    unreadable(size);
                }
                levels.pop();
                continue;
            }
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        // whatever it turns out to be, looking at it is work
        let Some(left) = bounds.inodes_left.checked_sub(1) else {
            size.incomplete = true;
            return Ok(());
        };
        bounds.inodes_left = left;
        pace()?;
        match enter(dir, name, stat.st_dev, depth < MAX_DEPTH, bounds, size) {
            Ok(Some(below)) => levels.push(below),
            // it changed in between, or something is mounted there
            Ok(None) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {}
            Err(_) => unreadable(size),
        }
    }
}

/// Counts one entry; the directory to go on with, if it is one and `deeper` is allowed.
fn enter(
    dir: &Dir,
    name: &CStr,
    device: u64,
    deeper: bool,
    bounds: &mut Bounds,
    size: &mut Size,
) -> Result<Option<Dir>, Errno> {
    let at = dir.fd()?;
    let stat = statat(at, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)?;
    if stat.st_dev != device {
        return Ok(None);
    }
    count(&stat, bounds, size);
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(None);
    }
    if !deeper {
        size.incomplete = true;
        return Ok(None);
    }
    let opened = open_dir(at, name)?;
    // mounted over between the two calls
    if fstat(&opened)?.st_dev != device {
        return Ok(None);
    }
    Dir::new(opened).map(Some)
}

fn count(stat: &Stat, bounds: &mut Bounds, size: &mut Size) {
    let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if stat.st_nlink > 1 && !directory {
        if bounds.links.len() < MAX_LINKS {
            if !bounds.links.insert((stat.st_dev, stat.st_ino)) {
                return;
            }
        } else if bounds.links.contains(&(stat.st_dev, stat.st_ino)) {
            return;
        } else {
            size.incomplete = true;
        }
    }
    size.inodes += 1;
    let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
    size.bytes = size.bytes.saturating_add(blocks.saturating_mul(BLOCK));
}

fn unreadable(size: &mut Size) {
    size.unreadable += 1;
    size.incomplete = true;
}
