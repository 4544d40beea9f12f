//! Where the cgroup hierarchies are mounted: `/proc/self/mountinfo` in, [`Hierarchies`] out. Pure.
//!
//! Never a guess: cpu and cpuacct may be one mount, two, or named in either order; a mount may show only a part of its hierarchy
//! (`root` is not `/`: a bind mount, or a private cgroup namespace). Paths are bytes, as the kernel gives them. A line that cannot be
//! read is passed over, not the whole file (which is why this is not `procfs-core`: one odd line there fails all mounts).

pub mod place;

#[cfg(test)]
mod tests;

use crate::kernel::mountinfo;
use std::os::unix::ffi::OsStringExt;

/// A hierarchy that a file of a container can live in: a v1 controller, or the unified tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tree {
    /// v1 `cpu`: quota and throttling.
    Cpu,
    /// v1 `cpuacct`: CPU time.
    Cpuacct,
    /// v1 `memory`.
    Memory,
    /// v1 `blkio`.
    Blkio,
    /// v1 `pids`.
    Pids,
    /// v1 `cpuset`.
    Cpuset,
    /// v2, or the v2 half of a hybrid host.
    Unified,
}

/// How many trees there are.
pub const TREES: usize = Tree::ALL.len();

impl Tree {
    /// Every tree; the position is the index used in arrays over trees.
    pub const ALL: [Self; 7] = [
        Self::Cpu,
        Self::Cpuacct,
        Self::Memory,
        Self::Blkio,
        Self::Pids,
        Self::Cpuset,
        Self::Unified,
    ];

    /// The controller's name in mount options and `/proc/PID/cgroup`; `unified` for the v2 tree.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Memory => "memory",
            Self::Blkio => "blkio",
            Self::Pids => "pids",
            Self::Cpuset => "cpuset",
            Self::Unified => "unified",
        }
    }

    /// The v1 controller of this name.
    fn of_controller(name: &[u8]) -> Option<Self> {
        Self::ALL[..6].iter().copied().find(|tree| tree.name().as_bytes() == name)
    }
}

/// Which generation of cgroups holds the controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Controllers on v1, no v2 tree.
    V1,
    /// Everything on v2.
    V2,
    /// Controllers on v1, and a v2 tree beside them that has pressure.
    Hybrid,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Directory it is mounted at.
    pub point: Vec<u8>,
    /// The part of the hierarchy that is visible there; `/` is all of it.
    pub root: Vec<u8>,
}

impl Mount {
    /// Path below [`Mount::point`] of the cgroup `path` (as `/proc/PID/cgroup` names it), without a leading slash. None if it is not
    /// visible here, or is the root itself: the root's figures are the host's, never a container's.
    pub fn below(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut rest = components(path);
        for part in components(&self.root) {
            if rest.next() != Some(part) {
                return None;
            }
        }
        let rest: Vec<&[u8]> = rest.collect();
        if rest.is_empty() || rest.contains(&&b".."[..]) {
            return None;
        }
        Some(rest.join(&b'/'))
    }
}

/// What is mounted where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchies {
    /// v1, v2 or both.
    pub mode: Mode,
    mounts: [Option<Mount>; TREES],
}

impl Hierarchies {
    /// The mount of a tree. Co-mounted controllers have equal mounts.
    pub fn mount(&self, tree: Tree) -> Option<&Mount> {
        self.mounts[tree as usize].as_ref()
    }

    /// Reads `/proc/self/mountinfo`. `cgroup_root` is where the hierarchies are looked for: mounts beneath it win; else those beneath
    /// `/sys/fs/cgroup`, as if they were beneath it (another process's mountinfo, a fixture tree); else, where it is the usual
    /// `/sys/fs/cgroup`, mounts anywhere. None if there is no cgroup mount at all.
    pub fn parse(mountinfo: &[u8], cgroup_root: &[u8]) -> Option<Self> {
        let cgroup_root = trim_slash(cgroup_root);
        let mut best: [Option<(Rank, Mount)>; TREES] = [const { None }; TREES];
        for mount in mountinfo::parse(mountinfo).0 {
            let trees = trees(&mount);
            let point = mount.point.into_os_string().into_vec();
            let Some((place, point)) = placed(&point, cgroup_root) else { continue };
            let root = mount.root.into_os_string().into_vec();
            let rank = (place, root != b"/");
            let found = Mount { point, root };
            for tree in trees.iter().zip(Tree::ALL).filter_map(|(on, t)| on.then_some(t)) {
                let slot = &mut best[tree as usize];
                // a later mount at the same point lies over the earlier one
                let better = slot.as_ref().is_none_or(|(r, had)| {
                    rank < *r || (rank.0 == r.0 && had.point == found.point)
                });
                if better {
                    *slot = Some((rank, found.clone()));
                }
            }
        }
        let mounts = best.map(|slot| slot.map(|(_, mount)| mount));
        let v1 = mounts[..6].iter().any(Option::is_some);
        let mode = match (v1, mounts[Tree::Unified as usize].is_some()) {
            (true, true) => Mode::Hybrid,
            (true, false) => Mode::V1,
            (false, true) => Mode::V2,
            (false, false) => return None,
        };
        Some(Self { mode, mounts })
    }
}

/// Where a mount lies (0 is best), then whether it shows only a part.
type Rank = (u8, bool);

const USUAL_ROOT: &[u8] = b"/sys/fs/cgroup";

fn placed(point: &[u8], cgroup_root: &[u8]) -> Option<(u8, Vec<u8>)> {
    if beneath(point, cgroup_root).is_some() {
        return Some((0, point.to_vec()));
    }
    if let Some(rest) = beneath(point, USUAL_ROOT) {
        return Some((1, [cgroup_root, rest].concat()));
    }
    (cgroup_root == USUAL_ROOT).then(|| (2, point.to_vec()))
}

/// What follows `root` in `path`: empty, or beginning with a slash.
fn beneath<'a>(path: &'a [u8], root: &[u8]) -> Option<&'a [u8]> {
    path.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn trim_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// The names in a path; empty ones and `.` left out.
fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// The trees that a mount has.
fn trees(mount: &mountinfo::Mount) -> [bool; TREES] {
    let mut trees = [false; TREES];
    match mount.fs_type.as_str() {
        "cgroup2" => trees[Tree::Unified as usize] = true,
        "cgroup" => {
            for tree in mount.options().filter_map(Tree::of_controller) {
                trees[tree as usize] = true;
            }
        }
        _ => {}
    }
    trees
}
