//! The host as all groups see it: where its hierarchies are, how large it is, and what reading it has cost.

use crate::collect::cpu::cpu_list;
use crate::collect::io::{DeviceIo, Family as Blkio};
use crate::collect::text::{flat, next_word, number};
use crate::kernel::devices::Devices;
use crate::kernel::hierarchy::{Hierarchies, Mode, Tree};
use crate::kernel::network::{InterfaceNames, Networks, Registry, host_namespace};
use crate::kernel::read::budget::Budget;
use crate::kernel::read::stats::ReadStats;
use crate::kernel::read::{Reader, open_dir};
use rustix::fd::OwnedFd;
use rustix::fs::CWD;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where the kernel's file systems are mounted; other places than the usual ones in containers and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// `/sys/fs/cgroup`
    pub cgroup: PathBuf,
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { cgroup: "/sys/fs/cgroup".into(), proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// What to read: `[dadvisor] families`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    /// CPU time, throttling, limits.
    pub cpu: bool,
    /// Memory.
    pub memory: bool,
    /// Block IO.
    pub io: bool,
    /// Network.
    pub net: bool,
    /// Processes, threads, open files.
    pub pids: bool,
    /// Pressure.
    pub pressure: bool,
    /// OOM kills.
    pub oom: bool,
    /// CPU time of every core (v1).
    pub cpu_per_core: bool,
    /// TCP sockets by state: costs the kernel a walk over all sockets of the host for each container.
    pub tcp_states: bool,
}

impl Default for Families {
    fn default() -> Self {
        Self {
            cpu: true,
            memory: true,
            io: true,
            net: true,
            pids: true,
            pressure: true,
            oom: true,
            cpu_per_core: false,
            tcp_states: false,
        }
    }
}

/// Why the kernel, or a group, cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `/proc` is not there or not readable.
    #[error("{}: {source}; mount proc there, or set proc_root", path.display())]
    Proc {
        /// What could not be opened.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No cgroup file system is mounted.
    #[error("no cgroup hierarchy is mounted at {} (says {}); mount cgroup2 there, or set cgroup_root", root.display(), mountinfo.display())]
    NoHierarchy {
        /// Where it was looked for.
        root: PathBuf,
        /// The list of mounts.
        mountinfo: PathBuf,
    },
    /// The container's cgroup is not here: it ended, or its engine puts it somewhere unknown.
    #[error("container {id} has no cgroup; looked at its process {pid:?} and at {tried:?} below {}", root.display())]
    NoGroup {
        /// The container's id.
        id: String,
        /// Its process, as its engine knows it.
        pid: Option<u32>,
        /// Paths below each hierarchy.
        tried: Vec<String>,
        /// Where the hierarchies are.
        root: PathBuf,
    },
}

/// What all groups of a host share. One per daemon; not shared between threads.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) roots: Roots,
    pub(crate) families: Families,
    pub(crate) hold: bool,
    /// Read every file on every pass.
    pub(crate) all: bool,
    pub(crate) hierarchies: Hierarchies,
    pub(crate) reader: Reader,
    pub(crate) devices: Devices,
    pub(crate) networks: Networks,
    pub(crate) proc: OwnedFd,
    /// The v1 block IO files of this host, once a device line was seen.
    pub(crate) blkio: Option<Blkio>,
    /// Devices of the text in hand.
    pub(crate) rows: Vec<DeviceIo>,
    pub(crate) cores: Option<u64>,
    pub(crate) memory: Option<u64>,
}

impl Kernel {
    /// Finds the hierarchies and learns the host's size. `hold`: keep hot files open (ticks of 2 s and less). Raise the limit of open
    /// files before ([`common::files::raise`]).
    pub fn open(roots: Roots, families: Families, hold: bool) -> Result<Self, Error> {
        let mountinfo = roots.proc.join("self/mountinfo");
        let text = fs::read(&mountinfo)
            .map_err(|source| Error::Proc { path: mountinfo.clone(), source })?;
        let root = roots.cgroup.as_os_str().as_bytes();
        let hierarchies = Hierarchies::parse(&text, root)
            .ok_or(Error::NoHierarchy { root: roots.cgroup.clone(), mountinfo })?;
        let proc = open_path(&roots.proc)
            .map_err(|source| Error::Proc { path: roots.proc.clone(), source })?;
        let networks = Networks {
            registry: Registry::default(),
            names: InterfaceNames::default(),
            host: host_namespace(&proc),
        };
        let online = fs::read(roots.sys.join("devices/system/cpu/online"));
        let meminfo = fs::read(roots.proc.join("meminfo"));
        Ok(Self {
            families,
            hold,
            all: false,
            hierarchies,
            reader: Reader::new(Budget::of_process()),
            devices: Devices::new(&roots.sys),
            networks,
            proc,
            blkio: None,
            rows: Vec::new(),
            cores: online.ok().and_then(|text| cpu_list(&text)),
            memory: meminfo.ok().and_then(|text| memory_total(&text)),
            roots,
        })
    }

    /// With another budget of descriptors to hold than the process's limit gives.
    #[must_use]
    pub fn with_budget(mut self, permits: usize) -> Self {
        self.reader.budget = Budget::new(permits);
        self
    }

    /// Reads every file on every pass, also what cannot have changed: to be measured against a loop that does the same.
    #[must_use]
    pub fn sparing_nothing(mut self) -> Self {
        self.all = true;
        self
    }

    /// v1, v2 or hybrid.
    pub fn mode(&self) -> Mode {
        self.hierarchies.mode
    }

    /// Whether the containers' figures are in the v2 tree.
    pub(crate) fn is_v2(&self) -> bool {
        self.mode() == Mode::V2
    }

    /// A directory beneath which every cgroup of the host can be found: the memory hierarchy, or the only one there is.
    pub fn scan_root(&self) -> PathBuf {
        let tree = [Tree::Memory, Tree::Cpuacct, Tree::Cpu, Tree::Unified];
        let mount = tree.into_iter().find_map(|tree| self.hierarchies.mount(tree));
        mount.map_or_else(
            || self.roots.cgroup.clone(),
            |m| PathBuf::from(std::ffi::OsStr::from_bytes(&m.point)),
        )
    }

    /// CPUs online.
    pub fn cores(&self) -> Option<u64> {
        self.cores
    }

    /// Memory of the host, in bytes.
    pub fn memory(&self) -> Option<u64> {
        self.memory
    }

    /// What reading cost so far, and what went wrong.
    pub fn stats(&self) -> &ReadStats {
        &self.reader.stats
    }

    /// Descriptors that may still be held.
    pub fn budget_left(&self) -> usize {
        self.reader.budget.left()
    }

    /// Removed cgroups that the kernel still keeps (`cgroup.stat` of the v2 root): many of them make reading memory figures slow.
    pub fn dying_cgroups(&self) -> Option<u64> {
        let mount = self.hierarchies.mount(Tree::Unified)?;
        let root = Path::new(std::ffi::OsStr::from_bytes(&mount.point));
        let text = fs::read(root.join("cgroup.stat")).ok()?;
        let mut dying = None;
        let wanted = |key: &[u8]| (key == b"nr_dying_descendants").then_some(());
        let flaws = flat(&text, wanted, |(), count| dying = Some(count));
        dying.filter(|_| flaws.wrong == 0)
    }
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    Ok(open_dir(CWD, &path)?)
}

/// `MemTotal:       24684092 kB`, in bytes.
fn memory_total(meminfo: &[u8]) -> Option<u64> {
    let line = meminfo.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"MemTotal:"))?;
    number(next_word(line)?.0)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_memory() {
        assert_eq!(
            memory_total(b"MemTotal:       24684092 kB\nMemFree: 1 kB\n"),
            Some(25_276_510_208)
        );
        assert_eq!(memory_total(b"MemFree: 1 kB\nMemTotal: x kB\n"), None);
        assert_eq!(memory_total(b""), None);
    }

    #[test]
    fn errors_name_the_path_and_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let roots = |proc: &Path| Roots { proc: proc.to_owned(), ..Roots::default() };
        let error = Kernel::open(roots(dir.path()), Families::default(), false).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("self/mountinfo") && text.contains("proc_root"), "{text}");
        fs::create_dir_all(dir.path().join("self")).unwrap();
        fs::write(dir.path().join("self/mountinfo"), "1 2 0:1 / / rw - ext4 /dev/sda rw\n")
            .unwrap();
        let error = Kernel::open(roots(dir.path()), Families::default(), false).unwrap_err();
        assert!(error.to_string().contains("cgroup_root"), "{error}");
    }
}
