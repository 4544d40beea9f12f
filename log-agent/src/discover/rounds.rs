//! What makes rounds cheap: notices while files are quiet, looks while they are busy, and a look at everything now and then.

use super::Follower;
use super::tree::{Dir, DirId, Task, Vol, VolId, What, Writes};
use super::watches::Notice;
use crate::beneath::Held;
use crate::source::SourceId;
use rustix::io::Errno;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A pause of that length between two writes ends a run of them.
const PAUSE: Duration = Duration::from_millis(10);
/// Writes without a pause for so long make a directory busy.
const RUN: Duration = Duration::from_millis(200);
/// So many notices within that time do, too.
const FLOOD: u32 = 2_000;
/// A directory nobody wrote to for so long is quiet again.
const QUIET: Duration = Duration::from_millis(250);
/// Most files of a busy directory, unless notices are a flood.
const FEW: usize = 64;
/// Looking at the files of one busy directory takes at most one part in so many of the time, unless that were too slow for a reader.
const SHARE: u32 = 100;
const SLOWEST: Duration = Duration::from_millis(20);
/// Looking at everything in all volumes together, likewise.
const SHARE_OF_ALL: u32 = 6_000;
/// Volumes that are due within this part of the pause are looked at together: a wake-up costs more than a look at a few files.
const TOGETHER: u32 = 8;
/// After notices were lost it may take more.
const SHARE_URGENT: u32 = 20;
/// However long it takes, everything is looked at after so many times the usual pause.
const LONGEST: u32 = 12;
/// A volume without watches is looked at so often.
const BLIND: Duration = Duration::from_millis(500);

impl Follower {
    /// Takes the kernel's notices; whether there were any.
    pub(super) fn hear(&mut self, now: Instant) -> bool {
        self.watches.drain();
        let taken = self.watches.take();
        for notice in &taken.0 {
            match notice {
                Notice::Overflow => {
                    self.shared.overflows.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(
                        "too many notices of log files at once: everything is looked at"
                    );
                    for vol in self.vols.values_mut() {
                        vol.next_scan = now;
                        (vol.urgent, vol.deaf) = (true, true);
                    }
                }
                Notice::Gone(dir) => self.unwatched(*dir),
                Notice::Modified(dir, name) => self.written(*dir, &taken.1[name.clone()], now),
                Notice::Entry(dir, name) => self.named(*dir, &taken.1[name.clone()], now),
            }
        }
        let any = !taken.0.is_empty();
        self.watches.give_back(taken);
        any
    }

    /// A directory is gone, or its file system.
    fn unwatched(&mut self, id: DirId) {
        let Some(dir) = self.dirs.get_mut(&id) else { return };
        dir.wd = None;
        if let Some(vol) = self.vols.get_mut(&dir.vol) {
            vol.todo.push_back(Task::List(id));
        }
    }

    fn written(&mut self, id: DirId, name: &[u8], now: Instant) {
        let Some(dir) = self.dirs.get_mut(&id) else { return };
        match dir.slots.get(name).map(|slot| slot.what) {
            Some(What::File(source)) => self.touch(source),
            Some(What::Dir(_) | What::No(_)) => {}
            None => self.named(id, name, now),
        }
        let Some(dir) = self.dirs.get_mut(&id) else { return };
        let Writes::Told { since, last, count } = dir.writes else { return };
        let run = now.duration_since(last) < PAUSE;
        let (since, count) = if run { (since, count.saturating_add(1)) } else { (now, 1) };
        dir.writes = Writes::Told { since, last: now, count };
        let long = now.duration_since(since) >= RUN;
        if long && (dir.slots.len() <= FEW || count >= FLOOD) {
            dir.writes = Writes::Looked { next: now, grown: now };
            self.busy.push(id);
            self.rewatch(id);
        }
    }

    /// Something was born, renamed or deleted.
    fn named(&mut self, id: DirId, name: &[u8], now: Instant) {
        let Some(vol) = self.dirs.get(&id).map(|dir| dir.vol) else { return };
        let limits = self.shared.settings.limits;
        let Some(of) = self.vols.get_mut(&vol) else { return };
        if now.duration_since(of.events.0) >= Duration::from_secs(1) {
            of.events = (now, 0);
        }
        of.events.1 += 1;
        if of.events.1 > limits.events {
            return self.storm(vol, now);
        }
        of.todo.push_back(Task::Check(id, name.into()));
    }

    /// A volume with more births and deaths than can be followed one by one must not cost the others: no notices for a while.
    fn storm(&mut self, vol: VolId, now: Instant) {
        let Some(of) = self.vols.get_mut(&vol) else { return };
        if of.storm.is_some() {
            return;
        }
        of.storm = Some(now + BLIND);
        of.storms += 1;
        if of.storms == 1 {
            tracing::warn!(
                "{}: too many files are made, renamed or deleted in {}: it is looked at twice a second while that lasts",
                of.owner.instance.app,
                of.path.display()
            );
        }
        self.figures_changed = true;
        for id in of.dirs.clone() {
            if let Some(wd) = self.dirs.get_mut(&id).and_then(|dir| dir.wd.take()) {
                self.watches.forget(wd, id);
            }
        }
    }

    /// Watches a directory as its state wants it.
    pub(super) fn watch(&mut self, id: DirId, held: &Held) {
        let Some(dir) = self.dirs.get_mut(&id) else { return };
        let Some(vol) = self.vols.get_mut(&dir.vol) else { return };
        if vol.storm.is_some() {
            return;
        }
        let writes = matches!(dir.writes, Writes::Told { .. });
        match self.watches.watch(id, held, writes) {
            Ok(wd) => dir.wd = Some(wd),
            Err(error) => {
                dir.wd = None;
                if !vol.blind && error != Errno::NOSYS {
                    tracing::warn!(
                        "{}: {} cannot be watched ({error}; see fs.inotify.max_user_watches): it is looked at twice a second",
                        vol.owner.instance.app,
                        vol.path.display()
                    );
                }
                vol.blind = true;
            }
        }
    }

    fn rewatch(&mut self, id: DirId) {
        let Some(dir) = self.dirs.get(&id) else { return };
        let Some(root) = self.vols.get(&dir.vol).and_then(|vol| vol.root.clone()) else { return };
        // gone or replaced meanwhile: its parent tells
        let held = root.hold(dir.name.as_ref());
        if let Some(held) =
            held.ok().filter(|h| h.ino_and_change().is_ok_and(|(ino, _)| ino == dir.ino))
        {
            self.watch(id, &held);
        }
    }

    pub(super) fn files_of(dir: &Dir) -> Vec<SourceId> {
        dir.slots
            .values()
            .filter_map(|slot| match slot.what {
                What::File(source) => Some(source),
                _ => None,
            })
            .collect()
    }

    /// Looks at the files of busy directories.
    pub(super) fn mind_busy(&mut self, now: Instant) {
        for id in self.busy.clone() {
            let Some(dir) = self.dirs.get(&id) else { continue };
            let Writes::Looked { next, mut grown } = dir.writes else { continue };
            if now < next {
                continue;
            }
            let started = Instant::now();
            for source in Self::files_of(dir) {
                if self.look(source, now) {
                    grown = now;
                }
            }
            let cost = started.elapsed() * SHARE;
            let next = now + cost.clamp(self.shared.settings.pace.gather.min(SLOWEST), SLOWEST);
            let quiet = now.duration_since(grown) >= QUIET;
            let Some(dir) = self.dirs.get_mut(&id) else { continue };
            dir.writes = if quiet { Writes::told(now) } else { Writes::Looked { next, grown } };
            if quiet {
                self.busy.retain(|busy| *busy != id);
                self.rewatch(id);
                // what came before the notices did
                let files = self.dirs.get(&id).map(Self::files_of).unwrap_or_default();
                files.into_iter().for_each(|source| {
                    self.look(source, now);
                });
            }
        }
    }

    /// Looks at everything in the volumes where that is due.
    pub(super) fn mind_volumes(&mut self, now: Instant) {
        let is_due =
            |v: &Vol, at: Instant| v.next_scan <= at || v.storm.is_some_and(|until| until <= now);
        let due: Vec<VolId> = if self.vols.values().any(|v| is_due(v, now)) {
            let soon = now + self.shared.settings.pace.rescan / TOGETHER;
            self.vols.iter().filter(|(_, v)| is_due(v, soon)).map(|(id, _)| *id).collect()
        } else {
            Vec::new()
        };
        let of_all: Duration = self.vols.values().map(|v| v.spent).sum();
        for id in due {
            let Some(vol) = self.vols.get_mut(&id) else { continue };
            if !vol.todo.is_empty() {
                // the last look is not done yet: nothing would ever be decided if it had no end
                continue;
            }
            let stormed = vol.storm.is_some_and(|until| until <= now);
            let pause = if vol.urgent || stormed || vol.blind {
                vol.spent * SHARE_URGENT
            } else if vol.root.is_none() {
                // it only may have come to be
                Duration::ZERO
            } else {
                of_all * SHARE_OF_ALL
            };
            let longest = self.shared.settings.pace.rescan * LONGEST;
            let earliest = vol.last_scan + pause.min(longest);
            if now < earliest {
                // a round tells that this thread lives
                vol.next_scan = earliest.min(now + self.shared.settings.pace.rescan);
                vol.storm = vol.storm.map(|until| until.max(earliest));
                continue;
            }
            vol.storm = vol.storm.filter(|_| !stormed);
            (vol.blind, vol.urgent, vol.deaf) = (false, false, false);
            (vol.last_scan, vol.spent) = (now, Duration::ZERO);
            self.rescan(id, now);
            let pace = self.shared.settings.pace.rescan;
            if let Some(vol) = self.vols.get_mut(&id) {
                vol.spent += now.elapsed();
                vol.next_scan = now + if vol.blind { BLIND.min(pace) } else { pace };
            }
        }
        if self.shared.bell.too_many() > 0 {
            self.close_idle(now);
        }
    }

    fn rescan(&mut self, id: VolId, now: Instant) {
        let Some(vol) = self.vols.get(&id) else { return };
        let Some(root) = vol.root.clone() else { return self.open_volume(id, now) };
        // the directory may have been replaced by another one of the same path
        let replaced = rustix::fs::stat(&vol.path).map_or(true, |s| {
            root.hold(None)
                .and_then(|h| h.ino_and_change())
                .map_or(true, |(ino, _)| (s.st_dev, s.st_ino) != (root.dev(), ino))
        });
        if replaced {
            if let Some(top) = vol.dirs.first().copied() {
                self.drop_dir(top, None);
            }
            if let Some(vol) = self.vols.get_mut(&id) {
                vol.root = None;
            }
            return self.open_volume(id, now);
        }
        let room = vol.sources.len() < self.shared.settings.limits.files;
        let dirs = vol.dirs.clone();
        for dir_id in dirs {
            let Some(dir) = self.dirs.get(&dir_id) else { continue };
            let held = root.hold(dir.name.as_ref());
            let changed = held.and_then(|h| h.ino_and_change());
            let as_listed = changed.is_ok_and(|(ino, at)| ino == dir.ino && dir.listed == Some(at));
            let complete = !dir.slots.values().any(|slot| super::scan::passing(slot.what))
                && (dir.over == 0 || !room);
            if as_listed && complete && dir.wd.is_some() {
                continue;
            }
            let Some(vol) = self.vols.get_mut(&id) else { return };
            vol.todo.push_back(Task::List(dir_id));
        }
        let Some(vol) = self.vols.get(&id) else { return };
        let changed = vol.sources.iter().filter(|(_, of)| !super::look::is_unchanged(of));
        let changed: Vec<SourceId> = changed.map(|(id, _)| *id).collect();
        for source in changed {
            let Some(followed) = self.followed.get(&source) else { continue };
            let of = followed.source.clone();
            let closed = of.inner().file.is_none();
            if !self.look(source, now) && closed {
                of.close();
            }
        }
    }

    /// Closes quiet files that are safe elsewhere, until few enough are open.
    fn close_idle(&mut self, now: Instant) {
        let mut idle: Vec<(Instant, SourceId)> = self
            .followed
            .iter()
            .filter(|(_, f)| {
                f.at.is_some()
                    && !f.undecided
                    && now.duration_since(f.grown) >= self.shared.settings.pace.idle
            })
            .filter(|(_, f)| self.settled(&f.source) && !f.source.is_held())
            .filter(|(_, f)| f.source.inner().file.is_some())
            .map(|(id, f)| (f.grown, *id))
            .collect();
        idle.sort_unstable();
        let most = self.shared.bell.too_many();
        for followed in idle.into_iter().take(most).filter_map(|(_, id)| self.followed.get(&id)) {
            followed.source.close();
        }
    }

    /// When there is something to do even if nothing is told.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let held =
            |id| self.followed.get(id).and_then(|f| f.ended).is_some_and(|e| e.round == self.round);
        let work = !self.touched.is_empty()
            || self.held.iter().any(held)
            || !self.unplaced.is_empty()
            || self.vols.values().any(|v| !v.todo.is_empty());
        if work {
            return now;
        }
        let scans = self.vols.values().flat_map(|v| [Some(v.next_scan), v.storm]).flatten();
        let busy = self.busy.iter().filter_map(|id| match self.dirs.get(id)?.writes {
            Writes::Looked { next, .. } => Some(next),
            Writes::Told { .. } => None,
        });
        let departed =
            self.vols.values().any(|v| !v.deleted.is_empty()).then_some(self.next_departed);
        let copies = (!self.undecided.is_empty()).then_some(self.settle_at);
        let figures = self.figures_changed.then_some(self.next_figures);
        let all = scans.chain(busy).chain(departed).chain(copies).chain(figures);
        all.min().unwrap_or(now + Duration::from_secs(3_600))
    }
}
