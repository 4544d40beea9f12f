//! The state of the centre in memory, at a cursor: what the events up to there have made. Pure.
//!
//! Every process of the API holds one. It is loaded from the store at the start and from then on changed only by events, in the order of
//! their numbers, in the way every follower of the bus changes its copy.

use common::api_types::{AppSpec, Effect, Entity, Event, Instance, Kind, Node};
use common::ids::{AppId, Cursor, NodeName};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// Apps, nodes, and the instances that have not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    cursor: Cursor,
    apps: BTreeMap<AppId, Arc<AppSpec>>,
    instances: BTreeMap<String, Arc<Instance>>,
    nodes: BTreeMap<NodeName, Arc<Node>>,
    by_app: HashMap<AppId, BTreeSet<String>>,
    by_node: HashMap<NodeName, BTreeSet<String>>,
}

impl World {
    /// An empty one.
    pub fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            apps: BTreeMap::new(),
            instances: BTreeMap::new(),
            nodes: BTreeMap::new(),
            by_app: HashMap::new(),
            by_node: HashMap::new(),
        }
    }

    /// The last event in it.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Takes in the next event. One that was taken in before changes nothing.
    pub fn apply(&mut self, event: &Event) {
        if event.seq <= self.cursor.seq {
            return;
        }
        match event.effect() {
            Some(Effect::Put(entity)) => self.put(entity),
            Some(Effect::Forget(entity)) => self.forget(&entity),
            None => {}
        }
        self.cursor.seq = event.seq;
    }

    /// Enters an entity, as read from the store.
    pub fn put(&mut self, entity: Entity) {
        match entity {
            Entity::App(app) => {
                self.apps.insert(app.id.clone(), Arc::new(app));
            }
            Entity::Node(node) => {
                self.nodes.insert(node.name.clone(), Arc::new(node));
            }
            Entity::Instance(instance) => {
                self.forget_instance(&instance.key);
                self.put_instance(Arc::from(instance));
            }
        }
    }

    fn put_instance(&mut self, instance: Arc<Instance>) {
        let key = instance.key.clone();
        self.by_app.entry(instance.app.clone()).or_default().insert(key.clone());
        if let Some(node) = &instance.node {
            self.by_node.entry(node.clone()).or_default().insert(key.clone());
        }
        self.instances.insert(key, instance);
    }

    /// Makes these entities what they are in `other`, present or not, and the cursor too; the entities themselves are shared.
    pub fn adopt<'a>(&mut self, other: &Self, touched: impl IntoIterator<Item = (Kind, &'a str)>) {
        for (kind, key) in touched {
            match kind {
                Kind::App => adopt(&mut self.apps, &other.apps, AppId::new(key)),
                Kind::Node => adopt(&mut self.nodes, &other.nodes, NodeName::new(key)),
                Kind::Instance => {
                    self.forget_instance(key);
                    if let Some(instance) = other.instances.get(key) {
                        self.put_instance(Arc::clone(instance));
                    }
                }
            }
        }
        self.cursor = other.cursor.clone();
    }

    fn forget(&mut self, entity: &Entity) {
        match entity {
            Entity::App(app) => {
                self.apps.remove(&app.id);
            }
            Entity::Node(node) => {
                self.nodes.remove(&node.name);
            }
            Entity::Instance(instance) => self.forget_instance(&instance.key),
        }
    }

    fn forget_instance(&mut self, key: &str) {
        let Some(instance) = self.instances.remove(key) else { return };
        unlist(&mut self.by_app, &instance.app, key);
        if let Some(node) = &instance.node {
            unlist(&mut self.by_node, node, key);
        }
    }

    /// All apps, by id.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<AppSpec>> {
        self.apps.values()
    }

    /// One app.
    pub fn app(&self, id: &AppId) -> Option<&Arc<AppSpec>> {
        self.apps.get(id)
    }

    /// All instances, by key.
    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances.values()
    }

    /// One instance, by key.
    pub fn instance(&self, key: &str) -> Option<&Arc<Instance>> {
        self.instances.get(key)
    }

    /// Instances whose key begins so, by key: `cluster/` has all of a cluster, `cluster/node/` those of a node without a scheduler.
    pub fn instances_beneath<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Instance>> {
        self.instances
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(_, instance)| instance)
    }

    /// Instances of an app, by key.
    pub fn of_app(&self, app: &AppId) -> impl Iterator<Item = &Arc<Instance>> {
        self.listed(self.by_app.get(app))
    }

    /// Instances on a node, by key.
    pub fn on_node(&self, node: &NodeName) -> impl Iterator<Item = &Arc<Instance>> {
        self.listed(self.by_node.get(node))
    }

    fn listed<'a>(
        &'a self,
        keys: Option<&'a BTreeSet<String>>,
    ) -> impl Iterator<Item = &'a Arc<Instance>> {
        keys.into_iter().flatten().filter_map(|key| self.instances.get(key))
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    /// One node.
    pub fn node(&self, name: &NodeName) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }
}

fn adopt<K: Ord, V>(to: &mut BTreeMap<K, Arc<V>>, from: &BTreeMap<K, Arc<V>>, key: K) {
    match from.get(&key) {
        Some(entity) => to.insert(key, Arc::clone(entity)),
        None => to.remove(&key),
    };
}

fn unlist<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<String>>, of: &K, key: &str) {
    if let Some(keys) = index.get_mut(of) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(of);
        }
    }
}
