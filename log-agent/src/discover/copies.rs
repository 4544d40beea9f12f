//! Is a new file the copy of one that is shipped already?
//!
//! `copytruncate` copies a log to another name and then truncates it. Read as a new file, the copy would be shipped a second time; left
//! out, what was not shipped yet would be lost with the truncation. So a new file whose first bytes are those of a followed one, of the
//! generation before, or of one the journal remembers, is compared with it at the place that was acknowledged: the copy of a file that
//! was truncated goes on from there. A copy that ends before that place, because its original grew between the two steps, is found by the
//! places that one was seen to reach. While the original is still whole, a file that equals it so far waits a little; if no truncation comes,
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
/// A copy waits for what was read of its original and is not acknowledged yet so many times as long as for a truncation.
const ON_ITS_WAY: u32 = 30;
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
    /// The copy of a generation of another file: so far it is shipped; it waits that long for what may show more.
    Copy { of: SourceId, found: Found, waits: Duration },
}

/// What a copy has of a generation.
struct Found {
    /// As far as that was acknowledged, or nearly: go on there.
    start: Mark,
    /// It has everything before.
    copied: u64,
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
            let early = followed.is_some_and(|f| self.is_early(f));
            if early || self.has_undecided_copy(id) {
                self.held.push(id);
            } else {
                self.release(id);
            }
        }
    }

    /// Whether the copies of a generation that ended may not be found yet. A copy is made before its original is truncated, so its notice is
    /// there in the round after; where notices were lost or are none it takes a look at everything.
    fn is_early(&self, followed: &Followed) -> bool {
        let (Some(ended), Some(vol)) = (followed.ended, self.vols.get(&followed.vol)) else {
            return false;
        };
        let deaf = vol.deaf || vol.blind || vol.storm.is_some();
        ended.round == self.round || !vol.todo.is_empty() || (deaf && vol.last_scan <= ended.at)
    }

    /// Before everything in a volume was found nothing is decided there: an original may come yet.
    fn is_busy(&self, vol: VolId) -> bool {
        self.vols.get(&vol).is_some_and(|v| !v.todo.is_empty() || v.deaf)
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
                Origin::Alike if quiet < pace => continue,
                Origin::Copy { waits, .. } if quiet < waits => continue,
                Origin::Copy { found, of, .. } => {
                    start = found.start;
                    if let Some(original) = self.followed.get(&of) {
                        source.leaves_with(&original.source);
                    }
                    if let Some(ended) = self.followed.get_mut(&of).and_then(|f| f.ended.as_mut()) {
                        ended.copied = ended.copied.max(found.copied);
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
            self.shared.woken.begin(&source);
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
                if let Some(found) = copy_of(source, before, mark)? {
                    let pace = self.shared.settings.pace.copy;
                    let waits = match () {
                        // what was read of it may be acknowledged still
                        () if on_its_way => pace * ON_ITS_WAY,
                        // the rest of it may still be written
                        () if found.start.offset < mark.offset => pace,
                        () => Duration::ZERO,
                    };
                    return Ok(Origin::Copy { of: candidate, found, waits });
                }
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
    pub(super) fn has_undecided_copy(&self, original: SourceId) -> bool {
        let ended = self.followed.get(&original).filter(|of| !of.before.is_empty());
        let Some(of) = ended else { return false };
        let waits = self.undecided.iter().filter_map(|id| self.followed.get(id));
        let mut waits = waits.filter(|f| f.undecided && f.vol == of.vol);
        waits.any(|f| {
            f.source.id() != original && {
                of.before.iter().any(|before| {
                    let (mark, _) = acknowledged(&of.source, before);
                    copy_of(&f.source, before, mark).is_ok_and(|found| found.is_some())
                })
            }
        })
    }
}

/// How far an ended generation is acknowledged by now, and whether more of it was read.
pub(super) fn acknowledged(source: &Source, before: &Before) -> (Mark, bool) {
    let inner = source.inner();
    match inner.previous.iter().find(|p| Some(p.generation) == before.generation) {
        Some(now) => (now.acknowledged, now.read_to > now.acknowledged.offset),
        None => (before.mark, false),
    }
}

/// What a file has of a generation that was acknowledged as far as `mark`; None if it is no copy of that.
fn copy_of(source: &Source, old: &Before, mark: Mark) -> io::Result<Option<Found>> {
    let mut first = [0; HASHED];
    let got = source.fill_at(0, &mut first)?;
    let born = source.identity().birth;
    let born = born.map(|(s, ns)| i128::from(s) * 1_000_000_000 + i128::from(ns));
    if born.is_some_and(|born| born > old.until_ns) || !old.head.begins(&first[..got]) {
        return Ok(None);
    }
    let len = source.len();
    let acknowledged = len >= mark.offset && source.still(&mark)?;
    if len >= mark.offset && !acknowledged {
        return Ok(None);
    }
    let mut reached = None;
    for place in old.marks.within(len) {
        if source.still(place)? {
            reached = Some(*place);
            break;
        }
    }
    let copied = reached.map_or(0, |reached| reached.offset);
    Ok(match (acknowledged, reached) {
        (true, _) if mark.offset > 0 => {
            Some(Found { start: mark, copied: copied.max(mark.offset) })
        }
        // nothing was acknowledged, or more than the copy has
        (true, Some(_)) => Some(Found { start: mark, copied }),
        (false, Some(start)) => Some(Found { start, copied }),
        (_, None) => None,
    })
}

/// Whether the shorter of two files is the beginning of the other, by its last bytes.
fn equal_so_far(one: &Source, other: &Source) -> io::Result<bool> {
    let at = one.len().min(other.len());
    Ok(one.len() <= other.len() && one.mark_at(at)? == other.mark_at(at)?)
}
