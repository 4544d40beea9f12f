//! A world with the two kinds of observers round it, and words to make what they say.

use crate::change::Change;
use crate::config::{Cluster, Kind};
use crate::reconcile::*;
use crate::world::World;
use common::api_types::*;
use common::container::{Health, LogVolume, Port, State};
use common::ids::{AppId, Cursor, InstanceId, NodeName};
use common::moment::Moment;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A world, what the nodes said, and every event so far.
pub(crate) struct Lab {
    pub world: World,
    pub view: NodeFactsView,
    pub events: Vec<Event>,
    prior: HashMap<NodeName, Arc<Seen>>,
    pub now: Moment,
}

/// Marathon `m1` in `dc1`; `dc2` has Docker alone.
pub(crate) fn clusters() -> Clusters {
    let cluster = |name: &str, dc: &str, kind| Cluster {
        name: name.into(),
        dc: dc.into(),
        kind,
        url: Vec::new(),
        user: None,
        password_file: None,
    };
    Clusters::new(&[cluster("m1", "dc1", Kind::Marathon), cluster("d2", "dc2", Kind::Docker)])
}

impl Lab {
    pub fn new() -> Self {
        Self {
            world: World::new(Cursor { epoch: "e".into(), seq: 0 }),
            view: NodeFactsView::new(clusters()),
            events: Vec::new(),
            prior: HashMap::new(),
            now: at(1_000),
        }
    }

    /// One after the other, each on the world that the one before left.
    pub fn apply(&mut self, changes: Vec<Change>) -> Vec<EventType> {
        let before = self.events.len();
        for change in changes {
            let Some(kind) = change.event_type(&self.world) else { continue };
            let (subject, payload) = match change {
                Change::Put(entity) | Change::Forget(entity) => {
                    (entity.key().to_owned(), json(&entity))
                }
                Change::Note { subject, payload, .. } => (subject, payload),
            };
            let event = Event {
                epoch: "e".into(),
                seq: self.world.cursor().seq + 1,
                time: self.now,
                kind,
                subject,
                actor: "test".into(),
                cause: String::new(),
                payload,
            };
            self.world.apply(&event);
            self.events.push(event);
        }
        self.events[before..].iter().map(|e| e.kind).collect()
    }

    /// A node in a dc reports.
    pub fn report(&mut self, node: &str, dc: &str, facts: DadvisorFacts) -> Vec<EventType> {
        self.report_told(node, dc, facts, &Told::default())
    }

    pub fn report_told(
        &mut self,
        node: &str,
        dc: &str,
        facts: DadvisorFacts,
        told: &Told,
    ) -> Vec<EventType> {
        let node = NodeName::new(node);
        let seen = Arc::new(Seen::new(dc, facts, self.view.clusters()));
        self.view.set(&node, Arc::clone(&seen));
        let prior = self.prior.insert(node.clone(), Arc::clone(&seen));
        let report =
            NodeReport { node: &node, seen: &seen, prior: prior.as_deref(), told, now: self.now };
        let changes = super::super::node(&self.world, &self.view, &report);
        self.apply(changes)
    }

    /// The prior report is forgotten, as by an API that starts on a copy without it.
    pub fn forget_prior(&mut self, node: &str) {
        self.prior.remove(&NodeName::new(node));
    }

    /// Marathon `m1` lists.
    pub fn list(&mut self, apps: Vec<ListedApp>, tasks: Vec<ListedTask>) -> Vec<EventType> {
        let facts = ClusterFacts { listing: self.listing(), apps, tasks };
        let changes = cluster(&self.world, &facts, &self.view);
        self.apply(changes)
    }

    pub fn listing(&self) -> Listing {
        Listing { cluster: "m1".into(), dc: "dc1".into(), at: self.now }
    }

    pub fn instance(&self, key: &str) -> &Instance {
        self.world.instance(key).unwrap_or_else(|| panic!("no {key}"))
    }

    pub fn keys(&self) -> Vec<&str> {
        self.world.instances().map(|i| i.key.as_str()).collect()
    }

    pub fn last(&self) -> &Event {
        self.events.last().unwrap()
    }

    /// The instance in the payload of the last event.
    pub fn last_instance(&self) -> Instance {
        serde_json::from_value(self.last().payload.clone()).unwrap()
    }
}

fn json(entity: &Entity) -> serde_json::Value {
    match entity {
        Entity::App(app) => serde_json::to_value(app),
        Entity::Instance(instance) => serde_json::to_value(instance),
        Entity::Node(node) => serde_json::to_value(node),
    }
    .unwrap()
}

pub(crate) fn at(seconds: u64) -> Moment {
    Moment::from_unix_ms(seconds * 1_000)
}

/// A Docker id that begins with this word of hex digits.
pub(crate) fn id(word: &str) -> String {
    format!("{word:0<64}")
}

/// A running container with one published port and one log volume.
pub(crate) fn container(word: &str, app: &str) -> ContainerFact {
    ContainerFact {
        id: id(word),
        name: word.into(),
        app: AppId::new(app),
        instance: InstanceId::new(&id(word)[..12]),
        task: None,
        state: State::Running,
        health: Health::Unknown,
        started_at: Some(at(100)),
        image: "web:1".into(),
        digest: "sha256:1".into(),
        restarts: 0,
        ports: vec![Port {
            address: "0.0.0.0".parse().unwrap(),
            port: 8080,
            container_port: 80,
            protocol: "tcp".into(),
        }],
        log_volumes: vec![LogVolume {
            source: format!("/logs/{word}"),
            target: "/qae/logs".into(),
        }],
        labels: BTreeMap::from([("qae.owner".to_owned(), "web team".to_owned())]),
        oom_kills: 0,
    }
}

/// The container of a Mesos task.
pub(crate) fn task_container(word: &str, app: &str, task: &str) -> ContainerFact {
    let instance = InstanceId::new(task);
    ContainerFact { task: Some(task.into()), instance, ..container(word, app) }
}

pub(crate) fn ended(container: ContainerFact, seconds: u64, code: i64) -> EndedFact {
    EndedFact { container, at: at(seconds), code: Some(code), oom: false }
}

/// A whole inventory of a host at 10.0.0.<n>.
pub(crate) fn facts(n: u8, containers: Vec<ContainerFact>, ended: Vec<EndedFact>) -> DadvisorFacts {
    let node = NodeFacts { address: format!("10.0.0.{n}"), ..NodeFacts::default() };
    DadvisorFacts { node, complete: true, containers, ended }
}

pub(crate) fn listed_app(app: &str, wanted: u32) -> ListedApp {
    ListedApp { id: AppId::new(app), labels: BTreeMap::new(), owner: None, wanted }
}

/// A running task of `m1`.
pub(crate) fn listed(task: &str, app: &str, host: &str) -> ListedTask {
    ListedTask {
        id: InstanceId::new(task),
        app: AppId::new(app),
        host: Some(host.into()),
        state: InstanceState::Running,
        health: Health::Healthy,
        started_at: Some(at(100)),
        ended_at: None,
        exit: None,
        backends: vec![Backend {
            address: host.into(),
            port: 31_000,
            container_port: None,
            name: None,
        }],
        version: Some("v1".into()),
        restarts: 0,
    }
}
