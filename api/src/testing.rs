//! What tests of this crate begin with: small apps, instances, nodes, and any changes of them.

use crate::change::Change;
use common::api_types::{
    Agent, AgentState, AppSpec, Entity, EventType, Instance, InstanceState, Node,
};
use common::container::Health;
use common::ids::{AppId, InstanceId, NodeName};
use proptest::prelude::*;

/// An app without anything.
pub(crate) fn app(id: &str) -> AppSpec {
    AppSpec { id: AppId::new(id), labels: Default::default(), owner: None, dcs: Vec::new() }
}

/// A running instance.
pub(crate) fn instance(key: &str, app: &str, node: Option<&str>) -> Instance {
    let id = InstanceId::new(key.rsplit('/').next().unwrap_or(key));
    let (app, state) = (AppId::new(app), InstanceState::Running);
    let instance = Instance::new(key.into(), id, app, ("dc1", "c"), state);
    Instance { node: node.map(NodeName::new), ..instance }
}

/// A node with agents, of which some are silent.
pub(crate) fn node(name: &str, silent: &[bool]) -> Node {
    let agent = |(n, silent): (usize, &bool)| Agent {
        name: format!("agent{n}"),
        version: "1".into(),
        address: "h:1".into(),
        tls: false,
        state: AgentState::Running,
        note: String::new(),
        silent: *silent,
    };
    Node {
        name: NodeName::new(name),
        dc: "dc1".into(),
        agents: silent.iter().enumerate().map(agent).collect(),
    }
}

/// Up to so many changes, of few things, so that they meet.
pub(crate) fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 0..most)
}

fn change() -> impl Strategy<Value = Change> {
    let apps = || prop::sample::select(vec!["a/x", "a/y", "b"]);
    let nodes = || prop::option::of(prop::sample::select(vec!["n0", "n1", "n2"]));
    let states = prop::sample::select(vec![
        InstanceState::Staging,
        InstanceState::Running,
        InstanceState::Ended,
    ]);
    let healths = prop::sample::select(vec![Health::Unknown, Health::Healthy, Health::Unhealthy]);
    let instances =
        (0..4u8, apps(), nodes(), states, healths).prop_map(|(key, app, node, state, health)| {
            Instance { state, health, ..instance(&format!("c/{key}"), app, node) }
        });
    let instances = instances.boxed();
    let entity = |instance| Entity::Instance(Box::new(instance));
    prop_oneof![
        6 => instances.clone().prop_map(move |i| Change::Put(entity(i))),
        2 => instances.clone().prop_map(move |i| Change::Forget(entity(i))),
        1 => instances.prop_map(|i| Change::Note {
            kind: EventType::OomKilled,
            subject: i.key.clone(),
            payload: serde_json::to_value(i).unwrap_or_default(),
        }),
        2 => (apps(), prop::option::of("[ab]")).prop_map(|(id, owner)| {
            Change::Put(Entity::App(AppSpec { owner, ..app(id) }))
        }),
        1 => apps().prop_map(|id| Change::Forget(Entity::App(app(id)))),
        2 => (0..3u8, prop::collection::vec(any::<bool>(), 0..3))
            .prop_map(|(n, silent)| Change::Put(Entity::Node(node(&format!("n{n}"), &silent)))),
    ]
}
