//! Containers that are found by their cgroup alone: those of the Mesos containerizer, and plain cgroups (systemd units) that are asked for.
//!
//! One hierarchy is listed, names only. Nested containers are not containers of their own (`mesos/<parent>/mesos/<child>`, v2 `leaf`): the outer
//! cgroup holds their figures, so they are counted once. Bounded in depth by the patterns and in number by [`MAX_ENTRIES`]. Blocking, and short:
//! one readdir per directory, and for each cgroup a look whether its process is still there.

mod globs;

pub use globs::{GlobError, Globs};

use common::container::is_uuid;
use common::logging::Episode;
use std::collections::HashMap;
use std::io::Read;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::{fs, io};

/// Most directory entries looked at in one scan.
pub const MAX_ENTRIES: usize = 10_000;
/// How deep, and in how many directories, a cgroup's first process is searched for.
const PID_DEPTH: usize = 3;
const PID_DIRECTORIES: usize = 16;

/// Where and what is scanned.
#[derive(Debug, Clone)]
pub struct Places {
    /// Root of one hierarchy: `/sys/fs/cgroup/memory` on v1, `/sys/fs/cgroup` on v2.
    pub root: PathBuf,
    /// `/proc`.
    pub proc_root: PathBuf,
    /// The agent's `cgroups_root`, `mesos`.
    pub mesos_root: String,
    /// Plain cgroups that are asked for.
    pub plain: Globs,
}

/// What a cgroup belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A container of the Mesos containerizer, with its id.
    Mesos(String),
    /// A plain cgroup.
    Plain,
}

/// A cgroup that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Below the hierarchy's root, without a leading slash.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// The directory's inode: another one under the same path is another run.
    pub inode: u64,
    /// A process in it.
    pub pid: Option<u32>,
}

/// What scanning has met, since start.
#[derive(Debug, Default)]
pub struct ScanStats {
    /// Scans made.
    pub scans: AtomicU64,
    /// Directories that could not be listed.
    pub errors: AtomicU64,
    /// Scans that stopped at [`MAX_ENTRIES`].
    pub over_bound: AtomicU64,
    /// Names that are no text.
    pub foreign_names: AtomicU64,
}

/// Scans again and again, and remembers the processes.
#[derive(Debug)]
pub struct Scanner {
    places: Places,
    seen: HashMap<String, Found>,
    seeing: Episode,
    /// [`MAX_ENTRIES`].
    most: usize,
}

/// One scan under way.
struct Scan<'a> {
    places: &'a Places,
    stats: &'a ScanStats,
    left: usize,
    found: Vec<Found>,
    error: Option<String>,
}

impl Scanner {
    /// Scans these places.
    pub fn new(places: Places) -> Self {
        let root = places.root.display();
        let seeing = Episode::new(format!("finding every cgroup below {root}"));
        Self { places, seen: HashMap::new(), seeing, most: MAX_ENTRIES }
    }

    /// Whether the last scan saw everything.
    pub fn whole(&self) -> bool {
        !self.seeing.is_failing()
    }

    /// Everything that is there now, sorted by path.
    pub fn scan(&mut self, stats: &ScanStats) -> Vec<Found> {
        stats.scans.fetch_add(1, Relaxed);
        let mut scan =
            Scan { places: &self.places, stats, left: self.most, found: Vec::new(), error: None };
        scan.mesos();
        for glob in self.places.plain.iter() {
            scan.plain(String::new(), glob, 0);
        }
        if scan.left == 0 {
            stats.over_bound.fetch_add(1, Relaxed);
            scan.error.get_or_insert_with(|| {
                format!("more than {} directories, the rest is left out", self.most)
            });
        }
        match scan.error {
            Some(cause) => self.seeing.failed(&cause),
            None => self.seeing.recovered(),
        }
        let mut found = scan.found;
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        found.dedup_by(|a, b| a.path == b.path);
        for one in &mut found {
            let before = self.seen.get(&one.path).filter(|b| b.inode == one.inode);
            let alive = |pid: &u32| self.places.proc_root.join(pid.to_string()).exists();
            one.pid = before
                .and_then(|b| b.pid)
                .filter(alive)
                .or_else(|| self.places.first_pid(&one.path));
        }
        self.seen = found.iter().map(|f| (f.path.clone(), f.clone())).collect();
        found
    }
}

impl Scan<'_> {
    /// `<cgroups_root>/<uuid>`; everything else there (`slave`, `agent`) is the agent itself.
    fn mesos(&mut self) {
        let places = self.places;
        let root = places.mesos_root.trim_matches('/');
        for (name, inode) in self.list(root) {
            if is_uuid(&name) {
                let path = format!("{root}/{name}");
                self.found.push(Found { path, kind: Kind::Mesos(name), inode, pid: None });
            }
        }
    }

    /// Goes down one pattern, component by component.
    fn plain(&mut self, at: String, glob: &globs::Glob, depth: usize) {
        let Some(part) = glob.part(depth) else { return };
        let children = match part.literal() {
            Some(name) => self.one(&at, name).into_iter().collect(),
            None => self.list(&at),
        };
        for (name, inode) in children.into_iter().filter(|(name, _)| part.matches(name)) {
            let path = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
            if !glob.is_last(depth) {
                self.plain(path, glob, depth + 1);
            } else if glob.wants(&name) && !self.is_mesos(&path) {
                self.found.push(Found { path, kind: Kind::Plain, inode, pid: None });
            }
        }
    }

    fn is_mesos(&self, path: &str) -> bool {
        Path::new(path).starts_with(self.places.mesos_root.trim_matches('/'))
    }

    /// One child, if it is there.
    fn one(&mut self, at: &str, name: &str) -> Option<(String, u64)> {
        self.left = self.left.checked_sub(1)?;
        let metadata = fs::symlink_metadata(self.places.root.join(at).join(name)).ok()?;
        metadata.is_dir().then(|| (name.to_owned(), metadata.ino()))
    }

    /// Child directories with their inodes. A directory that is not there has none.
    fn list(&mut self, at: &str) -> Vec<(String, u64)> {
        let path = self.places.root.join(at);
        let mut children = Vec::new();
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) => {
                self.failed(&path, &e);
                return children;
            }
        };
        for entry in entries {
            if self.left == 0 {
                break;
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    self.failed(&path, &e);
                    break;
                }
            };
            if !entry.file_type().is_ok_and(|t| t.is_dir()) {
                continue;
            }
            self.left -= 1;
            match entry.file_name().into_string() {
                Ok(name) => children.push((name, entry.ino())),
                Err(name) => {
                    self.stats.foreign_names.fetch_add(1, Relaxed);
                    self.error.get_or_insert_with(|| {
                        format!("{name:?} in {} is no text", path.display())
                    });
                }
            }
        }
        children
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        // not there, or gone while it was listed
        let gone = Some(rustix::io::Errno::NODEV.raw_os_error());
        if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == gone {
            return;
        }
        self.stats.errors.fetch_add(1, Relaxed);
        self.error.get_or_insert_with(|| format!("{}: {error}", path.display()));
    }
}

impl Places {
    /// A process of the cgroup: in it, or below it (v2 keeps them in leaves).
    fn first_pid(&self, path: &str) -> Option<u32> {
        let mut level = vec![self.root.join(path)];
        let mut looked_at = 0;
        for _ in 0..PID_DEPTH {
            let mut below = Vec::new();
            for directory in level {
                looked_at += 1;
                if looked_at > PID_DIRECTORIES {
                    return None;
                }
                if let Some(pid) = pid_in(&directory.join("cgroup.procs")) {
                    return Some(pid);
                }
                let children = fs::read_dir(&directory).into_iter().flatten().flatten();
                below.extend(
                    children
                        .filter(|c| c.file_type().is_ok_and(|t| t.is_dir()))
                        .map(|c| c.path())
                        .take(PID_DIRECTORIES),
                );
            }
            level = below;
        }
        None
    }
}

/// The first process in a `cgroup.procs`. 0 stands for one of another pid namespace.
fn pid_in(path: &Path) -> Option<u32> {
    let mut head = [0; 16];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut head)).ok()?;
    let text = std::str::from_utf8(&head[..read]).ok()?;
    let (line, _) = text.split_once('\n')?;
    line.parse().ok().filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests;
