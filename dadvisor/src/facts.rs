//! What dadvisor tells the centre of this node: who runs here, who ended lately and how. Pure.
//!
//! Docker's containers and those of Mesos; plain cgroups are no instances of anything. A container that goes by its id for want of a name
//! is left out until it has one, and the facts are not complete as long as one is: nobody is to be taken as ended for that.

use crate::discover::watch::Seen;
use common::api_types::{ContainerFact, DadvisorFacts, EndedFact, NodeFacts};
use common::container::{Container, Source};
use common::docker::{Engine, Event};
use common::mesos::Names;
use common::moment::Moment;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Most ends that are told of.
const MOST_ENDED: usize = 200;
/// For how long an end is told.
const ENDED_FOR: Duration = Duration::from_secs(3_600);
/// Most containers remembered that left the list before their end was heard of.
const MOST_LEFT: usize = 256;

/// What is known.
#[derive(Debug, Default)]
pub struct Facts {
    seen: Seen,
    kills: Arc<BTreeMap<String, u64>>,
    /// The latest ends, oldest first.
    ended: VecDeque<EndedFact>,
    /// Containers that left the list, by id, as they last were on it: named, unlike what the engine alone says of them.
    left: HashMap<String, Arc<Container>>,
}

impl Facts {
    /// The list has changed.
    pub fn see(&mut self, seen: Seen) {
        let here = |id: &str| seen.containers.binary_search_by(|c| c.id.as_str().cmp(id)).is_ok();
        if self.left.len() > MOST_LEFT {
            self.left.clear();
        }
        for container in self.seen.containers.iter().filter(|c| !here(&c.id)) {
            self.left.insert(container.id.clone(), Arc::clone(container));
        }
        self.seen = seen;
    }

    /// OOM kills by container.
    pub fn count(&mut self, kills: Arc<BTreeMap<String, u64>>) {
        self.kills = kills;
    }

    /// The engine told something. True if it is an end, or belongs to one.
    pub fn hear(&mut self, event: &Event, now: Moment) -> bool {
        match event {
            Event::Died { container, exit_code, oom_killed, .. } => {
                let mut fact = self.fact(self.named(container));
                let code = *exit_code;
                // a child of its was killed, while it ended well by itself
                let oom = *oom_killed && code != Some(0);
                fact.oom_kills = fact.oom_kills.max(oom.into());
                self.left.remove(&container.id);
                if self.ended.len() == MOST_ENDED {
                    self.ended.pop_front();
                }
                self.ended.push_back(EndedFact { container: fact, at: now, code, oom });
                true
            }
            Event::Oom { container } => {
                let started = container.started_at_ms.map(Moment::from_unix_ms);
                let of_this_run = |e: &&mut EndedFact| {
                    e.container.id == container.id && e.container.started_at == started
                };
                match self.ended.iter_mut().rev().find(of_this_run) {
                    Some(end) if end.code != Some(0) => {
                        end.container.oom_kills = end.container.oom_kills.max(1);
                        !std::mem::replace(&mut end.oom, true)
                    }
                    _ => false,
                }
            }
            Event::Started { .. } | Event::Updated { .. } => false,
        }
    }

    /// Drops the ends that are too old. True if there were any.
    pub fn expire(&mut self, now: Moment) -> bool {
        let before = self.ended.len();
        self.ended.retain(|end| now.since(end.at) < ENDED_FOR);
        self.ended.len() != before
    }

    /// How the engine is.
    pub fn engine(&self) -> &Engine {
        &self.seen.engine
    }

    /// All of it, as it is told.
    pub fn told(&self, node: &NodeFacts) -> DadvisorFacts {
        let docker = match &self.seen.engine {
            Engine::Up { version } => version.clone(),
            // what it was is as good as what it will be
            Engine::Unknown | Engine::Gone { .. } | Engine::Hung => node.docker.clone(),
        };
        // of one that ended the list may be a moment behind
        let over: HashMap<&str, Option<Moment>> =
            self.ended.iter().map(|e| (e.container.id.as_str(), e.container.started_at)).collect();
        let ran = |c: &&Arc<Container>| {
            over.get(c.id.as_str()) != Some(&c.started_at_ms.map(Moment::from_unix_ms))
        };
        DadvisorFacts {
            node: NodeFacts { docker, ..node.clone() },
            complete: self.seen.complete,
            containers: self
                .seen
                .containers
                .iter()
                .filter(|c| is_told(c))
                .filter(ran)
                .map(|c| self.fact(c))
                .collect(),
            ended: self.ended.iter().cloned().collect(),
        }
    }

    /// The container as it was listed: the engine does not know what the Mesos agent calls it.
    fn named<'a>(&'a self, container: &'a Container) -> &'a Container {
        let listed = &self.seen.containers;
        let here = listed.binary_search_by(|c| c.id.cmp(&container.id)).ok().map(|at| &listed[at]);
        let same_run = |c: &&Arc<Container>| c.started_at_ms == container.started_at_ms;
        here.filter(same_run)
            .or_else(|| self.left.get(&container.id).filter(same_run))
            .map_or(container, |c| c.as_ref())
    }

    fn fact(&self, container: &Container) -> ContainerFact {
        ContainerFact {
            id: container.id.clone(),
            name: container.name.clone(),
            app: container.app.clone(),
            instance: container.instance.clone(),
            task: container.task.clone(),
            state: container.state,
            health: container.health,
            started_at: container.started_at_ms.map(Moment::from_unix_ms),
            image: container.image.clone(),
            digest: container.image_id.clone(),
            restarts: container.restarts,
            ports: container.ports.clone(),
            log_volumes: container.log_volumes.clone(),
            labels: container.labels.clone(),
            oom_kills: self.kills.get(&container.id).copied().unwrap_or(0),
        }
    }
}

/// Whether it is somebody's, under its own name.
fn is_told(container: &Container) -> bool {
    match container.source {
        Source::Docker => Names::wanted_by(container).is_none(),
        Source::Mesos => container.task.is_some(),
        Source::Cgroup => false,
    }
}

#[cfg(test)]
mod tests;
