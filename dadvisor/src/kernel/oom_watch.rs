//! OOM kills seen at once, before the next tick and before the cgroup is gone.
//!
//! v2: one inotify instance, a watch on each group's `memory.events`. v1: each group's own eventfd, registered in its
//! `cgroup.event_control`. Both sit in one epoll descriptor that a runtime can wait on. A wake-up is a hint, not a count: it also comes
//! for limit hits (v2) and for the removal of the group (v1). The reader then asks [`Group::oom_kills`].

use crate::kernel::group::Group;
use crate::kernel::hierarchy::Tree;
use crate::kernel::read::budget::{Budget, Permit};
use crate::kernel::shared::Kernel;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, inotify, openat};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::time::Timespec;
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::path::PathBuf;

/// The epoll key of the inotify instance; eventfds have their group's key, which is below.
const INOTIFY: u64 = u64::MAX;

/// Why a group is not watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused.
    #[error("cannot watch {} for OOM kills: {source}; they are counted at the next tick", path.display())]
    Watch {
        /// The file to be watched.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No more descriptors.
    #[error("the budget of open files is used up: OOM kills in {} are counted at the next tick", path.display())]
    NoBudget {
        /// The group's directory.
        path: PathBuf,
    },
    /// The group has no memory hierarchy.
    #[error("{} has no memory controller: OOM kills are not counted", path.display())]
    NoMemory {
        /// The group's directory.
        path: PathBuf,
    },
}

#[derive(Debug)]
enum Watch {
    V1 { event: OwnedFd, _permit: Permit },
    V2 { wd: i32 },
}

/// The groups watched.
#[derive(Debug)]
pub struct OomWatch {
    epoll: OwnedFd,
    inotify: OwnedFd,
    groups: HashMap<u64, Watch>,
    keys: HashMap<i32, u64>,
    budget: Budget,
}

impl OomWatch {
    /// Watches nothing yet. Shares the kernel's budget of descriptors.
    pub fn new(kernel: &Kernel) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let inotify =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        epoll::add(&epoll, &inotify, EventData::new_u64(INOTIFY), EventFlags::IN)?;
        Ok(Self {
            epoll,
            inotify,
            groups: HashMap::new(),
            keys: HashMap::new(),
            budget: kernel.reader.budget.clone(),
        })
    }

    /// Watches a group; `key` (not `u64::MAX`) is what [`OomWatch::drain`] will name it by. A key in use is watched anew.
    pub fn add(&mut self, key: u64, group: &Group) -> Result<(), Error> {
        self.remove(key);
        let files = group.files();
        let watch = if let Some(dir) = files.path(Tree::Memory) {
            self.add_v1(key, dir.to_owned())?
        } else if let Some(dir) = files.path(Tree::Unified) {
            let path = dir.join("memory.events");
            let wd = inotify::add_watch(&self.inotify, &path, inotify::WatchFlags::MODIFY)
                .map_err(|errno| Error::Watch { path, source: errno.into() })?;
            self.keys.insert(wd, key);
            Watch::V2 { wd }
        } else {
            return Err(Error::NoMemory { path: group.path().to_owned() });
        };
        self.groups.insert(key, watch);
        Ok(())
    }

    fn add_v1(&self, key: u64, path: PathBuf) -> Result<Watch, Error> {
        let Some(permit) = self.budget.take() else { return Err(Error::NoBudget { path }) };
        let register = || -> Result<OwnedFd, Errno> {
            let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            let open = |name, flags| {
                openat(rustix::fs::CWD, path.join(name), flags | OFlags::CLOEXEC, Mode::empty())
            };
            let control = open("memory.oom_control", OFlags::RDONLY)?;
            let events = open("cgroup.event_control", OFlags::WRONLY)?;
            let line = format!("{} {}", event.as_raw_fd(), control.as_raw_fd());
            write(&events, line.as_bytes())?;
            epoll::add(&self.epoll, &event, EventData::new_u64(key), EventFlags::IN)?;
            Ok(event)
        };
        match register() {
            Ok(event) => Ok(Watch::V1 { event, _permit: permit }),
            Err(errno) => Err(Error::Watch { path, source: errno.into() }),
        }
    }

    /// Stops watching a group.
    pub fn remove(&mut self, key: u64) {
        match self.groups.remove(&key) {
            // closing an eventfd takes it out of epoll and unregisters it
            Some(Watch::V1 { event, .. }) => drop(event),
            Some(Watch::V2 { wd }) => {
                self.keys.remove(&wd);
                // refused when the cgroup is gone: then the kernel has removed the watch itself
                if let Err(errno) = inotify::remove_watch(&self.inotify, wd) {
                    tracing::trace!(wd, %errno, "inotify watch was gone already");
                }
            }
            None => {}
        }
    }

    /// How many groups are watched.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Takes what has happened without waiting, and names each group once or more. If the kernel lost events, every group is named.
    pub fn drain(&mut self, mut each: impl FnMut(u64)) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        loop {
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            retry_on_intr(|| {
                epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&at_once))
            })?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    INOTIFY => self.drain_inotify(&mut each)?,
                    key => {
                        if let Some(Watch::V1 { event, .. }) = self.groups.get(&key) {
                            // empties the counter; it may be empty already
                            match read(event, &mut [0u8; 8]) {
                                Ok(_) | Err(Errno::AGAIN) => each(key),
                                Err(errno) => return Err(errno.into()),
                            }
                        }
                    }
                }
            }
        }
    }

    fn drain_inotify(&self, each: &mut impl FnMut(u64)) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW) => {
                    self.groups.keys().copied().for_each(&mut *each);
                }
                Ok(event) => {
                    if let Some(key) = self.keys.get(&event.wd()) {
                        each(*key);
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Readable when [`OomWatch::drain`] has something.
impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// For runtimes that want the number.
impl AsRawFd for OomWatch {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.epoll.as_raw_fd()
    }
}
