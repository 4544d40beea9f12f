//! What a cluster has, kept from its lists and its events. Pure.
//!
//! **The list is the truth.** An event may move a task that is known forward, so that everyone hears of it at once; it never brings in a
//! task that the list does not have, and never takes back an end. Whatever an event changes, and whatever does not fit, marks its app
//! dirty, and the app is fetched again. So events may come twice, late, in any order or not at all: the lists that follow settle it.
//!
//! Events that come while a list is under way are applied at once and once more after the list, which may be older than they are.
//!
//! A list that lacks more than half of what there was (a leader that has not loaded its state, another cluster behind the same
//! address) ends nothing until a second one, some seconds later, lacks as much.

mod apply;
mod lists;

use super::translate::{Translated, TranslatedTask};
use super::wire::Event;
use crate::reconcile::{ClusterFacts, ListedApp, ListedTask, Listing};
use common::api_types::InstanceState;
use common::ids::AppId;
use common::moment::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// Most events kept while a list is under way; beyond that everything is dirty.
const MOST_RECENT: usize = 16_384;
/// Most ids remembered that are no apps (pods).
const MOST_FOREIGN: usize = 10_000;
/// How long a second list waits that is to confirm the loss of most of a cluster.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(5);
/// How long a task whose check has no result keeps its last verdict: a new leader begins all checks anew.
const VERDICT_KEPT: Duration = Duration::from_secs(600);

/// All that is known of one cluster.
#[derive(Debug, Default)]
pub struct Ledger {
    apps: BTreeMap<AppId, KnownApp>,
    tasks: HashMap<String, KnownTask>,
    by_app: HashMap<AppId, BTreeSet<String>>,
    by_instance: HashMap<String, BTreeSet<String>>,
    dirty: Dirty,
    changed: Changed,
    /// Events since the fetch that is under way was asked for.
    recent: Option<Vec<Event>>,
    /// Ids that events speak of and that are no apps.
    foreign: HashSet<AppId>,
    /// Since when a list that lacks too much waits for the second one.
    held: Option<Moment>,
}

#[derive(Debug, Clone)]
struct KnownApp {
    app: ListedApp,
    checks: usize,
}

#[derive(Debug, Clone)]
struct KnownTask {
    task: ListedTask,
    instance: String,
    /// Since when its check has no result, while an older verdict stands.
    blank_since: Option<Moment>,
}

/// What has to be fetched again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Everything.
    pub all: bool,
    /// These apps.
    pub apps: BTreeSet<AppId>,
}

impl Dirty {
    /// Nothing is.
    pub fn is_clean(&self) -> bool {
        !self.all && self.apps.is_empty()
    }
}

/// What the centre has not heard yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Perhaps everything: a list was taken in.
    pub all: bool,
    /// These apps, as they are defined.
    pub apps: BTreeSet<AppId>,
    /// These tasks.
    pub tasks: BTreeSet<String>,
}

impl Changed {
    /// The centre has heard it all.
    pub fn is_nothing(&self) -> bool {
        !self.all && self.apps.is_empty() && self.tasks.is_empty()
    }
}

/// What became of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the state now.
    Whole,
    /// It lacks too much: what it has is taken in, what it lacks stays for now.
    Held {
        /// Tasks that it lacks.
        missing: usize,
        /// Of so many.
        of: usize,
    },
}

impl Ledger {
    /// What the centre knows of the cluster from before, so that a first list is looked at like any other.
    pub fn restored(apps: Vec<ListedApp>, tasks: Vec<ListedTask>) -> Self {
        let mut ledger = Self::default();
        for app in apps {
            ledger.apps.insert(app.id.clone(), KnownApp { app, checks: 0 });
        }
        for task in tasks {
            let instance = super::ids::of_task(task.id.as_str()).instance;
            ledger.enter(KnownTask { task, instance, blank_since: None });
        }
        ledger.dirty.all = true;
        ledger
    }

    /// What has to be fetched again.
    pub fn dirty(&self) -> &Dirty {
        &self.dirty
    }

    /// Everything has to be listed again: events may have been missed.
    pub fn doubt(&mut self) {
        self.dirty.all = true;
    }

    /// A list waits for a second one, since then.
    pub fn held(&self) -> Option<Moment> {
        self.held
    }

    /// Apps, and tasks that have not ended.
    pub fn counts(&self) -> (usize, usize) {
        (self.apps.len(), self.tasks.values().filter(|t| t.is_live()).count())
    }

    /// The centre has heard it all.
    pub fn is_told(&self) -> bool {
        self.changed.is_nothing()
    }

    /// What the centre has not heard yet; the caller puts it back with [`Self::untold`] if the centre does not take it.
    pub fn take_changed(&mut self) -> Changed {
        std::mem::take(&mut self.changed)
    }

    /// The centre did not take it.
    pub fn untold(&mut self, changed: Changed) {
        self.changed.all |= changed.all;
        self.changed.apps.extend(changed.apps);
        self.changed.tasks.extend(changed.tasks);
    }

    /// All of it. Apps by id, tasks by id.
    pub fn facts(&self, listing: Listing) -> ClusterFacts {
        let mut tasks: Vec<ListedTask> = self.tasks.values().map(|t| t.task.clone()).collect();
        tasks.sort_by(|a, b| a.id.cmp(&b.id));
        ClusterFacts { listing, apps: self.apps.values().map(|a| a.app.clone()).collect(), tasks }
    }

    /// These apps, as far as they are known.
    pub fn apps(&self, ids: &BTreeSet<AppId>) -> Vec<ListedApp> {
        ids.iter().filter_map(|id| self.apps.get(id)).map(|a| a.app.clone()).collect()
    }

    /// These tasks, as far as they are known.
    pub fn tasks(&self, ids: &BTreeSet<String>) -> Vec<ListedTask> {
        ids.iter().filter_map(|id| self.tasks.get(id)).map(|t| t.task.clone()).collect()
    }

    fn enter(&mut self, known: KnownTask) {
        let id = known.task.id.as_str().to_owned();
        self.remove(&id);
        self.by_app.entry(known.task.app.clone()).or_default().insert(id.clone());
        self.by_instance.entry(known.instance.clone()).or_default().insert(id.clone());
        self.tasks.insert(id, known);
    }

    fn remove(&mut self, id: &str) {
        let Some(known) = self.tasks.remove(id) else { return };
        unlist(&mut self.by_app, &known.task.app, id);
        unlist(&mut self.by_instance, &known.instance, id);
    }

    fn tell(&mut self, task: &str) {
        self.changed.tasks.insert(task.to_owned());
    }
}

impl KnownTask {
    fn is_live(&self) -> bool {
        self.task.state != InstanceState::Ended
    }
}

fn unlist<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<String>>, of: &K, id: &str) {
    if let Some(ids) = index.get_mut(of) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(of);
        }
    }
}

#[cfg(test)]
mod tests;
