//! A living process of a group: found by the engine's hint, else in `cgroup.procs`, and checked to belong to the group.

use super::NsId;
use crate::collect::pids::processes;
use crate::kernel::hierarchy::place::{is_within, of_process};
use crate::kernel::process::Process;
use crate::kernel::read::Reader;
use crate::kernel::read::budget::Permit;
use crate::kernel::read::files::{Files, cause_of};
use crate::kernel::read::stats::{Cause, Family};
use crate::kernel::read::walk::walk;
use rustix::fd::{AsFd, BorrowedFd};
use std::ops::ControlFlow;

/// The process by which a group's namespace is read.
#[derive(Debug)]
pub(super) struct Guide {
    process: Process,
    permit: Option<Permit>,
    /// Its network namespace.
    pub(super) ns: NsId,
}

impl Guide {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
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
    ) -> Option<Guide> {
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
    ) -> Option<Guide> {
        let process = Process::hold(proc, pid).ok()?;
        let len = reader.once(process.as_fd(), c"cgroup", Family::Find).ok()?;
        let path = of_process(reader.text(len))[files.main() as usize]?;
        if !is_within(path, &self.own_path) {
            return None;
        }
        match NsId::of(process.as_fd()) {
            Ok(ns) => Some(Guide { process, permit: reader.budget.take(), ns }),
            Err(errno) => {
                reader.stats.count(Family::Net, cause_of(errno), || {
                    format!("/proc/{pid}/ns/net: {errno}; run as root, or with CAP_SYS_PTRACE")
                });
                None
            }
        }
    }
}
