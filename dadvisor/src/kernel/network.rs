//! The network of a group: whose namespace it is, and its figures read once, by one owner.
//!
//! The files are read below a process of the group, held as an `O_PATH` descriptor of `/proc/PID`: that does not keep the namespace
//! alive, and once the process is dead everything below it fails, so a reused pid is never mistaken for it. A namespace that is the
//! host's has no figures here (they are the node's), one that several groups share is read by the container that has it as its own.

mod process;
#[cfg(test)]
mod tests;

use crate::collect::net::{TcpStates, dev, snmp, sockstat};
use crate::collect::text::Flaws;
use crate::kernel::read::Reader;
use crate::kernel::read::files::{Files, cause_of};
use crate::kernel::read::stats::{Cause, Family};
use crate::sample::{Field, Figures, InterfaceRow, RowName, Sample, add_row};
use process::{Finder, Guide};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::{Arc, Weak};

/// Whose network a group's figures are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetView {
    /// Not known: network is not asked for, or no process was found.
    Unknown,
    /// Its own: the sample has them.
    Own,
    /// The host's: the node has them.
    Host,
    /// Shared with the container of this id, whose sample has them.
    SharedWith(String),
}

/// A network namespace: device and inode of `ns/net`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NsId(u64, u64);

impl NsId {
    /// The namespace of the process whose `/proc` directory this is.
    pub(crate) fn of(process: BorrowedFd<'_>) -> Result<Self, Errno> {
        let stat = statat(process, c"ns/net", AtFlags::empty())?;
        Ok(Self(stat.st_dev, stat.st_ino))
    }
}

/// A group as the registry knows it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// The engine says that the namespace is this container's own: preferred as the owner.
    pub(crate) own: bool,
}

/// Which group reads which namespace. An owner that is dropped loses its claim by itself.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    owners: HashMap<NsId, Weak<Member>>,
    tidy_at: usize,
}

impl Registry {
    /// Whether somebody reads this namespace.
    fn is_owned(&self, ns: NsId) -> bool {
        self.owners.get(&ns).is_some_and(|owner| owner.strong_count() > 0)
    }

    /// Claims a namespace. None: it is the member's; else its owner.
    fn claim(&mut self, ns: NsId, member: &Arc<Member>) -> Option<Arc<Member>> {
        if let Some(owner) = self.owners.get(&ns) {
            if owner.as_ptr() == Arc::as_ptr(member) {
                return None;
            }
            match owner.upgrade() {
                Some(owner) if owner.own || !member.own => return Some(owner),
                _ => {}
            }
        }
        if self.owners.len() >= self.tidy_at {
            self.owners.retain(|_, owner| owner.strong_count() > 0);
            self.tidy_at = self.owners.len() * 2 + 64;
        }
        self.owners.insert(ns, Arc::downgrade(member));
        None
    }
}

/// Names of interfaces that need escaping, made once: a bounded cache, since containers choose them.
#[derive(Debug, Default)]
pub(crate) struct InterfaceNames(HashMap<Vec<u8>, RowName>);

impl InterfaceNames {
    const MOST: usize = 1024;

    fn get(&mut self, name: &[u8]) -> RowName {
        if let Some(known) = self.0.get(name) {
            return *known;
        }
        let made = RowName::new(&String::from_utf8_lossy(name));
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(name.to_vec(), made);
        made
    }
}

/// What all groups have in common about networks.
#[derive(Debug)]
pub(crate) struct Networks {
    pub(crate) registry: Registry,
    pub(crate) names: InterfaceNames,
    pub(crate) host: Option<NsId>,
}

/// What one pass over one group has at hand.
pub(crate) struct Pass<'a> {
    pub(crate) reader: &'a mut Reader,
    pub(crate) networks: &'a mut Networks,
    pub(crate) proc: BorrowedFd<'a>,
    pub(crate) files: &'a Files,
}

/// The network side of one group.
#[derive(Debug)]
pub(crate) struct Network {
    member: Arc<Member>,
    finder: Finder,
    process: Option<Guide>,
    /// Look for a process on the next pass, not only on the next slow one.
    search: bool,
    view: NetView,
    /// A namespace that is not this container's own was left to its owner for a pass; if none came, it is read here.
    waited: bool,
    /// Files of [`OPTIONAL`] that are not there.
    absent: u8,
}

/// Files besides `net/dev`.
const OPTIONAL: [(&CStr, Parse); 3] =
    [(c"net/sockstat", sockstat), (c"net/sockstat6", sockstat), (c"net/snmp", snmp)];

type Parse = fn(&[u8], &mut Figures) -> Flaws;

impl Network {
    pub(crate) fn new(member: Member, hint: Option<u32>, own_path: Vec<u8>) -> Self {
        Self {
            member: Arc::new(member),
            finder: Finder { hint, own_path },
            process: None,
            search: true,
            view: NetView::Unknown,
            waited: false,
            absent: 0,
        }
    }

    pub(crate) fn view(&self) -> &NetView {
        &self.view
    }

    /// Reads the figures of the group's namespace, if they are the group's to show. `states`: where TCP states go, if wanted now.
    /// `silent`: told the text of `net/dev`, says that the sockets are as they were, and repeats their figures.
    pub(crate) fn read(
        &mut self,
        pass: &mut Pass<'_>,
        slow: bool,
        states: Option<&mut Figures>,
        mut silent: impl FnMut(&[u8], &mut Figures) -> bool,
        sample: &mut Sample,
    ) {
        if slow {
            self.absent = 0;
            self.search = true;
        }
        // A process may move to another namespace; one that has just been started may still be in the host's. Where nothing is read,
        // this is also how its death is noticed.
        if (slow || self.view != NetView::Own)
            && self.process.as_mut().is_some_and(|process| !process.refresh())
        {
            self.process = None;
            self.search = true;
        }
        // a process that died since the last pass is replaced at once
        for _ in 0..2 {
            if self.process.is_none() && std::mem::take(&mut self.search) {
                self.process = self.finder.find(pass.reader, pass.files, pass.proc);
            }
            let Some(process) = &self.process else {
                self.see(NetView::Unknown);
                return;
            };
            let ns = process.ns;
            if !self.is_ours(ns, pass.networks) {
                break;
            }
            if let Some(len) = self.interfaces(pass.reader, pass.networks, sample) {
                if silent(pass.reader.text(len), &mut sample.figures) {
                    pass.reader.stats.spare(OPTIONAL.len() as u64);
                } else {
                    self.rest(pass.reader, &mut sample.figures);
                }
                if let Some(figures) = states {
                    self.states(pass.reader, figures);
                }
                break;
            }
            self.process = None;
            self.search = true;
        }
        if self.process.as_ref().is_some_and(|process| !process.is_held()) {
            self.process = None;
            self.search = true;
        }
    }

    fn is_ours(&mut self, ns: NsId, networks: &mut Networks) -> bool {
        if networks.host == Some(ns) {
            self.see(NetView::Host);
            return false;
        }
        // in the first pass after a start the owner may only come later, and nothing may be counted twice meanwhile
        if !self.member.own
            && !networks.registry.is_owned(ns)
            && !std::mem::replace(&mut self.waited, true)
        {
            self.see(NetView::Unknown);
            return false;
        }
        match networks.registry.claim(ns, &self.member) {
            None => {
                self.see(NetView::Own);
                true
            }
            Some(owner) => {
                if !matches!(&self.view, NetView::SharedWith(id) if *id == owner.id) {
                    self.see(NetView::SharedWith(owner.id.clone()));
                }
                false
            }
        }
    }

    fn see(&mut self, view: NetView) {
        if self.view != view {
            self.view = view;
        }
    }

    /// Reads `net/dev`, and answers its length in the reader (0 if it cannot be read). None if the process is dead. Interfaces that never moved a byte have no row of their own: a kernel with
    /// tunnel modules gives every namespace nine of them.
    fn interfaces(
        &self,
        reader: &mut Reader,
        networks: &mut Networks,
        sample: &mut Sample,
    ) -> Option<usize> {
        let process = self.process.as_ref()?;
        let len = match reader.to_end(process.fd(), c"net/dev", Family::Net) {
            Ok(len) => len,
            Err(errno) => {
                let cause = if process.is_alive() { cause_of(errno) } else { Cause::Gone };
                reader.stats.count(Family::Net, cause, || {
                    format!("net/dev of {}: {errno}", self.member.id)
                });
                return process.is_alive().then_some(0);
            }
        };
        let Sample { figures, rows } = sample;
        let mut sums = [0u64; 8];
        let mut dropped = 0;
        let flaws = dev(reader.text(len), |name, counters| {
            for (sum, counter) in sums.iter_mut().zip(counters) {
                *sum = sum.saturating_add(counter);
            }
            if counters == [0; 8] {
                return;
            }
            let row = InterfaceRow { name: networks.names.get(name), counters };
            dropped += u32::from(!add_row(&mut rows.interfaces, row));
        });
        // a sum that lacks an interface would look like a counter that fell
        if flaws == Flaws::NONE {
            for (field, sum) in NET_SUMS.iter().zip(sums) {
                figures.set(*field, sum);
            }
        }
        self.flaws(reader, Flaws { dropped, ..flaws }, c"net/dev");
        Some(len)
    }

    fn rest(&mut self, reader: &mut Reader, figures: &mut Figures) {
        let Some(process) = &self.process else { return };
        for (at, (name, parse)) in OPTIONAL.iter().enumerate() {
            if self.absent >> at & 1 == 1 {
                continue;
            }
            match reader.once(process.fd(), name, Family::Net) {
                Ok(len) => {
                    let flaws = parse(reader.text(len), figures);
                    self.flaws(reader, flaws, name);
                }
                Err(errno) => {
                    self.absent |= 1 << at;
                    self.failed(reader, errno, name);
                }
            }
        }
    }

    /// `net/tcp` and `net/tcp6` walk the sockets of the whole host (2 ms each pass for an empty namespace): slow tier only.
    fn states(&self, reader: &mut Reader, figures: &mut Figures) {
        let Some(process) = &self.process else { return };
        let mut states = TcpStates::default();
        let mut whole = true;
        for name in [c"net/tcp", c"net/tcp6"] {
            states.begin();
            match reader.pieces(process.fd(), name, Family::Net, |piece| states.feed(piece)) {
                Ok(all) => whole &= all,
                // without IPv6 there is no tcp6
                Err(Errno::NOENT) if name == c"net/tcp6" => {}
                Err(errno) => {
                    whole = false;
                    self.failed(reader, errno, name);
                }
            }
        }
        if whole {
            let flaws = states.finish(figures);
            self.flaws(reader, flaws, c"net/tcp");
        }
    }

    fn failed(&self, reader: &mut Reader, errno: Errno, name: &CStr) {
        reader.stats.count(Family::Net, cause_of(errno), || {
            format!("{} of {}: {errno}", name.to_string_lossy(), self.member.id)
        });
    }

    fn flaws(&self, reader: &mut Reader, flaws: Flaws, name: &CStr) {
        let what = || format!("{} of {}", name.to_string_lossy(), self.member.id);
        reader.stats.count_many(Family::Net, Cause::Wrong, flaws.wrong, what);
        reader.stats.count_many(Family::Net, Cause::Dropped, flaws.dropped, what);
    }
}

/// In the order of [`crate::sample::INTERFACE_METRICS`].
const NET_SUMS: [Field; 8] = [
    Field::NetRxBytes,
    Field::NetRxPackets,
    Field::NetRxErrors,
    Field::NetRxDropped,
    Field::NetTxBytes,
    Field::NetTxPackets,
    Field::NetTxErrors,
    Field::NetTxDropped,
];

/// The host's namespace: that of process 1, else our own.
pub(crate) fn host_namespace(proc: impl AsFd) -> Option<NsId> {
    [c"1", c"self"].into_iter().find_map(|name| {
        let dir = crate::kernel::read::open_dir(&proc, name).ok()?;
        NsId::of(dir.as_fd()).ok()
    })
}
