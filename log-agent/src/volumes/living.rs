//! The containers that run, of every engine, each under its own name. Pure.

use common::container::{Container, Source, mesos_container_id, part};
use common::mesos::{Names, Task};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What runs.
#[derive(Debug, Default)]
pub(super) struct Living {
    /// By id; those of Docker, and tasks that Docker does not run.
    pub(super) containers: Vec<Arc<Container>>,
    /// Docker containers that only the Mesos agent can name, which has not.
    pub(super) unnamed: Vec<String>,
}

/// Makes the list. `docker`: a Docker engine is followed, so its containers are not taken from the Mesos agent.
pub(super) fn living(docker: Option<&BTreeMap<String, Arc<Container>>>, names: &Names) -> Living {
    let mut all: BTreeMap<String, Arc<Container>> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for container in docker.into_iter().flat_map(BTreeMap::values) {
        let named = names.rename(container).map_or_else(|| Arc::clone(container), Arc::new);
        if Names::wanted_by(&named).is_some() {
            unnamed.push(named.id.clone());
        }
        all.insert(named.id.clone(), named);
    }
    let dockers: HashSet<&str> = docker
        .into_iter()
        .flat_map(BTreeMap::values)
        .filter_map(|c| mesos_container_id(&c.name))
        .collect();
    for (id, task) in names.iter() {
        let is_dockers = dockers.contains(id) || (task.docker && docker.is_some());
        if !is_dockers {
            all.insert(id.to_owned(), Arc::new(of_mesos(id, task)));
        }
    }
    // the suffix of the younger one is the same in every agent
    part(&mut all);
    Living { containers: all.into_values().collect(), unnamed }
}

fn of_mesos(id: &str, task: &Task) -> Container {
    let mut container = Container::new(id, Source::Mesos, task.app.clone(), task.instance.clone());
    container.task = Some(task.id.clone());
    container.started_at_ms = task.started_at_ms;
    container.log_volumes.clone_from(&task.log_volumes);
    container.labels.clone_from(&task.labels);
    container
}
