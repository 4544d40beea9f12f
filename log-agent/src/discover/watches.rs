//! The one inotify instance of this process: watches on directories only.

use super::tree::DirId;
use crate::beneath::Held;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Births, renames and deaths.
const STRUCTURE: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONLYDIR);
/// Notices taken in one round, so that a flood does not keep the rest waiting.
const ROUND: usize = 20_000;

/// What the kernel told.
#[derive(Debug)]
pub(super) enum Notice {
    /// Some were lost.
    Overflow,
    /// The watch is gone with its directory.
    Gone(DirId),
    /// A file was written.
    Modified(DirId, Range<usize>),
    /// A name was made, taken away or renamed.
    Entry(DirId, Range<usize>),
}

/// The watches, and the notices of one round.
#[derive(Debug)]
pub(super) struct Watches {
    fd: Option<OwnedFd>,
    dirs: HashMap<i32, DirId>,
    buf: Vec<MaybeUninit<u8>>,
    notices: Vec<Notice>,
    names: Vec<u8>,
}

impl Watches {
    /// Without inotify everything still works by looking now and then: said once.
    pub(super) fn new() -> Self {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .inspect_err(|error| {
                tracing::warn!("no inotify instance ({error}; see fs.inotify.max_user_instances): log volumes are looked at twice a second");
            })
            .ok();
        Self {
            fd,
            dirs: HashMap::new(),
            buf: vec![MaybeUninit::uninit(); 64 << 10],
            notices: Vec::new(),
            names: Vec::new(),
        }
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Watches a directory, or changes whether its files' writes are told.
    pub(super) fn watch(&mut self, dir: DirId, held: &Held, writes: bool) -> Result<i32, Errno> {
        let fd = self.fd.as_ref().ok_or(Errno::NOSYS)?;
        let flags = if writes { STRUCTURE | WatchFlags::MODIFY } else { STRUCTURE };
        let wd = inotify::add_watch(fd, held.path(), flags)?;
        self.dirs.insert(wd, dir);
        Ok(wd)
    }

    /// Ends the watch of a directory, unless it is another one's by now: a directory that was renamed keeps its watch.
    pub(super) fn forget(&mut self, wd: i32, dir: DirId) {
        if self.dirs.get(&wd) != Some(&dir) {
            return;
        }
        self.dirs.remove(&wd);
        if let Some(fd) = &self.fd {
            // it fails when the kernel removed the watch with the directory: the same in the end
            inotify::remove_watch(fd, wd).ok();
        }
    }

    /// Takes what there is; what comes right after the same again is one.
    pub(super) fn drain(&mut self) {
        self.notices.clear();
        self.names.clear();
        let Some(fd) = &self.fd else { return };
        let mut reader = Reader::new(fd, &mut self.buf);
        while self.notices.len() < ROUND || !reader.is_buffer_empty() {
            let Ok(event) = reader.next() else { break };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                self.notices.push(Notice::Overflow);
                continue;
            }
            let Some(dir) = self.dirs.get(&event.wd()).copied() else { continue };
            let name = event.file_name().map(std::ffi::CStr::to_bytes).unwrap_or_default();
            if flags.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT | ReadFlags::DELETE_SELF) {
                if flags.contains(ReadFlags::IGNORED) {
                    self.dirs.remove(&event.wd());
                }
                self.notices.push(Notice::Gone(dir));
                continue;
            }
            let modified = flags.contains(ReadFlags::MODIFY);
            let again = match self.notices.last() {
                Some(Notice::Modified(d, n)) if modified => {
                    *d == dir && self.names[n.clone()] == *name
                }
                _ => false,
            };
            if again || name.is_empty() {
                continue;
            }
            let from = self.names.len();
            self.names.extend_from_slice(name);
            let name = from..self.names.len();
            self.notices.push(if modified {
                Notice::Modified(dir, name)
            } else {
                Notice::Entry(dir, name)
            });
        }
    }

    /// The notices of the round, and the bytes their names are in; to be given back.
    pub(super) fn take(&mut self) -> (Vec<Notice>, Vec<u8>) {
        (std::mem::take(&mut self.notices), std::mem::take(&mut self.names))
    }

    pub(super) fn give_back(&mut self, taken: (Vec<Notice>, Vec<u8>)) {
        (self.notices, self.names) = taken;
    }
}
