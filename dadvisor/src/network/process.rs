//! A living process of a group: found by the engine's hint, else in `cgroup.procs`, and checked to belong to the group.

use super::NsId;
use crate::collect::pids::processes;
use crate::hierarchy::place::{is_within, of_process};
use crate::read::budget::Permit;
use crate::read::files::{Files, cause_of};
use crate::read::stats::{Cause, Family};
use crate::read::{PATH_DIR, Reader, open_dir};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, RawDir, openat};
use std::ffi::CStr;
use std::io::Write;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;

/// A process, by its `/proc` directory.
#[derive(Debug)]
pub(super) struct Process {
    dir: OwnedFd,
    permit: Option<Permit>,
    /// Its network namespace.
    pub(super) ns: NsId,
}

impl Process {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Whether it may be kept after this pass.
    pub(super) fn is_held(&self) -> bool {
        self.permit.is_some()
    }

    pub(super) fn is_alive(&self) -> bool {
        NsId::of(self.fd()).is_ok()
    }

    /// Reads its namespace again. False if it is dead.
    pub(super) fn refresh(&mut self) -> bool {
        match NsId::of(self.fd()) {
            Ok(ns) => {
                self.ns = ns;
                true
            }
            Err(_) => false,
        }
    }
}

/// How to find a process of one group.
#[derive(Debug)]
pub(super) struct Finder {
    /// The engine's idea of the first process: preferred, because children may have namespaces of their own.
    pub(super) hint: Option<u32>,
    /// The group's path in its main tree, as `/proc/PID/cgroup` names it.
    pub(super) own_path: Vec<u8>,
}

/// Processes of one cgroup that are tried.
const TRIED: usize = 8;

impl Finder {
    pub(super) fn find(
        &self,
        reader: &mut Reader,
        files: &Files,
        proc: BorrowedFd<'_>,
    ) -> Option<Process> {
        let hinted = self.hint.and_then(|pid| self.open(reader, files, proc, pid));
        if hinted.is_some() {
            return hinted;
        }
        let mut found = None;
        walk(files.fd(files.main())?, &mut |dir| {
            let mut pids = [0; TRIED];
            let mut count = 0;
            match reader.to_end(dir, c"cgroup.procs", Family::Find) {
                Ok(len) => {
                    let flaws = processes(reader.text(len), |pid| {
                        // 0: hidden by a private pid namespace
                        if let Some(slot) = pids.get_mut(count).filter(|_| pid != 0) {
                            *slot = pid;
                            count += 1;
                        }
                    });
                    reader.stats.count_many(Family::Find, Cause::Wrong, flaws.wrong, || {
                        "cgroup.procs".to_owned()
                    });
                }
                Err(errno) => reader
                    .stats
                    .count(Family::Find, cause_of(errno), || format!("cgroup.procs: {errno}")),
            }
            found = pids[..count].iter().find_map(|pid| self.open(reader, files, proc, *pid));
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// Opens a process and makes sure that it is the group's: between reading its number and opening it, it may have died and another
    /// taken the number.
    fn open(
        &self,
        reader: &mut Reader,
        files: &Files,
        proc: BorrowedFd<'_>,
        pid: u32,
    ) -> Option<Process> {
        let dir = open_dir(proc, PidPath::new(pid, "").as_c_str()).ok()?;
        let len = reader.once(dir.as_fd(), c"cgroup", Family::Find).ok()?;
        let path = of_process(reader.text(len))[files.main() as usize]?;
        if !is_within(path, &self.own_path) {
            return None;
        }
        match NsId::of(dir.as_fd()) {
            Ok(ns) => Some(Process { dir, permit: reader.budget.take(), ns }),
            Err(errno) => {
                reader.stats.count(Family::Net, cause_of(errno), || {
                    format!("/proc/{pid}/ns/net: {errno}; run as root, or with CAP_SYS_PTRACE")
                });
                None
            }
        }
    }
}

/// `<pid><suffix>` as a path, on the stack.
pub(crate) struct PidPath([u8; 24]);

impl PidPath {
    /// The suffix must be short (`/fd`).
    pub(crate) fn new(pid: u32, suffix: &str) -> Self {
        let mut bytes = [0; 24];
        // ten digits and a short suffix: the last byte stays zero
        let written = write!(&mut bytes[..23], "{pid}{suffix}");
        debug_assert!(written.is_ok());
        Self(bytes)
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// Levels of cgroups below a container that are looked at, and how many in all.
const DEEPEST: u32 = 6;
const MOST: u32 = 256;

/// Visits a cgroup and those beneath it, parents first, within bounds. False if there were more.
pub(crate) fn walk(
    dir: BorrowedFd<'_>,
    visit: &mut dyn FnMut(BorrowedFd<'_>) -> ControlFlow<()>,
) -> bool {
    let mut left = MOST;
    !matches!(descend(dir, DEEPEST, &mut left, visit), ControlFlow::Break(End::Bound))
}

enum End {
    Visitor,
    Bound,
}

fn descend(
    dir: BorrowedFd<'_>,
    depth: u32,
    left: &mut u32,
    visit: &mut dyn FnMut(BorrowedFd<'_>) -> ControlFlow<()>,
) -> ControlFlow<End> {
    *left = match left.checked_sub(1) {
        Some(left) => left,
        None => return ControlFlow::Break(End::Bound),
    };
    if visit(dir).is_break() {
        return ControlFlow::Break(End::Visitor);
    }
    let read = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(listing) = openat(dir, c".", read, Mode::empty()) else {
        return ControlFlow::Continue(());
    };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(listing, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if entry.file_type() != FileType::Directory || name == c"." || name == c".." {
            continue;
        }
        if depth == 0 {
            return ControlFlow::Break(End::Bound);
        }
        if let Ok(child) = openat(dir, name, PATH_DIR | OFlags::NOFOLLOW, Mode::empty()) {
            descend(child.as_fd(), depth - 1, left, visit)?;
        }
    }
    ControlFlow::Continue(())
}
