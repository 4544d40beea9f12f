//! Which cgroup a container is in: its path in each tree from `/proc/PID/cgroup`, else the paths its engine would have given it. Pure.

use super::{TREES, Tree};
use common::container::Container;

/// The path of a process in every tree, from `/proc/PID/cgroup` (`4:memory:/docker/...`, `0::/system.slice/...`).
/// A removed cgroup (` (deleted)`) has none.
pub fn of_process(text: &[u8]) -> [Option<&[u8]>; TREES] {
    let mut places = [None; TREES];
    for line in text.split(|b| *b == b'\n') {
        let mut parts = line.splitn(3, |b| *b == b':');
        let (Some(id), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if !path.starts_with(b"/") || path.ends_with(b" (deleted)") {
            continue;
        }
        if id == b"0" && controllers.is_empty() {
            places[Tree::Unified as usize] = Some(path);
        }
        for tree in controllers.split(|b| *b == b',').filter_map(Tree::of_controller) {
            places[tree as usize] = Some(path);
        }
    }
    places
}

/// Shortest id that is looked for inside a path: shorter ones would match by accident.
const SHORTEST_ID: usize = 12;

/// The container's own cgroup on the way to where its process is: up to and with the outermost component that holds `id`. What runs
/// inside may have moved further down (docker-in-docker, systemd in the container, `libpod-<id>.scope/container`). None if no
/// component holds the id: then the process is not, or no longer, the container's.
pub fn own_part<'a>(path: &'a [u8], id: &str) -> Option<&'a [u8]> {
    let id = id.as_bytes();
    if id.len() < SHORTEST_ID {
        return None;
    }
    let mut end = 0;
    for part in path.split(|b| *b == b'/') {
        end += part.len();
        if part.windows(id.len()).any(|window| window == id) {
            return Some(&path[..end]);
        }
        end += 1;
    }
    None
}

/// Whether `path` is the cgroup `own` or lies beneath it.
pub fn is_within(path: &[u8], own: &[u8]) -> bool {
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Paths below a hierarchy's root where the engine would put this container, likeliest first: for when its process is gone or hidden.
pub fn candidates(container: &Container) -> Vec<String> {
    if let Some(cgroup) = &container.cgroup {
        return clean(cgroup).into_iter().collect();
    }
    let id = &container.id;
    let mut found = Vec::new();
    match container.cgroup_parent.as_deref().and_then(clean) {
        Some(parent) => {
            if let Some(slice) = expand_slice(&parent) {
                found.push(format!("{slice}/docker-{id}.scope"));
            }
            found.push(format!("{parent}/{id}"));
        }
        None => {
            found.push(format!("docker/{id}"));
            found.push(format!("system.slice/docker-{id}.scope"));
        }
    }
    found.push(format!("machine.slice/libpod-{id}.scope"));
    found
}

/// Without outer slashes; None if nothing is left or a component would lead elsewhere.
fn clean(path: &str) -> Option<String> {
    let path = path.trim_matches('/');
    let leads_away = |part: &str| part.is_empty() || part == "." || part == "..";
    (!path.is_empty() && !path.split('/').any(leads_away)).then(|| path.to_owned())
}

/// systemd's path of a slice: `a-b.slice` lies in `a.slice/a-b.slice`.
fn expand_slice(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".slice").filter(|stem| !stem.contains('/'))?;
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    let parts: Vec<String> =
        ends.filter(|end| *end > 0).map(|end| format!("{}.slice", &stem[..end])).collect();
    Some(parts.join("/"))
}
