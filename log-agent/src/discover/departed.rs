//! Files that have no name any more: read to their end, then let go; never without saying what was lost.

use super::Follower;
use super::tree::{Followed, Task, VolId};
use crate::files::Why;
use crate::source::{Source, SourceId, State};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks at deleted files while one of them is written, and while none is.
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(1);

/// Names an open file has in its file system.
fn links(source: &Source) -> Option<u64> {
    let file = source.inner().file.clone()?;
    crate::beneath::stat(&*file).ok().map(|stat| stat.links)
}

impl Follower {
    /// Finds out what became of files that lost their name in this round.
    pub(super) fn mind_unplaced(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.unplaced) {
            let Some(followed) = self.followed.get(&id).filter(|f| f.at.is_none()) else {
                continue;
            };
            let (vol, source) = (followed.vol, followed.source.clone());
            if source.state() == State::Deleted {
                continue;
            }
            // of a closed one nobody knows
            let named = links(&source).is_none_or(|links| links > 0);
            let Some(of) = self.vols.get_mut(&vol) else { continue };
            let busy = !of.todo.is_empty();
            if named && (busy || followed.searched.is_none()) {
                // renamed: its new name may be waiting to be checked, or is found by looking at everything once
                self.unplaced.push(id);
                if !busy {
                    if let Some(followed) = self.followed.get_mut(&id) {
                        followed.searched = Some(now);
                    }
                    self.relist(vol);
                }
                continue;
            }
            self.departed(id, vol, &source, now);
        }
    }

    fn relist(&mut self, vol: VolId) {
        if let Some(vol) = self.vols.get_mut(&vol) {
            vol.todo.extend(vol.dirs.iter().map(|dir| Task::List(*dir)));
        }
    }

    fn departed(&mut self, id: SourceId, vol: VolId, source: &Arc<Source>, now: Instant) {
        self.look(id, now);
        source.inner().tide.state = State::Deleted;
        source.publish();
        if source.is_decided() {
            self.shared.woken.push(source);
        }
        if let Some(vol) = self.vols.get_mut(&vol) {
            vol.deleted.insert(id);
        }
        self.next_departed = now;
        self.set_changed = true;
        if source.inner().file.is_none() {
            // what was not read before it was closed, or came after that, nobody can read
            self.give_up(source, Why::Closed);
        }
    }

    /// Lets deleted files go once they are read, acknowledged and quiet; before that only above the limits.
    pub(super) fn mind_departed(&mut self, now: Instant) {
        if now < self.next_departed {
            return;
        }
        let pace = self.shared.settings.pace;
        let vols: Vec<VolId> =
            self.vols.iter().filter(|(_, v)| !v.deleted.is_empty()).map(|(id, _)| *id).collect();
        let mut active = false;
        for vol in vols {
            let deleted: Vec<SourceId> = self
                .vols
                .get(&vol)
                .map(|v| v.deleted.iter().copied().collect())
                .unwrap_or_default();
            for id in deleted {
                self.look(id, now);
                let Some(followed) = self.followed.get(&id) else { continue };
                let quiet = now.duration_since(followed.grown);
                active |= quiet < SELDOM * 2;
                let source = followed.source.clone();
                if quiet >= pace.linger && self.settled(&source) && !source.is_held() {
                    if links(&source).is_some_and(|links| links > 0) {
                        // it was moved out of the volume, and may come back
                        self.remember(&source);
                    }
                    self.let_go(&source);
                }
            }
            self.limit_departed(vol);
        }
        self.next_departed = now + if active { OFTEN } else { SELDOM };
    }

    /// Above the limits the settled go first, then the oldest.
    fn limit_departed(&mut self, vol: VolId) {
        let limits = self.shared.settings.limits;
        let Some(of) = self.vols.get(&vol) else { return };
        let followed = of.deleted.iter().filter_map(|id| self.followed.get(id));
        let mut open: Vec<(bool, u64, Arc<Source>)> = followed
            .map(|f| (!self.settled(&f.source), f.source.inner().on_disk, f.source.clone()))
            .collect();
        let (mut count, mut bytes) = (open.len(), open.iter().map(|(_, n, _)| *n).sum::<u64>());
        open.sort_by_key(|(unsettled, _, source)| (*unsettled, source.id()));
        for (_, on_disk, source) in open {
            let why = match () {
                () if count > limits.deleted => Why::TooManyDeleted,
                () if bytes > limits.deleted_bytes => Why::DeletedBytes,
                () => return,
            };
            count -= 1;
            bytes -= on_disk;
            self.give_up(&source, why);
        }
    }

    /// Lets go what retention removed though it was not acknowledged.
    pub(super) fn mind_given_up(&mut self) {
        let given_up = std::mem::take(&mut self.shared.shown().given_up);
        for id in given_up {
            if let Some(source) = self.followed.get(&id).map(|f| f.source.clone()) {
                self.give_up(&source, Why::Quota);
            }
        }
    }

    /// At the end of the process: deleted files that are open nowhere but here are gone with it.
    pub(super) fn part(&mut self) {
        // their new generations are not let go on: the next process must find their copies first
        for id in std::mem::take(&mut self.held) {
            if !self.has_undecided_copy(id) {
                self.count_lost(id);
            }
        }
        let deleted: Vec<SourceId> =
            self.vols.values().flat_map(|vol| vol.deleted.iter().copied()).collect();
        for id in deleted {
            if let Some(source) = self.followed.get(&id).map(|f| f.source.clone()) {
                self.give_up(&source, Why::Stopped);
            }
        }
        self.next_figures = Instant::now();
        self.show(self.next_figures);
    }

    /// Whether everything of a source is safe elsewhere.
    pub(super) fn settled(&self, source: &Source) -> bool {
        if !self.shared.settings.ships {
            return true;
        }
        let inner = source.inner();
        inner.acknowledged.offset >= inner.tide.len
    }

    /// Lets a source go; what was not acknowledged of it is a gap.
    pub(super) fn give_up(&mut self, source: &Arc<Source>, why: Why) {
        let vol = self.followed.get(&source.id()).map(|f| f.vol);
        if let (Some(vol), true) = (vol, self.shared.settings.ships) {
            let (from, to) = (source.acknowledged_to().mark.offset, source.len());
            self.gap(source, vol, from, to, why);
        }
        self.let_go(source);
    }

    fn let_go(&mut self, source: &Arc<Source>) {
        let id = source.id();
        self.count_lost(id);
        let Some(Followed { vol, before, .. }) = self.followed.remove(&id) else { return };
        let identity = source.identity();
        self.heads.remove(identity.head, id);
        for before in before {
            self.heads.remove(before.head, id);
        }
        self.by_inode.remove(&(identity.dev, identity.ino));
        if let Some(vol) = self.vols.get_mut(&vol) {
            vol.sources.remove(&id);
            vol.deleted.remove(&id);
        }
        self.shared.shown().sources.remove(&id);
        {
            let mut inner = source.inner();
            // nobody opens it again from here on
            inner.tide.state = State::Deleted;
            inner.tally = None;
        }
        source.close();
        source.publish();
        self.set_changed = true;
    }
}
