//! A node speaks: the inventory of its containers.

use super::facts::NodeFactsView;
use super::plain::{self, Place};
use super::seen::Seen;
use super::told::{self, Told};
use super::{apps, join, kills};
use crate::change::Change;
use crate::world::World;
use common::api_types::{AppSpec, ContainerFact, Entity, EventType, Exit, Instance};
use common::ids::{AppId, NodeName};
use common::moment::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What a node said, beside what it said before. The view has it already.
#[derive(Debug, Clone, Copy)]
pub struct NodeReport<'a> {
    /// Which node.
    pub node: &'a NodeName,
    /// What it says.
    pub seen: &'a Seen,
    /// What it said the last time and was judged by; None if this is the first word of it.
    pub prior: Option<&'a Seen>,
    /// Ends and kills that the store has.
    pub told: &'a Told,
    /// When it said it: the end of what is no longer there.
    pub now: Moment,
}

/// What is to change so that the state is what the node says, as far as it is the node's to say. Apps come before their instances.
pub fn node(world: &World, view: &NodeFactsView, report: &NodeReport<'_>) -> Vec<Change> {
    let cluster = view.clusters().plain(report.seen.dc());
    let at = Place { node: report.node, cluster, seen: report.seen };
    let mut pass = Pass { world, view, report, at, lives: BTreeMap::new(), ends: Vec::new() };
    pass.live();
    pass.ended();
    pass.gone();
    let mut changes = pass.apps();
    let notes = pass.notes();
    let joined = joined(world, view, report);
    let lives = pass.lives.into_values().filter(|i| !is_known(world, i));
    changes.extend(lives.chain(joined).map(|i| Change::Put(Entity::Instance(Box::new(i)))));
    changes.extend(notes);
    changes.extend(pass.ends.into_iter().map(|i| Change::Forget(Entity::Instance(Box::new(i)))));
    changes
}

fn is_known(world: &World, instance: &Instance) -> bool {
    world.instance(&instance.key).is_some_and(|known| **known == *instance)
}

/// The containers that the node alone speaks for.
struct Pass<'a> {
    world: &'a World,
    view: &'a NodeFactsView,
    report: &'a NodeReport<'a>,
    at: Place<'a>,
    /// What is there, or was for a moment, by key.
    lives: BTreeMap<String, Instance>,
    ends: Vec<Instance>,
}

impl Pass<'_> {
    fn live(&mut self) {
        let ends = self.report.seen.ends();
        for container in self.report.seen.plain() {
            let key = plain::key(self.at.cluster, self.at.node, &container.id);
            let before = self.world.instance(&key).and_then(|i| i.exit.clone());
            let exit = ends.get(container.id.as_str()).map(|end| plain::exit(end)).or(before);
            self.lives.insert(key, plain::instance(self.at, container, exit));
        }
    }

    /// Ends that the engine told: of known instances, and of those that came and went between two reports.
    fn ended(&mut self) {
        let prior: HashMap<_, _> = self.report.prior.map(Seen::ends).unwrap_or_default();
        for (id, end) in self.report.seen.ends() {
            let ours = self.view.clusters().task(self.at.seen.dc(), &end.container).is_none();
            let key = plain::key(self.at.cluster, self.at.node, id);
            if !ours || self.lives.contains_key(&key) {
                continue;
            }
            let over = |i: Instance| plain::ended(i, end.at, plain::exit(end));
            if let Some(known) = self.world.instance(&key) {
                // an end before its start is that of an earlier run
                if known.started_at.is_none_or(|start| start <= end.at) {
                    self.ends.push(over(Instance::clone(known)));
                }
                continue;
            }
            let news = prior.get(id).is_none_or(|before| before.at < end.at);
            if news && !self.report.told.end(&key, end.at) {
                let short = plain::instance(self.at, &end.container, None);
                self.lives.insert(key, short.clone());
                self.ends.push(over(short));
            }
        }
        self.ends.sort_by(|a, b| (a.ended_at, &a.key).cmp(&(b.ended_at, &b.key)));
    }

    /// What the node had and has no more, of which nobody told the end.
    fn gone(&mut self) {
        let ended: HashSet<String> = self.ends.iter().map(|i| i.key.clone()).collect();
        let clusters = self.view.clusters();
        let on_node = self.world.on_node(self.report.node);
        let missing = on_node.filter(|i| {
            !clusters.schedules(&i.dc, &i.cluster)
                && !self.lives.contains_key(&i.key)
                && !ended.contains(&i.key)
        });
        for known in missing {
            let reason = match self.moved(known) {
                Some(reason) => reason,
                None if self.report.seen.facts().complete => "gone".to_owned(),
                None => continue,
            };
            let exit = Exit { reason: Some(reason), ..Exit::default() };
            self.ends.push(plain::ended(Instance::clone(known), self.report.now, exit));
        }
    }

    /// The container is there, but under another key: a scheduler speaks for it now, or the node belongs to another cluster.
    fn moved(&self, known: &Instance) -> Option<String> {
        let container = self.report.seen.container(known.container.as_deref()?)?;
        let clusters = self.view.clusters();
        Some(match clusters.task(self.at.seen.dc(), container) {
            Some(task) => format!("it is task {task}"),
            None => format!("it is in cluster {}", self.at.cluster),
        })
    }

    /// The apps of what is there, and of what was.
    fn apps(&self) -> Vec<Change> {
        let here: BTreeSet<&AppId> = self.lives.values().map(|i| &i.app).collect();
        let before = self.report.prior.into_iter().flat_map(Seen::plain).map(|c| &c.app);
        let left: BTreeSet<&AppId> =
            before.chain(self.ends.iter().map(|i| &i.app)).filter(|a| !here.contains(a)).collect();
        let here = here.into_iter().map(|id| self.app(id));
        let left = left.into_iter().filter_map(|id| {
            let before = self.world.app(id)?;
            Some(apps::relabelled(before, self.view))
        });
        here.chain(left)
            .filter(|now| self.world.app(&now.id).is_none_or(|before| **before != *now))
            .map(|now| Change::Put(Entity::App(now)))
            .collect()
    }

    fn app(&self, id: &AppId) -> AppSpec {
        let before = self.world.app(id).map(AsRef::as_ref);
        let mut spec = apps::plain(before, id, self.at.seen.dc(), self.at.cluster, self.view);
        if before.is_none() {
            let mut ends = self.report.seen.facts().ended.iter().rev();
            if let Some(end) = ends.find(|end| end.container.app == *id) {
                apps::label_new(&mut spec, &end.container.labels);
            }
        }
        spec
    }

    fn notes(&self) -> Vec<Change> {
        let mut notes = Vec::new();
        for kill in kills::new(self.report.seen, self.report.prior) {
            let instance = self.instance_of(kill.container);
            for (count, kills) in kill.untold(&instance.key, self.report.told) {
                let mut payload = serde_json::to_value(&instance).unwrap_or_default();
                payload[told::OOM_COUNT] = count.into();
                payload[told::OOM_KILLS] = kills.into();
                notes.push(Change::Note {
                    kind: EventType::OomKilled,
                    subject: instance.key.clone(),
                    payload,
                });
            }
        }
        notes
    }

    /// The instance that a container is: as it is known, else as its node describes it.
    fn instance_of(&self, container: &ContainerFact) -> Instance {
        let Some(task) = self.view.clusters().task(self.at.seen.dc(), container) else {
            let key = plain::key(self.at.cluster, self.at.node, &container.id);
            let known = self.lives.get(&key).or(self.world.instance(&key).map(AsRef::as_ref));
            return known.cloned().unwrap_or_else(|| plain::instance(self.at, container, None));
        };
        let keys = || {
            let marathons = self.view.clusters().marathons(self.at.seen.dc());
            marathons.map(|cluster| (cluster, join::key(cluster, &task_id(task))))
        };
        let known = keys().find_map(|(_, key)| self.world.instance(&key));
        if let Some(known) = known.filter(|i| i.node.as_ref() == Some(self.at.node)) {
            return Instance::clone(known);
        }
        let mut made = plain::instance(self.at, container, None);
        if let Some((cluster, key)) = keys().next() {
            made.key = key;
            made.id = task_id(task);
            made.cluster = cluster.to_owned();
        }
        made
    }
}

fn task_id(task: &str) -> common::ids::InstanceId {
    common::ids::InstanceId::new(task)
}

/// Instances of schedulers that are different by what the node says.
fn joined(world: &World, view: &NodeFactsView, report: &NodeReport<'_>) -> Vec<Instance> {
    let (clusters, dc) = (view.clusters(), report.seen.dc());
    let scheduled = |i: &&std::sync::Arc<Instance>| clusters.schedules(&i.dc, &i.cluster);
    let here = world.on_node(report.node).filter(scheduled);
    let by_task = report.seen.tasks().flat_map(|task| {
        let keys = clusters.marathons(dc).map(move |m| join::key(m, &task_id(task)));
        keys.filter_map(|key| world.instance(&key))
    });
    // a name that was not known before: tasks may wait under it
    let named_anew = report.prior.is_none_or(|prior| {
        prior.address() != report.seen.address() || prior.dc() != report.seen.dc()
    });
    let waiting = named_anew.then(|| {
        let nowhere = |i: &&std::sync::Arc<Instance>| {
            i.node.as_ref().is_some_and(|node| view.get(node).is_none())
        };
        world.instances().filter(scheduled).filter(nowhere)
    });
    let all = here.chain(by_task).chain(waiting.into_iter().flatten());
    let all: BTreeMap<&str, _> = all.map(|i| (i.key.as_str(), i)).collect();
    let again = all.values().map(|before| (before, join::again(before, view)));
    again.filter(|(before, now)| ****before != *now).map(|(_, now)| now).collect()
}
