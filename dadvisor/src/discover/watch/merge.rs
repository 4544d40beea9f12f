//! Three sources, one list. Pure.

use crate::discover::cgroup_scan::{Found, Kind};
use common::container::{Container, Network, Source, is_id, mesos_container_id, part};
use common::docker::Inventory;
use common::ids::{AppId, InstanceId, NodeName};
use common::mesos::Names;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What systemd calls its cgroups.
const UNIT_KINDS: [&str; 5] = [".service", ".scope", ".slice", ".mount", ".socket"];

/// The list, and what is remarkable about it.
#[derive(Debug, Default)]
pub struct Merged {
    /// Sorted by id, each id once.
    pub containers: Vec<Arc<Container>>,
    /// Mesos containers without a name.
    pub unnamed: usize,
    /// Containers whose instance got a suffix, `app/instance`.
    pub collisions: Vec<String>,
}

/// Makes the list. Containers that are as they were `before` (sorted by id) are the same `Arc`.
pub fn merge(
    docker: &Inventory,
    found: &[Found],
    names: &Names,
    node: &NodeName,
    before: &[Arc<Container>],
) -> Merged {
    let mut merged = Merged::default();
    let mut all: BTreeMap<String, Arc<Container>> = BTreeMap::new();
    for container in docker.containers.values() {
        let named = names.rename(container).map_or_else(|| Arc::clone(container), Arc::new);
        merged.unnamed += usize::from(Names::wanted_by(&named).is_some());
        all.insert(named.id.clone(), named);
    }
    // a Docker task of Mesos is Docker's, whatever cgroups the agent made for it
    let dockers: HashSet<&str> =
        docker.containers.values().filter_map(|c| mesos_container_id(&c.name)).collect();
    for one in found {
        match &one.kind {
            Kind::Mesos(id) if !dockers.contains(id.as_str()) => {
                merged.unnamed += usize::from(names.get(id).is_none());
                all.insert(id.clone(), Arc::new(mesos(one, id, names)));
            }
            Kind::Plain if !is_docker(&one.path, docker) => {
                all.insert(one.path.clone(), Arc::new(plain(one, node)));
            }
            Kind::Mesos(_) | Kind::Plain => {}
        }
    }
    merged.collisions = part(&mut all);
    let same = |c: Arc<Container>| match before.binary_search_by(|b| b.id.cmp(&c.id)) {
        Ok(at) if before[at] == c => Arc::clone(&before[at]),
        _ => c,
    };
    merged.containers = all.into_values().map(same).collect();
    merged
}

/// True for the cgroup of a container that Docker has told of: `docker-<id>.scope`, or `<id>`.
fn is_docker(path: &str, docker: &Inventory) -> bool {
    path.split('/').any(|name| {
        let id =
            name.strip_prefix("docker-").and_then(|n| n.strip_suffix(".scope")).unwrap_or(name);
        is_id(id) && docker.containers.contains_key(id)
    })
}

fn mesos(found: &Found, id: &str, names: &Names) -> Container {
    let mut container = bare(found, Source::Mesos, id, id);
    let Some(task) = names.get(id) else {
        container.app = AppId::new(format!("mesos/{id}"));
        return container;
    };
    container.app = task.app.clone();
    container.instance = task.instance.clone();
    container.task = Some(task.id.clone());
    container.health = task.health;
    // the agent's word is as old as its answer; the scan has looked now
    container.pid = found.pid.or(task.pid);
    container.started_at_ms = task.started_at_ms;
    container.image.clone_from(&task.image);
    container.network = task.network.clone();
    container.addresses.clone_from(&task.addresses);
    container.log_volumes.clone_from(&task.log_volumes);
    container.labels.clone_from(&task.labels);
    container
}

/// `system.slice/ssh.service` is instance `<node>` of app `systemd/ssh`; what is no unit goes by its path.
fn plain(found: &Found, node: &NodeName) -> Container {
    let name = found.path.rsplit_once('/').map_or(found.path.as_str(), |(_, name)| name);
    let mut container = bare(found, Source::Cgroup, &found.path, name);
    let unit = UNIT_KINDS.iter().find_map(|kind| name.strip_suffix(kind)).filter(|u| !u.is_empty());
    container.app = AppId::new(
        unit.map_or_else(|| format!("cgroup/{}", found.path), |unit| format!("systemd/{unit}")),
    );
    container.instance = InstanceId::new(node.as_str());
    container
}

/// What the cgroup alone says.
fn bare(found: &Found, source: Source, id: &str, name: &str) -> Container {
    Container {
        name: name.to_owned(),
        pid: found.pid,
        network: Network::Host,
        cgroup: Some(found.path.clone()),
        ..Container::new(id, source, AppId::new(id), InstanceId::new(id))
    }
}

#[cfg(test)]
mod tests;
