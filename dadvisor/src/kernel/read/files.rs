//! The directories of one group, and what is remembered about the files in them.

use super::budget::{Budget, Permit};
use super::stats::{Cause, Family, ReadStats};
use super::table::{FILES, File};
use super::{Reader, open_dir, open_file};
use crate::collect::text::Flaws;
use crate::kernel::hierarchy::{TREES, Tree};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, fstat, statat};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A file that every cgroup of either version has: gone means the cgroup is.
const ALWAYS: &CStr = c"cgroup.procs";

/// Which tree says who a group is (its inode, its processes): the first of these that it is in.
const MAIN: [Tree; TREES] =
    [Tree::Memory, Tree::Cpuacct, Tree::Cpu, Tree::Pids, Tree::Blkio, Tree::Cpuset, Tree::Unified];

/// One directory. Held open while the budget allows, else opened for each pass.
#[derive(Debug)]
struct Directory {
    path: CString,
    inode: u64,
    depth: u32,
    fd: Option<OwnedFd>,
    permit: Option<Permit>,
}

impl Directory {
    fn open(path: CString, depth: u32, budget: &Budget) -> Result<Self, Errno> {
        let fd = open_dir(CWD, &path)?;
        // a path that exists but is no cgroup
        statat(&fd, ALWAYS, AtFlags::empty())?;
        let inode = fstat(&fd)?.st_ino;
        Ok(Self { path, inode, depth, fd: Some(fd), permit: budget.take() })
    }

    /// Opens it again if it is not held. Another cgroup may have taken the path meanwhile.
    fn begin(&mut self, budget: &Budget) -> Result<(), Errno> {
        if self.fd.is_some() {
            return Ok(());
        }
        let fd = open_dir(CWD, &self.path)?;
        if fstat(&fd)?.st_ino != self.inode {
            return Err(Errno::NOENT);
        }
        self.fd = Some(fd);
        self.permit = budget.take();
        Ok(())
    }
}

/// A file held open.
#[derive(Debug)]
struct Held {
    fd: OwnedFd,
    _permit: Permit,
}

/// The directories of a group, its missing files, and in held mode its open files.
#[derive(Debug)]
pub struct Files {
    dirs: Vec<Directory>,
    of_tree: [Option<u8>; TREES],
    main: Tree,
    /// Files that are not there (or not for us), until [`Files::forget_absent`].
    absent: u64,
    gone: bool,
    held: Option<Box<[Option<Held>; FILES]>>,
}

impl Files {
    /// Opens the directories found (tree, path, depth below the mount). None if there are none. `hold`: keep hot files open.
    pub(crate) fn open(
        places: impl Iterator<Item = (Tree, CString, u32)>,
        hold: bool,
        reader: &mut Reader,
    ) -> Option<Self> {
        let mut dirs: Vec<Directory> = Vec::with_capacity(2);
        let mut of_tree = [None; TREES];
        for (tree, path, depth) in places {
            let had = dirs.iter().position(|dir| dir.path == path);
            let at = had.or_else(|| match Directory::open(path.clone(), depth, &reader.budget) {
                Ok(dir) => {
                    if dir.permit.is_none() {
                        unheld(&mut reader.stats, Family::Find);
                    }
                    dirs.push(dir);
                    Some(dirs.len() - 1)
                }
                Err(errno) => {
                    let cause = cause_of(errno);
                    reader.stats.count(Family::Find, cause, || format!("{path:?}: {errno}"));
                    None
                }
            });
            of_tree[tree as usize] = at.and_then(|at| u8::try_from(at).ok());
        }
        let main = MAIN.into_iter().find(|tree| of_tree[*tree as usize].is_some())?;
        let held = hold.then(|| Box::new([const { None }; FILES]));
        Some(Self { dirs, of_tree, main, absent: 0, gone: false, held })
    }

    fn dir(&self, tree: Tree) -> Option<&Directory> {
        self.dirs.get(usize::from(self.of_tree[tree as usize]?))
    }

    /// Whether the group has a directory in this tree.
    pub fn has(&self, tree: Tree) -> bool {
        self.of_tree[tree as usize].is_some()
    }

    /// The tree that identifies the group.
    pub fn main(&self) -> Tree {
        self.main
    }

    /// How well the main tree identifies the group; 0 is best.
    pub(crate) fn rank(&self) -> usize {
        MAIN.iter().position(|tree| *tree == self.main).unwrap_or(TREES)
    }

    /// Inode of the directory in the main tree: a cgroup made anew at the same path has another.
    pub fn inode(&self) -> u64 {
        self.dir(self.main).map_or(0, |dir| dir.inode)
    }

    /// Path of a directory.
    pub fn path(&self, tree: Tree) -> Option<&Path> {
        self.dir(tree).map(|dir| Path::new(OsStr::from_bytes(dir.path.as_bytes())))
    }

    /// The open directory of a tree, between [`Files::begin`] and [`Files::end`].
    pub(crate) fn fd(&self, tree: Tree) -> Option<BorrowedFd<'_>> {
        self.dir(tree)?.fd.as_ref().map(AsFd::as_fd)
    }

    /// Whether the cgroup was found to be removed.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// What was missing is tried again from now on.
    pub(crate) fn forget_absent(&mut self) {
        self.absent = 0;
    }

    /// Starts a pass.
    pub(crate) fn begin(&mut self, reader: &mut Reader) {
        for dir in &mut self.dirs {
            match dir.begin(&reader.budget) {
                Ok(()) if dir.permit.is_some() => {}
                Ok(()) => unheld(&mut reader.stats, Family::Find),
                Err(Errno::NOENT | Errno::NODEV) => self.gone = true,
                Err(errno) => reader
                    .stats
                    .count(Family::Find, cause_of(errno), || format!("{:?}: {errno}", dir.path)),
            }
        }
    }

    /// Ends a pass: closes what is not in the budget.
    pub(crate) fn end(&mut self) {
        for dir in &mut self.dirs {
            if dir.permit.is_none() {
                dir.fd = None;
            }
        }
    }

    /// Reads a file. None if it is not there, could not be read (counted) or the group is gone ([`Files::is_gone`]).
    pub(crate) fn read<'a>(&mut self, reader: &'a mut Reader, file: File) -> Option<&'a [u8]> {
        if self.gone || self.absent >> (file as u8) & 1 == 1 {
            return None;
        }
        let dir = self.dirs.get(usize::from(self.of_tree[file.tree() as usize]?))?;
        let fd = dir.fd.as_ref()?.as_fd();
        let slot =
            self.held.as_mut().filter(|_| file.is_hot()).map(|held| &mut held[file as usize]);
        let read = match slot {
            None => reader.once(fd, file.name(), file.family()),
            Some(slot) => read_held(reader, fd, file, slot),
        };
        match read {
            Ok(len) => Some(reader.text(len)),
            Err(errno) => {
                self.failed(reader, file, errno);
                None
            }
        }
    }

    /// Counts what was wrong in a file.
    pub(crate) fn note(&self, reader: &mut Reader, file: File, flaws: Flaws) {
        if flaws != Flaws::NONE {
            self.note_flaws(reader, file, flaws);
        }
    }

    #[cold]
    fn note_flaws(&self, reader: &mut Reader, file: File, flaws: Flaws) {
        let dir = self.path(file.tree()).unwrap_or_else(|| Path::new(""));
        let what = || format!("{}/{}", dir.display(), file.name().to_string_lossy());
        reader.stats.count_many(file.family(), Cause::Wrong, flaws.wrong, what);
        reader.stats.count_many(file.family(), Cause::Dropped, flaws.dropped, what);
    }

    #[cold]
    fn failed(&mut self, reader: &mut Reader, file: File, errno: Errno) {
        let Some(dir) = self.dir(file.tree()) else { return };
        let cause = match cause_of(errno) {
            Cause::Absent if !is_alive(dir) => Cause::Gone,
            cause => cause,
        };
        reader.stats.count(file.family(), cause, || {
            format!("{}/{}: {errno}", dir.path.to_string_lossy(), file.name().to_string_lossy())
        });
        match cause {
            Cause::Gone => self.gone = true,
            Cause::Absent | Cause::Denied | Cause::Unsupported => self.absent |= 1 << (file as u8),
            _ => {}
        }
    }

    /// The ancestors of the group in a tree, nearest first, up to the root of the mount.
    pub(crate) fn climb(&self, tree: Tree) -> Option<Climb> {
        let dir = self.dir(tree)?;
        Some(Climb { at: open_dir(dir.fd.as_ref()?, c"..").ok()?, left: dir.depth })
    }
}

fn read_held(
    reader: &mut Reader,
    dir: BorrowedFd<'_>,
    file: File,
    slot: &mut Option<Held>,
) -> Result<usize, Errno> {
    if let Some(held) = slot {
        return reader.held(&held.fd, file.name(), file.family());
    }
    let Some(permit) = reader.budget.take() else {
        unheld(&mut reader.stats, file.family());
        return reader.once(dir, file.name(), file.family());
    };
    let fd = open_file(dir, file.name())?;
    let held = slot.insert(Held { fd, _permit: permit });
    reader.held(&held.fd, file.name(), file.family())
}

fn is_alive(dir: &Directory) -> bool {
    dir.fd.as_ref().is_some_and(|fd| statat(fd, ALWAYS, AtFlags::empty()).is_ok())
}

fn unheld(stats: &mut ReadStats, family: Family) {
    stats.count(family, Cause::Unheld, || {
        "the budget of open files is used up: directories are opened anew for each pass; raise RLIMIT_NOFILE".to_owned()
    });
}

/// What an error means here.
pub(crate) fn cause_of(errno: Errno) -> Cause {
    match errno {
        Errno::NOENT => Cause::Absent,
        Errno::NODEV | Errno::SRCH => Cause::Gone,
        Errno::ACCESS | Errno::PERM => Cause::Denied,
        Errno::OPNOTSUPP => Cause::Unsupported,
        _ => Cause::Failed,
    }
}

/// An ancestor of a group.
#[derive(Debug)]
pub(crate) struct Climb {
    at: OwnedFd,
    left: u32,
}

impl Climb {
    /// Reads a file of this ancestor. A root has few of them: what is missing is no fault.
    pub(crate) fn read<'a>(&self, reader: &'a mut Reader, file: File) -> Option<&'a [u8]> {
        match reader.once(self.at.as_fd(), file.name(), file.family()) {
            Ok(len) => Some(reader.text(len)),
            Err(Errno::NOENT | Errno::NODEV) => None,
            Err(errno) => {
                reader.stats.count(file.family(), cause_of(errno), || {
                    format!("{:?} of an ancestor: {errno}", file.name())
                });
                None
            }
        }
    }

    /// The next one up, if there is one below the end of the mount.
    pub(crate) fn up(self) -> Option<Self> {
        let left = self.left.checked_sub(1).filter(|left| *left > 0)?;
        Some(Self { at: open_dir(&self.at, c"..").ok()?, left })
    }
}
