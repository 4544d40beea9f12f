//! What is under the names of a volume: listing directories, checking names.

use super::Follower;
use super::tree::{Dir, DirId, Slot, Task, VolId, What, Writes};
use crate::beneath::{Entry, Kind, Refused, Root, is_settled};
use crate::name::{FileName, NameError};
use crate::source::SourceId;
use crate::volume::Form;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Names checked in one volume in one round.
const ROUND: usize = 256;

impl Follower {
    /// Does some of each volume's work.
    pub(super) fn work(&mut self, now: Instant) {
        let vols: Vec<VolId> =
            self.vols.iter().filter(|(_, v)| !v.todo.is_empty()).map(|(id, _)| *id).collect();
        for vol in vols {
            let started = Instant::now();
            for _ in 0..ROUND {
                let Some(task) = self.vols.get_mut(&vol).and_then(|v| v.todo.pop_front()) else {
                    break;
                };
                match task {
                    Task::List(dir) => self.list(dir, now),
                    Task::Check(dir, name) => self.check(dir, &name, now),
                }
            }
            if let Some(vol) = self.vols.get_mut(&vol) {
                vol.spent += started.elapsed();
            }
        }
    }

    pub(super) fn root(&self, vol: VolId) -> Option<Arc<Root>> {
        self.vols.get(&vol)?.root.clone()
    }

    /// Watches a directory, then lists it: nothing is missed in between.
    fn list(&mut self, id: DirId, now: Instant) {
        let Some(dir) = self.dirs.get(&id) else { return };
        let (vol, ino, name) = (dir.vol, dir.ino, dir.name.clone());
        let Some(root) = self.root(vol) else { return };
        let begun = SystemTime::now();
        let most = self.shared.settings.limits.entries;
        let listed = root.hold(name.as_ref()).and_then(|held| {
            let (found, changed) = held.ino_and_change()?;
            if found != ino {
                return Err(Refused::Replaced);
            }
            self.watch(id, &held);
            Ok((changed, held.entries(most)?))
        });
        let (changed, (entries, more)) = match listed {
            Ok(listed) => listed,
            Err(refused) => return self.lost(id, &refused, now),
        };
        self.compare(id, entries, more);
        if let Some(dir) = self.dirs.get_mut(&id) {
            dir.listed = is_settled(changed, begun).then_some(changed);
        }
    }

    /// A directory that cannot be listed.
    fn lost(&mut self, id: DirId, refused: &Refused, now: Instant) {
        let Some(dir) = self.dirs.get(&id) else { return };
        let (vol, parent) = (dir.vol, dir.parent);
        let gone = matches!(refused, Refused::Gone | Refused::Replaced);
        self.drop_dir(id, (!gone).then(|| refused.reason()));
        let Some(vol) = self.vols.get_mut(&vol) else { return };
        match parent {
            // another may be there by now
            Some(parent) if gone => vol.todo.push_back(Task::List(parent)),
            Some(_) => {}
            None => {
                vol.root = None;
                vol.next_scan = now;
            }
        }
    }

    fn compare(&mut self, id: DirId, entries: Vec<Entry>, more: bool) {
        let limits = self.shared.settings.limits;
        let Some(dir) = self.dirs.get_mut(&id) else { return };
        let Some(vol) = self.vols.get_mut(&dir.vol) else { return };
        let mut old = std::mem::take(&mut dir.slots);
        dir.over = u64::from(more);
        let mut room = limits.files.saturating_sub(vol.sources.len());
        for entry in entries {
            let known = old.remove(&entry.name[..]);
            // what was left out for want of room is not looked at again before there is some
            let still_over = |slot: &Slot| slot.what == What::No("too_many") && room == 0;
            let same = known.filter(|slot| slot.ino == entry.ino).filter(|slot| {
                !passing(slot.what) || (entry.kind == Kind::File && still_over(slot))
            });
            let key: Box<[u8]> = entry.name.into();
            match (same, entry.kind) {
                (Some(slot), _) => {
                    dir.slots.insert(key, slot);
                }
                (None, Kind::Other(reason)) if known.is_none() => {
                    dir.slots.insert(key, Slot { ino: entry.ino, what: What::No(reason) });
                }
                // beyond the limit a name is not even kept
                (None, Kind::File) if known.is_none() && room == 0 => dir.over += 1,
                (None, _) => {
                    room = room.saturating_sub(usize::from(known.is_none()));
                    if let Some(slot) = known {
                        dir.slots.insert(key.clone(), slot);
                    }
                    vol.todo.push_back(Task::Check(id, key));
                }
            }
        }
        // what is not in a list that was cut short may be there all the same
        for (key, slot) in old {
            if more && room == 0 && slot.what == What::No("too_many") {
                dir.over += 1;
                continue;
            }
            dir.slots.insert(key.clone(), slot);
            vol.todo.push_back(Task::Check(id, key));
        }
        self.figures_changed = true;
    }

    /// Looks at what a name names now.
    fn check(&mut self, id: DirId, key: &[u8], now: Instant) {
        let Some(dir) = self.dirs.get(&id) else { return };
        let (vol, before) = (dir.vol, dir.slots.get(key).copied());
        let Some(root) = self.root(vol) else { return };
        let name = match &dir.name {
            None => FileName::new(key),
            Some(dir) => dir.join(key),
        };
        let name = match name {
            Ok(name) => name,
            Err(error) => {
                let reason = if error == NameError::Deep { "too_deep" } else { "bad_name" };
                return self.put(id, key, before, Slot { ino: 0, what: What::No(reason) });
            }
        };
        let (kind, ino) = match root.look(&name) {
            Ok(found) => found,
            Err(Refused::Gone) => return self.take_away(id, key, before),
            Err(refused) => {
                let what = What::No(refused.reason());
                return self.put(id, key, before, Slot { ino: 0, what });
            }
        };
        let what = match kind {
            Kind::Other(reason) => What::No(reason),
            Kind::Directory => match before {
                Some(Slot { what: What::Dir(child), ino: known }) if known == ino => {
                    return self.again(vol, child);
                }
                _ => {
                    // before the new one is made: it may be the same directory under another name
                    self.take_away(id, key, before);
                    let what = self.directory(vol, id, name, ino, now);
                    return self.put(id, key, None, Slot { ino, what });
                }
            },
            Kind::File => match before {
                Some(Slot { what: What::File(source), ino: known }) if known == ino => {
                    return self.touch(source);
                }
                _ => self.file(vol, (id, key), &name, ino, now),
            },
        };
        if before.is_none() && kind == Kind::File && what == What::No("too_many") {
            // not even its name is kept; the next look at everything counts anew
            if let Some(dir) = self.dirs.get_mut(&id) {
                dir.over += 1;
                self.figures_changed = true;
            }
            return;
        }
        self.put(id, key, before, Slot { ino, what });
    }

    fn again(&mut self, vol: VolId, dir: DirId) {
        if let Some(vol) = self.vols.get_mut(&vol) {
            vol.todo.push_back(Task::List(dir));
        }
    }

    /// A new thing is under a name, in place of what was there.
    fn put(&mut self, id: DirId, key: &[u8], before: Option<Slot>, slot: Slot) {
        if before.is_some_and(|before| before.what != slot.what) {
            self.take_away(id, key, before);
        }
        if let Some(dir) = self.dirs.get_mut(&id) {
            dir.slots.insert(key.into(), slot);
            self.figures_changed = true;
        }
    }

    /// What was under a name is not there any more.
    fn take_away(&mut self, id: DirId, key: &[u8], before: Option<Slot>) {
        match before.map(|slot| slot.what) {
            Some(What::File(source)) => self.displace(source, id, key),
            Some(What::Dir(child)) => self.drop_dir(child, None),
            Some(What::No(_)) => self.figures_changed = true,
            None => return,
        }
        if let Some(dir) = self.dirs.get_mut(&id) {
            dir.slots.remove(key);
        }
    }

    /// A source lost its name in a directory; unless it has another by now, the end of the round finds out what became of it.
    pub(super) fn displace(&mut self, source: SourceId, dir: DirId, key: &[u8]) {
        if let Some(followed) = self.followed.get_mut(&source) {
            if followed.at.as_ref().is_some_and(|(at, name)| *at == dir && **name == *key) {
                followed.at = None;
                self.unplaced.push(source);
            }
        }
    }

    fn directory(
        &mut self,
        vol: VolId,
        parent: DirId,
        name: FileName,
        ino: u64,
        now: Instant,
    ) -> What {
        if self.is_volume(self.dev_of(vol), ino) {
            return What::No("other_volume");
        }
        // Docker's log of a container lies beside what is only Docker's
        if self.form(vol) == Form::DockerJson {
            return What::No("excluded");
        }
        if self
            .vols
            .get(&vol)
            .is_none_or(|v| v.dirs.len() >= self.shared.settings.limits.directories)
        {
            return What::No("too_many");
        }
        let id = DirId(self.next_id());
        self.add_dir(
            id,
            Dir {
                vol,
                parent: Some(parent),
                name: Some(name),
                ino,
                wd: None,
                slots: HashMap::new(),
                listed: None,
                over: 0,
                writes: Writes::told(now),
            },
        );
        What::Dir(id)
    }
}

/// Refusals that may be over without the directory telling so by another inode.
pub(super) fn passing(what: What) -> bool {
    matches!(
        what,
        What::No("hard_link" | "replaced" | "gone" | "system" | "too_many" | "other_volume")
    )
}
