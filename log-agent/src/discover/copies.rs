//! Is a new file the copy of one that is shipped already?
//!
//! `copytruncate` copies a log to another name and then truncates it. Read as a new file, the copy would be shipped a second time; left
//! out, what was not shipped yet would be lost with the truncation. So a new file whose first bytes are those of a followed one, of the
//! generation before, or of one the journal remembers, is compared with it at the place that was acknowledged: the copy of a file that
//! was truncated goes on from there. While the original is still whole, a file that equals it so far waits a little; if no truncation comes,
//! it is a file of its own and shipped from its first byte.

use super::Follower;
use super::tree::{Before, Followed, VolId};
use crate::identity::{HASHED, Head, Mark};
use crate::source::{Source, SourceId};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Originals compared with one new file: more of them begin alike only where nothing can be told apart anyway.
const COMPARED: usize = 64;
/// Between two comparisons of files that wait, and the share of the time they may take.
const AGAIN: Duration = Duration::from_millis(50);
const SHARE: u32 = 20;

/// Files by their first bytes.
#[derive(Debug)]
pub(super) struct Heads<T> {
    files: HashMap<Head, Vec<T>>,
    /// How many heads have this length: a new file is hashed at each of them.
    lens: BTreeMap<u16, usize>,
}

impl<T> Default for Heads<T> {
    fn default() -> Self {
        Self { files: HashMap::new(), lens: BTreeMap::new() }
    }
}

impl<T: Copy + Eq> Heads<T> {
    pub(super) fn add(&mut self, head: Head, id: T) {
        if head.len > 0 {
            self.files.entry(head).or_default().push(id);
            *self.lens.entry(head.len).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, head: Head, id: T) {
        let Some(of_head) = self.files.get_mut(&head) else { return };
        let Some(at) = of_head.iter().position(|s| *s == id) else { return };
        of_head.swap_remove(at);
        if of_head.is_empty() {
            self.files.remove(&head);
        }
        if let Some(count) = self.lens.get_mut(&head.len) {
            *count -= 1;
            if *count == 0 {
                self.lens.remove(&head.len);
            }
        }
    }

    /// The files whose known first bytes a file begins with.
    pub(super) fn alike(&self, first: &[u8]) -> Vec<T> {
        let lens = self.lens.keys().map(|len| usize::from(*len));
        let heads = lens.take_while(|len| *len <= first.len()).map(|len| Head::of(&first[..len]));
        heads.filter_map(|head| self.files.get(&head)).flatten().copied().collect()
    }
}

/// What a new file is.
enum Origin {
    /// One of its own.
    Own,
    /// It equals another one as far as it goes; that one is whole.
    Alike,
    /// The copy of a generation of another file: go on where that was acknowledged; what is on its way may be acknowledged soon.
    Copy { of: SourceId, mark: Mark, waits: bool },
}

impl Follower {
    /// Decides what new files are, as far as it can be decided, and lets new generations go on whose copies are found.
    pub(super) fn settle_copies(&mut self, now: Instant) {
        if self.undecided.is_empty() && self.held.is_empty() {
            return;
        }
        if self.settle_now || self.settle_at <= now {
            let started = Instant::now();
            self.settle_undecided(now);
            let cost = started.elapsed();
            self.settle_at = now + AGAIN.max(cost * SHARE);
            // a volume full of files that begin alike must not cost the others
            self.settle_now = false;
        }
        for id in std::mem::take(&mut self.held) {
            let followed = self.followed.get(&id);
            let ended = followed.and_then(|f| f.ended).is_some_and(|e| e.round == self.round);
            let busy = followed.is_some_and(|f| self.is_busy(f.vol));
            if ended || busy || self.has_undecided_copy(id) {
                self.held.push(id);
            } else {
                self.release(id);
            }
        }
    }

    /// Before everything in a volume was found nothing is decided there: an original may come yet.
    fn is_busy(&self, vol: VolId) -> bool {
        self.vols.get(&vol).is_some_and(|v| !v.todo.is_empty())
    }

    fn settle_undecided(&mut self, now: Instant) {
        let pace = self.shared.settings.pace.copy;
        // copies before truncated originals: whoever keeps a journal hears of them in this order
        let mut undecided = self.undecided.clone();
        undecided.sort_by_key(|id| self.followed.get(id).is_some_and(|f| !f.before.is_empty()));
        for id in undecided {
            let Some(followed) = self.followed.get(&id).filter(|f| f.undecided) else { continue };
            if self.is_busy(followed.vol) {
                continue;
            }
            let (source, quiet) = (followed.source.clone(), now.duration_since(followed.grown));
            // what cannot be read cannot be compared
            let mut start = Mark::START;
            match self.origin(id, &source, now).unwrap_or(Origin::Own) {
                Origin::Alike | Origin::Copy { waits: true, .. } if quiet < pace => continue,
                Origin::Copy { mark, of, .. } => {
                    start = mark;
                    if let Some(ended) = self.followed.get_mut(&of).and_then(|f| f.ended.as_mut()) {
                        ended.copied = ended.copied.max(source.len());
                    }
                }
                Origin::Own | Origin::Alike if self.has_undecided_copy(id) => continue,
                Origin::Own | Origin::Alike => {}
            }
            match self.followed.get_mut(&id) {
                // the look at an original may have been its own
                Some(followed) if followed.undecided => followed.undecided = false,
                _ => continue,
            }
            let mut inner = source.inner();
            inner.start = Some(start);
            inner.acknowledged = start;
            inner.read_to = inner.read_to.max(start.offset);
            drop(inner);
            self.shared.woken.push(&source);
        }
        let followed = &self.followed;
        self.undecided.retain(|id| followed.get(id).is_some_and(|f| f.undecided));
    }

    fn origin(&mut self, id: SourceId, source: &Arc<Source>, now: Instant) -> io::Result<Origin> {
        let mut first = [0; HASHED];
        let got = source.fill_at(0, &mut first)?;
        let first = &first[..got];
        let mut candidates = self.heads.alike(first);
        candidates.retain(|c| *c != id && self.same_volume(id, *c));
        candidates.truncate(COMPARED);
        let mut alike = false;
        for candidate in candidates {
            // it may have been truncated since it was last looked at
            self.look(candidate, now);
            let Some(Followed { source: other, before, undecided, .. }) =
                self.followed.get(&candidate)
            else {
                continue;
            };
            for before in before {
                let (mark, on_its_way) = acknowledged(other, before);
                let before = Before { mark, ..*before };
                if copy_of(source, &before)? {
                    // what was read of it may be acknowledged still
                    return Ok(Origin::Copy { of: candidate, mark, waits: on_its_way });
                }
                // the rest of it may still be written
                alike |= before.head.begins(first) && source.len() < mark.offset;
            }
            // two new files that are alike wait for nothing from each other
            if !undecided {
                let other = other.clone();
                let generation = other.generation();
                alike |= equal_so_far(source, &other)?;
                // truncated while it was compared: the next comparison knows
                self.look(candidate, now);
                alike |= other.generation() != generation;
            }
        }
        Ok(if alike { Origin::Alike } else { Origin::Own })
    }

    fn same_volume(&self, one: SourceId, other: SourceId) -> bool {
        let vol = |id| self.followed.get(&id).map(|f: &Followed| f.vol);
        vol(one) == vol(other)
    }

    /// Whether a file that waits is a copy of an ended generation.
    fn has_undecided_copy(&self, original: SourceId) -> bool {
        let Some(of) = self.followed.get(&original) else { return false };
        let waits = self.undecided.iter().filter_map(|id| self.followed.get(id));
        let mut waits = waits.filter(|f| f.undecided && f.vol == of.vol);
        waits.any(|f| {
            f.source.id() != original && {
                of.before.iter().any(|before| {
                    let (mark, _) = acknowledged(&of.source, before);
                    copy_of(&f.source, &Before { mark, ..*before }).unwrap_or(false)
                })
            }
        })
    }
}

/// How far an ended generation is acknowledged by now, and whether more of it was read.
fn acknowledged(source: &Source, before: &Before) -> (Mark, bool) {
    let inner = source.inner();
    match inner.previous.iter().find(|p| Some(p.generation) == before.generation) {
        Some(now) => (now.acknowledged, now.read_to > now.acknowledged.offset),
        None => (before.mark, false),
    }
}

/// Whether a file has what was acknowledged of a generation.
fn copy_of(source: &Source, old: &Before) -> io::Result<bool> {
    let mut first = [0; HASHED];
    let got = source.fill_at(0, &mut first)?;
    let born = source.identity().birth;
    let born = born.map(|(s, ns)| i128::from(s) * 1_000_000_000 + i128::from(ns));
    Ok(born.is_none_or(|born| born <= old.until_ns)
        && old.head.begins(&first[..got])
        && source.len() >= old.mark.offset
        && source.still(&old.mark)?)
}

/// Whether the shorter of two files is the beginning of the other, by its last bytes.
fn equal_so_far(one: &Source, other: &Source) -> io::Result<bool> {
    let at = one.len().min(other.len());
    Ok(one.len() <= other.len() && one.mark_at(at)? == other.mark_at(at)?)
}
