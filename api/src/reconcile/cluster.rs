//! A scheduler speaks: its whole list, or one app or task of it. One at a time leaves the same state as the list would.

use super::facts::NodeFactsView;
use super::observed::{ClusterFacts, ListedApp, ListedTask, Listing};
use super::{apps, join};
use crate::change::Change;
use crate::world::World;
use common::api_types::{Entity, Instance, InstanceState};
use common::ids::{AppId, InstanceId};
use std::collections::{BTreeMap, HashSet};

/// What is to change so that the state is what the scheduler lists. Apps come before their instances, and go after them.
pub fn cluster(world: &World, facts: &ClusterFacts, view: &NodeFactsView) -> Vec<Change> {
    let listing = &facts.listing;
    let mut changes: Vec<Change> =
        facts.apps.iter().flat_map(|listed| app(world, listing, listed)).collect();
    // a list with the same task twice: what still lives counts
    let mut tasks: BTreeMap<&InstanceId, &ListedTask> = BTreeMap::new();
    for listed in &facts.tasks {
        let held = tasks.entry(&listed.id).or_insert(listed);
        if held.state == InstanceState::Ended {
            *held = listed;
        }
    }
    changes.extend(tasks.values().flat_map(|listed| task(world, listing, listed, view)));
    let prefix = join::key(&listing.cluster, &InstanceId::new(""));
    let gone = world
        .instances_beneath(&prefix)
        .filter(|i| i.cluster == listing.cluster && !tasks.contains_key(&i.id));
    changes.extend(gone.map(|i| end(Instance::clone(i), listing, view)));
    let listed: HashSet<&AppId> = facts.apps.iter().map(|a| &a.id).collect();
    let withdrawn = world.apps().filter(|a| !listed.contains(&a.id));
    changes.extend(withdrawn.flat_map(|a| app_gone(world, listing, &a.id, view)));
    changes
}

/// One task of it, new or different or ended.
pub fn task(
    world: &World,
    listing: &Listing,
    listed: &ListedTask,
    view: &NodeFactsView,
) -> Vec<Change> {
    let before = world.instance(&join::key(&listing.cluster, &listed.id)).map(AsRef::as_ref);
    let now = join::instance(listing, listed, before, view);
    match before {
        // an end is told once, of what was known
        _ if now.state == InstanceState::Ended => {
            before.map(|_| end(now, listing, view)).into_iter().collect()
        }
        Some(before) if *before == now => Vec::new(),
        _ => vec![Change::Put(Entity::Instance(Box::new(now)))],
    }
}

/// A task that the scheduler has no more.
pub fn task_gone(
    world: &World,
    listing: &Listing,
    task: &InstanceId,
    view: &NodeFactsView,
) -> Vec<Change> {
    let known = world.instance(&join::key(&listing.cluster, task));
    known.map(|i| end(Instance::clone(i), listing, view)).into_iter().collect()
}

/// One app of it, new or different.
pub fn app(world: &World, listing: &Listing, listed: &ListedApp) -> Vec<Change> {
    let before = world.app(&listed.id).map(AsRef::as_ref);
    let now = apps::scheduled(before, listing, listed);
    if before == Some(&now) { Vec::new() } else { vec![Change::Put(Entity::App(now))] }
}

/// An app that the scheduler has no more. Its tasks end with words of their own.
pub fn app_gone(
    world: &World,
    listing: &Listing,
    app: &AppId,
    view: &NodeFactsView,
) -> Vec<Change> {
    let Some(before) = world.app(app) else { return Vec::new() };
    if !before.dcs.iter().any(|line| line.cluster == listing.cluster) {
        return Vec::new();
    }
    vec![match apps::withdrawn(before, &listing.cluster, view) {
        Some(left) => Change::Put(Entity::App(left)),
        None => Change::Forget(Entity::App(before.as_ref().clone())),
    }]
}

fn end(last: Instance, listing: &Listing, view: &NodeFactsView) -> Change {
    Change::Forget(Entity::Instance(Box::new(join::ended(last, listing, view))))
}
