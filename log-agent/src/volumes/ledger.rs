//! Which volumes there are: those of instances that run, and those of ended ones until somebody says that they are done. Pure.
//!
//! Engines are observed one by one and in any order, and each only for its own containers; what an engine does not know now has ended only
//! if it knows everything. Who was first has a directory: that is decided each time from the whole set, so that the order in which things
//! were seen makes no difference.

use super::claim::By;
use super::danger::Danger;
use crate::volume::{Form, InstanceKey, Volume};
use common::ids::{AppId, InstanceId};
use common::moment::Moment;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Most ended ones remembered; above it those that ended first are forgotten.
const MOST_ENDED: usize = 10_000;

/// One directory of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) app: AppId,
    pub(super) instance: InstanceId,
    pub(super) by: By,
    /// Empty for what only `volumes_root` tells.
    pub(super) container: String,
    /// As the engine calls it.
    pub(super) source: String,
    /// As it was found, free of links.
    pub(super) dir: PathBuf,
    pub(super) name: String,
    pub(super) json: bool,
    pub(super) started_at: Option<Moment>,
    pub(super) ended_at: Option<Moment>,
}

impl Entry {
    pub(super) fn key(&self) -> InstanceKey {
        InstanceKey { id: self.instance.clone(), app: self.app.clone() }
    }

    fn volume(&self) -> Volume {
        Volume {
            instance: self.key(),
            dir: self.dir.clone(),
            name: self.name.clone(),
            ended_at: self.ended_at,
            form: if self.json { Form::DockerJson } else { Form::Plain },
        }
    }

    /// Who comes first has a directory that two want: who runs before who ended, who ended last before who ended earlier, who began earlier
    /// before who began later; the names decide what is left.
    fn rank(&self) -> impl Ord + use<'_> {
        let ended = (self.ended_at.is_some(), Reverse(self.ended_at));
        let began = self.started_at.map_or(u64::MAX, Moment::unix_ms);
        (ended, began, &self.app, &self.instance, &self.container, &self.name)
    }
}

/// A container that runs, with what it has.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) container: String,
    /// All it claims was looked at: what it had before and is not below it has no more.
    pub(super) complete: bool,
    pub(super) entries: Vec<Entry>,
}

/// A claim that is not read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Refusal {
    /// Whose.
    pub instance: InstanceKey,
    /// The directory, as the engine calls it.
    pub source: String,
    /// Why.
    pub why: Danger,
}

/// Everything that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// By directory, then by container.
    entries: BTreeMap<(PathBuf, String), Entry>,
}

impl Ledger {
    /// Begins with what was remembered.
    pub(super) fn new(remembered: Vec<Entry>) -> Self {
        let entries = remembered.into_iter().map(|e| ((e.dir.clone(), e.container.clone()), e));
        Self { entries: entries.collect() }
    }

    /// Everything, for the memory.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// What one engine says now. `whole`: it knows of everything that runs, so the others have ended.
    pub(super) fn observe(&mut self, by: By, running: Vec<Running>, whole: bool, now: Moment) {
        let mut there: HashMap<String, (bool, HashSet<PathBuf>)> = HashMap::new();
        for Running { container, complete, entries } in running {
            let dirs = entries.iter().map(|e| e.dir.clone()).collect();
            there.insert(container, (complete, dirs));
            for entry in entries {
                // what the directory alone told is known better now
                self.entries.remove(&(entry.dir.clone(), String::new()));
                self.entries.insert((entry.dir.clone(), entry.container.clone()), entry);
            }
        }
        self.entries.retain(|(dir, container), entry| {
            if entry.by != by {
                return true;
            }
            match there.get(container) {
                Some((complete, dirs)) => !complete || dirs.contains(dir),
                None => {
                    if whole && entry.ended_at.is_none() {
                        entry.ended_at = Some(now);
                    }
                    true
                }
            }
        });
    }

    /// A container ended. What it had is known already, or told now, if it came and went unseen.
    pub(super) fn ended(&mut self, container: &str, had: Vec<Entry>, at: Moment) {
        let mut known = false;
        for entry in self.entries.values_mut().filter(|e| e.container == container) {
            known = true;
            entry.ended_at.get_or_insert(at);
        }
        for entry in had.into_iter().filter(|_| !known) {
            self.entries.remove(&(entry.dir.clone(), String::new()));
            let key = (entry.dir.clone(), entry.container.clone());
            self.entries.entry(key).or_insert(Entry { ended_at: Some(at), ..entry });
        }
    }

    /// What is beneath `volumes_root`: directories nobody else knows. `alone`: every engine has told all it knows, so nobody runs in them.
    pub(super) fn found(
        &mut self,
        dirs: &[(InstanceKey, PathBuf)],
        whole: bool,
        alone: bool,
        now: Moment,
    ) {
        let there: HashSet<&Path> = dirs.iter().map(|(_, dir)| dir.as_path()).collect();
        self.entries
            .retain(|(dir, _), e| e.by != By::Root || !whole || there.contains(dir.as_path()));
        for (owner, dir) in dirs {
            let key = (dir.clone(), String::new());
            // beneath it counts, too: a volume may be a directory in an instance's own
            let mut known =
                self.entries.range(key.clone()..).take_while(|((at, _), _)| at.starts_with(dir));
            if known.any(|(_, e)| e.by != By::Root) {
                self.entries.remove(&key);
                continue;
            }
            let entry = self.entries.entry(key).or_insert_with(|| Entry {
                app: owner.app.clone(),
                instance: owner.id.clone(),
                by: By::Root,
                container: String::new(),
                source: dir.display().to_string(),
                dir: dir.clone(),
                name: String::new(),
                json: false,
                started_at: None,
                ended_at: None,
            });
            if alone {
                entry.ended_at.get_or_insert(now);
            }
        }
    }

    /// An ended instance's directory is done with. False if there is none such.
    pub(super) fn forget(&mut self, instance: &InstanceKey, dir: &Path) -> bool {
        let before = self.entries.len();
        self.entries.retain(|_, e| e.ended_at.is_none() || e.dir != dir || e.key() != *instance);
        before != self.entries.len()
    }

    /// Forgets those that ended first, above the limit; how many.
    pub(super) fn limit(&mut self) -> usize {
        let mut ended: Vec<_> =
            self.entries.iter().filter_map(|(key, e)| Some((e.ended_at?, key.clone()))).collect();
        let over = ended.len().saturating_sub(MOST_ENDED);
        ended.sort_unstable();
        for (_, key) in ended.into_iter().take(over) {
            self.entries.remove(&key);
        }
        over
    }

    /// The volumes, in the order in which their instances began, and who wants what another app's instance has. An ended instance's
    /// directory that belongs to another app now is left out: its readers may not read that one's lines.
    pub(super) fn volumes(&self) -> (Vec<Volume>, Vec<Refusal>) {
        let mut all: Vec<&Entry> = self.entries.values().collect();
        all.sort_unstable_by(|a, b| a.rank().cmp(&b.rank()));
        let mut taken: BTreeMap<&Path, &Entry> = BTreeMap::new();
        let (mut kept, mut refused) = (Vec::new(), Vec::new());
        for entry in all {
            if let Some(first) = another(&taken, entry) {
                if entry.ended_at.is_none() {
                    refused.push(Refusal {
                        instance: entry.key(),
                        source: entry.source.clone(),
                        why: Danger::Another {
                            owner: format!("{}/{}", first.app, first.instance),
                            dir: first.dir.display().to_string(),
                        },
                    });
                }
                continue;
            }
            taken.entry(&entry.dir).or_insert(entry);
            kept.push(entry);
        }
        // the same directory twice for one instance says nothing new: the first is the one that runs, or ended last
        let mut seen = HashSet::new();
        let volumes = kept.into_iter().filter(|e| seen.insert((&e.app, &e.instance, &e.dir)));
        (volumes.map(Entry::volume).collect(), refused)
    }
}

/// Whoever of another app has this directory, one above it or one beneath it.
fn another<'a>(taken: &BTreeMap<&Path, &'a Entry>, entry: &Entry) -> Option<&'a Entry> {
    let above = entry.dir.ancestors().filter_map(|dir| taken.get(dir));
    let beneath =
        taken.range(entry.dir.as_path()..).take_while(|(dir, _)| dir.starts_with(&entry.dir));
    above.chain(beneath.map(|(_, e)| e)).find(|e| e.app != entry.app).copied()
}

#[cfg(test)]
mod tests;
