//! What the nodes' dadvisors said last, indexed the way schedulers ask: who has this task, what is this host called.

use super::clusters::Clusters;
use super::seen::{Seen, TaskContainer};
use common::ids::{AppId, NodeName};
use common::moment::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// The last word of every node, and the clusters it is judged by.
#[derive(Debug, Default)]
pub struct NodeFactsView {
    clusters: Clusters,
    nodes: HashMap<NodeName, Arc<Seen>>,
    /// Nodes that have, or lately had, a container of a task.
    tasks: HashMap<String, BTreeSet<NodeName>>,
    /// Nodes by what else they are called: their address, the first label of their name.
    aliases: HashMap<String, BTreeSet<NodeName>>,
    /// Containers of an app that no scheduler defines, the newest last: that one's labels are the app's.
    plain: HashMap<AppId, BTreeSet<(Option<Moment>, NodeName, String)>>,
}

/// What a node says of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word<'a> {
    /// Nothing: it is not known, or its list is not whole. What was known stays.
    None,
    /// There is no container of it.
    Absent,
    /// This is its container.
    Container(TaskContainer<'a>),
}

impl NodeFactsView {
    /// Nothing is known of any node.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters, ..Self::default() }
    }

    /// Who schedules what.
    pub fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// What a node said last.
    pub fn get(&self, node: &NodeName) -> Option<&Arc<Seen>> {
        self.nodes.get(node)
    }

    /// Takes in what a node says now, in place of what it said before.
    pub fn set(&mut self, node: &NodeName, seen: Arc<Seen>) {
        self.unset(node);
        for task in seen.tasks() {
            self.tasks.entry(task.to_owned()).or_default().insert(node.clone());
        }
        for alias in aliases(node, &seen) {
            self.aliases.entry(alias.to_owned()).or_default().insert(node.clone());
        }
        for container in seen.plain() {
            let entry = (container.started_at, node.clone(), container.id.clone());
            self.plain.entry(container.app.clone()).or_default().insert(entry);
        }
        self.nodes.insert(node.clone(), seen);
    }

    /// What a node said does not count any more.
    pub fn forget(&mut self, node: &NodeName) {
        self.unset(node);
    }

    fn unset(&mut self, node: &NodeName) {
        let Some(seen) = self.nodes.remove(node) else { return };
        for task in seen.tasks() {
            take(&mut self.tasks, task, node);
        }
        for alias in aliases(node, &seen) {
            take(&mut self.aliases, alias, node);
        }
        for container in seen.plain() {
            let entry = (container.started_at, node.clone(), container.id.clone());
            take(&mut self.plain, &container.app, &entry);
        }
    }

    /// Labels of an app of plain containers: those of the container that started last, wherever.
    pub(super) fn labels(&self, app: &AppId) -> Option<&BTreeMap<String, String>> {
        let (_, node, id) = self.plain.get(app)?.last()?;
        Some(&self.nodes.get(node)?.container(id)?.labels)
    }

    /// The node that a scheduler calls `host`: by its name, its address, or its name with or without the domain. None if no node, or
    /// more than one, could be meant.
    pub fn node_of(&self, dc: &str, host: &str) -> Option<NodeName> {
        let known = |name: &NodeName| self.nodes.get(name).is_some_and(|seen| seen.dc() == dc);
        let exact = NodeName::new(host);
        if known(&exact) {
            return Some(exact);
        }
        if let Some(called) = self.aliases.get(host) {
            let mut meant = called.iter().filter(|name| known(name));
            return meant.next().filter(|_| meant.next().is_none()).cloned();
        }
        let short = NodeName::new(first_label(host)?);
        known(&short).then_some(short)
    }

    /// Where a task of a scheduler runs, and what that node says of it. A node known by that name is asked alone, so that no other
    /// one can claim the task; only a host that nobody goes by is looked for by who has the task.
    pub(super) fn task(
        &self,
        dc: &str,
        task: &str,
        host: Option<&str>,
    ) -> (Option<NodeName>, Word<'_>) {
        let Some(host) = host else { return (None, Word::None) };
        if let Some(node) = self.node_of(dc, host) {
            let word = self.nodes.get(&node).map_or(Word::None, |seen| seen.word(task));
            return (Some(node), word);
        }
        let having = self.tasks.get(task).into_iter().flatten().filter_map(|name| {
            let seen = self.nodes.get(name).filter(|seen| seen.dc() == dc)?;
            Some((seen.task(task)?, name))
        });
        match having.max_by(|(a, _), (b, _)| a.rank().cmp(&b.rank())) {
            Some((container, name)) => (Some(name.clone()), Word::Container(container)),
            None => (Some(NodeName::new(host)), Word::None),
        }
    }
}

/// What else a node is called.
fn aliases<'a>(node: &'a NodeName, seen: &'a Seen) -> impl Iterator<Item = &'a str> {
    let address = Some(seen.address()).filter(|a| !a.is_empty());
    address.into_iter().chain(first_label(node.as_str()))
}

/// `h1` of `h1.example.com`; None of an address and of a name that is a single label.
fn first_label(name: &str) -> Option<&str> {
    let (label, _) = name.split_once('.')?;
    (!label.is_empty() && name.parse::<IpAddr>().is_err()).then_some(label)
}

fn take<K, Q, V>(index: &mut HashMap<K, BTreeSet<V>>, key: &Q, value: &V)
where
    K: std::hash::Hash + Eq + std::borrow::Borrow<Q>,
    Q: std::hash::Hash + Eq + ?Sized,
    V: Ord,
{
    if let Some(values) = index.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            index.remove(key);
        }
    }
}
