//! Finding a container's cgroup: by its process, else where its engine would have put it.

use super::{Error, Families, Group, Kernel};
use crate::kernel::hierarchy::place::{candidates, of_process, own_part};
use crate::kernel::hierarchy::{Mode, Mount, TREES, Tree};
use crate::kernel::network::{Member, Network};
use crate::kernel::process::PidPath;
use crate::kernel::read::files::{Files, cause_of};
use crate::kernel::read::stats::Family;
use crate::sample::Figures;
use common::container::{Container, Network as NetworkMode};
use rustix::fd::AsFd;
use std::ffi::CString;

/// A cgroup in one tree: its path below the mount.
type Place = (Tree, Vec<u8>);

impl Group {
    /// Finds and opens the container's cgroup.
    pub fn open(kernel: &mut Kernel, container: &Container) -> Result<Self, Error> {
        let mut found = None;
        if container.cgroup.is_none() {
            let places = by_process(kernel, container);
            found = open(kernel, &places);
        }
        let tried = candidates(container);
        for path in &tried {
            if found.is_none() {
                let everywhere: Vec<Place> =
                    Tree::ALL.iter().map(|tree| (*tree, path.as_bytes().to_vec())).collect();
                found = open(kernel, &everywhere);
            }
        }
        let Some((mut files, own_path)) = found else {
            return Err(Error::NoGroup {
                id: container.id.clone(),
                pid: container.pid,
                tried,
                root: kernel.roots.cgroup.clone(),
            });
        };
        files.end();
        let quiet = super::Quiet::new(files.inode());
        let member = Member {
            id: container.id.clone(),
            own: matches!(container.network, NetworkMode::Own | NetworkMode::None),
        };
        Ok(Self {
            id: container.id.clone(),
            files,
            network: Network::new(member, container.pid, own_path),
            carried: Figures::default(),
            memory_stat: super::Pace::default(),
            quiet,
            fresh: true,
        })
    }
}

impl Group {
    /// Whether it is there in every hierarchy that is read. One that was found while its cgroups were still being made is not; neither
    /// is one whose manager does without some of them.
    pub fn is_whole(&self, kernel: &Kernel) -> bool {
        let wanted = wanted(kernel.families, kernel.mode());
        Tree::ALL.into_iter().all(|tree| {
            let read = wanted[tree as usize] && kernel.hierarchies.mount(tree).is_some();
            !read || self.files.has(tree)
        })
    }
}

/// Where the container's process says it is, in every tree. Only paths that hold the container's id are believed: the engine's pid
/// may be another process by now.
fn by_process(kernel: &mut Kernel, container: &Container) -> Vec<Place> {
    let Some(pid) = container.pid else { return Vec::new() };
    let name = PidPath::new(pid, "/cgroup");
    let len = match kernel.reader.once(kernel.proc.as_fd(), name.as_c_str(), Family::Find) {
        Ok(len) => len,
        Err(errno) => {
            kernel.reader.stats.count(Family::Find, cause_of(errno), || {
                format!("/proc/{pid}/cgroup of {}: {errno}; looking by name", container.name)
            });
            return Vec::new();
        }
    };
    let places = of_process(kernel.reader.text(len));
    let in_tree = |tree: Tree| {
        let own = own_part(places[tree as usize]?, &container.id)?;
        Some((tree, kernel.hierarchies.mount(tree)?.below(own)?))
    };
    Tree::ALL.into_iter().filter_map(in_tree).collect()
}

/// Opens the places that matter. With them the group's path as `/proc/PID/cgroup` names it in the main tree.
fn open(kernel: &mut Kernel, places: &[Place]) -> Option<(Files, Vec<u8>)> {
    let wanted = wanted(kernel.families, kernel.mode());
    let Kernel { hierarchies, reader, hold, .. } = kernel;
    let paths =
        places.iter().filter(|(tree, _)| wanted[*tree as usize]).filter_map(|(tree, below)| {
            let mount = hierarchies.mount(*tree)?;
            let path = CString::new([&mount.point, &b"/"[..], below].concat()).ok()?;
            let depth = below.split(|b| *b == b'/').count();
            Some((*tree, path, u32::try_from(depth).unwrap_or(u32::MAX)))
        });
    let files = Files::open(paths, *hold, reader)?;
    let main = files.main();
    // the v2 half of a hybrid host alone has no figures but pressure
    if hierarchies.mode == Mode::Hybrid && main == Tree::Unified {
        return None;
    }
    let (_, below) = places.iter().find(|(tree, _)| *tree == main)?;
    let Mount { root, .. } = hierarchies.mount(main)?;
    let root = root.strip_suffix(b"/").unwrap_or(root);
    Some((files, [root, b"/", below].concat()))
}

/// The trees whose files are read with these families; all, if none would be.
fn wanted(families: Families, mode: Mode) -> [bool; TREES] {
    let wanted = Tree::ALL.map(|tree| match tree {
        Tree::Cpu | Tree::Cpuacct | Tree::Cpuset => families.cpu,
        Tree::Memory => families.memory || families.oom,
        Tree::Blkio => families.io,
        Tree::Pids => families.pids,
        Tree::Unified => families.pressure || mode == Mode::V2,
    });
    let any_v1 = wanted[..6].iter().any(|wanted| *wanted);
    if mode == Mode::V2 || any_v1 { wanted } else { [true; TREES] }
}
