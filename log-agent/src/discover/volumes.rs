//! Volumes that come and go.

use super::Follower;
use super::tree::{Dir, DirId, Task, Vol, VolId, What, Writes};
use crate::beneath::Root;
use crate::files::{Known, Why};
use crate::source::{Source, SourceId, Tally};
use crate::volume::Volume;
use common::logging::Episode;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Follower {
    /// Takes a new list of volumes, if there is one; false when following ends.
    pub(super) fn take_volumes(&mut self, now: Instant) -> bool {
        let volumes = {
            let mut shown = self.shared.shown();
            if shown.stopped {
                return false;
            }
            if !std::mem::take(&mut shown.volumes_changed) {
                return true;
            }
            shown.volumes.clone()
        };
        let mut wanted = owners(&volumes);
        let gone: Vec<VolId> = self
            .vols
            .iter()
            // what is wanted of another form is another volume: every name in it is judged anew
            .filter(|(_, v)| wanted.get(&v.path).is_none_or(|owner| owner.form != v.owner.form))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.drop_volume(id);
        }
        for vol in self.vols.values_mut() {
            if let Some(owner) = wanted.remove(&vol.path) {
                if *vol.owner != *owner {
                    for source in vol.sources.values() {
                        source.inner().volume = owner.clone();
                    }
                    vol.owner = owner;
                    self.set_changed = true;
                }
            }
        }
        for (path, owner) in wanted {
            let id = VolId(self.next_id());
            let fault = Episode::new(format!("the log volume {}", path.display()));
            let vol = Vol {
                owner,
                path,
                root: None,
                dirs: Vec::new(),
                sources: BTreeMap::new(),
                tally: Arc::new(Tally::new(self.shared.settings.ships)),
                deleted: BTreeSet::new(),
                todo: VecDeque::new(),
                next_scan: now,
                last_scan: now,
                spent: Duration::ZERO,
                urgent: true,
                deaf: false,
                blind: false,
                events: (now, 0),
                storm: None,
                storms: 0,
                gaps: BTreeMap::new(),
                fault,
                fault_now: None,
            };
            self.vols.insert(id, vol);
            self.open_volume(id, now);
        }
        self.figures_changed = true;
        true
    }

    /// Opens a volume's directory; one that is not there is tried again at the next look.
    pub(super) fn open_volume(&mut self, id: VolId, now: Instant) {
        let Some(vol) = self.vols.get_mut(&id) else { return };
        let opened = Root::open(&vol.path).and_then(|root| {
            let (ino, _) = root.hold(None)?.ino_and_change()?;
            Ok((Arc::new(root), ino))
        });
        let (root, ino) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                vol.fault.failed(&error);
                vol.fault_now = Some(error.to_string());
                self.figures_changed = true;
                return;
            }
        };
        vol.fault.recovered();
        vol.fault_now = None;
        let dev = root.dev();
        vol.root = Some(root);
        // a volume within another one: the inner one has its files
        let outer: Option<DirId> = self
            .dirs
            .iter()
            .find(|(_, d)| d.ino == ino && d.parent.is_some() && self.dev_of(d.vol) == Some(dev))
            .map(|(id, _)| *id);
        if let Some(outer) = outer {
            self.drop_dir(outer, Some("other_volume"));
        }
        let top = DirId(self.next_id());
        self.add_dir(
            top,
            Dir {
                vol: id,
                parent: None,
                name: None,
                ino,
                wd: None,
                slots: HashMap::new(),
                listed: None,
                over: 0,
                writes: Writes::told(now),
            },
        );
    }

    pub(super) fn dev_of(&self, vol: VolId) -> Option<u64> {
        self.vols.get(&vol)?.root.as_ref().map(|root| root.dev())
    }

    /// Whether an inode is the directory of some volume.
    pub(super) fn is_volume(&self, dev: Option<u64>, ino: u64) -> bool {
        self.vols.values().any(|vol| {
            vol.root.as_ref().is_some_and(|root| Some(root.dev()) == dev)
                && vol.dirs.first().and_then(|top| self.dirs.get(top)).is_some_and(|d| d.ino == ino)
        })
    }

    pub(super) fn add_dir(&mut self, id: DirId, dir: Dir) {
        if let Some(vol) = self.vols.get_mut(&dir.vol) {
            vol.dirs.push(id);
            vol.todo.push_back(Task::List(id));
        }
        self.dirs.insert(id, dir);
        self.figures_changed = true;
    }

    /// Forgets a directory and what is beneath; its files look for a new place. In the parent it stays as refused, with a reason, or not.
    pub(super) fn drop_dir(&mut self, id: DirId, reason: Option<&'static str>) {
        let Some(dir) = self.dirs.remove(&id) else { return };
        if let Some(wd) = dir.wd {
            self.watches.forget(wd, id);
        }
        if let Some(vol) = self.vols.get_mut(&dir.vol) {
            vol.dirs.retain(|d| *d != id);
        }
        self.busy.retain(|d| *d != id);
        for (key, slot) in dir.slots {
            match slot.what {
                What::File(source) => self.displace(source, id, &key),
                // no deeper than names may be
                What::Dir(child) => self.drop_dir(child, None),
                What::No(_) => {}
            }
        }
        if let Some(parent) = dir.parent.and_then(|p| self.dirs.get_mut(&p)) {
            let key = dir.name.as_ref().map(|name| name.last().to_vec()).unwrap_or_default();
            match (reason, parent.slots.get_mut(&key[..])) {
                (Some(reason), Some(slot)) if slot.what == What::Dir(id) => {
                    slot.what = What::No(reason);
                }
                (None, Some(slot)) if slot.what == What::Dir(id) => {
                    parent.slots.remove(&key[..]);
                }
                _ => {}
            }
        }
        self.figures_changed = true;
    }

    /// Remembers of a file that is let go what the journal would: a generation of which nothing was acknowledged, or of which it is not known
    /// yet whether it is a copy, counts for nothing.
    pub(super) fn remember(&mut self, source: &Source) {
        let Some(followed) = self.followed.get(&source.id()) else { return };
        let (mut identity, mut mark) = (source.identity(), source.acknowledged_to().mark);
        if mark.offset == 0 || !source.is_decided() {
            let Some(before) = followed.before.last() else { return };
            (identity.head, mark) = (before.head, super::copies::acknowledged(source, before).0);
        }
        if mark.offset > 0 {
            self.memory.let_go(Known { identity, mark, name: (*source.name()).clone() });
        }
    }

    /// Forgets a volume. What was acknowledged of its files is remembered: it may come back.
    fn drop_volume(&mut self, id: VolId) {
        let top = self.vols.get(&id).and_then(|vol| vol.dirs.first().copied());
        if let Some(top) = top {
            self.drop_dir(top, None);
        }
        let sources: Vec<SourceId> =
            self.vols.get(&id).map(|v| v.sources.keys().copied().collect()).unwrap_or_default();
        for source in sources {
            let Some(followed) = self.followed.get(&source) else { continue };
            let source = followed.source.clone();
            self.remember(&source);
            self.give_up(&source, Why::VolumeGone);
        }
        self.unplaced.retain(|s| self.followed.contains_key(s));
        self.vols.remove(&id);
    }
}

/// Whose each directory is: a running instance's before an ended one's, the last in the list of equals.
fn owners(volumes: &[Volume]) -> HashMap<PathBuf, Arc<Volume>> {
    let mut owners: HashMap<PathBuf, Arc<Volume>> = HashMap::new();
    let rank = |v: &Volume| (v.ended_at.is_none(), v.ended_at);
    for volume in volumes {
        match owners.get_mut(&volume.dir) {
            Some(owner) if rank(volume) >= rank(owner) => *owner = Arc::new(volume.clone()),
            Some(_) => {}
            None => {
                owners.insert(volume.dir.clone(), Arc::new(volume.clone()));
            }
        }
    }
    owners
}
