//! One look at a followed file: did it grow, or was it truncated or rewritten?
//!
//! A length alone lies: a file truncated and written past its old end looks as if it had grown. So each look that finds another length
//! proves that what lay before the old end still lies there.

use super::Follower;
use super::tree::{Before, Ended};
use crate::files::Why;
use crate::identity::{HASHED, Head, Mark};
use crate::source::{Inner, Previous, Source, SourceId};
use rustix::fs::Stat;
use std::io;
use std::time::Instant;

/// Ended generations of a file whose copies are recognised.
const GENERATIONS: usize = 4;

/// What a look found.
pub(super) enum Change {
    None,
    Grown,
    /// It was truncated while it was looked at.
    Again,
    /// Truncated or rewritten: where its old generation ended, and how it is recognised.
    Restarted {
        old: Before,
        read_to: u64,
        end: u64,
    },
}

impl Follower {
    /// Has a source looked at in this round.
    pub(super) fn touch(&mut self, id: SourceId) {
        if let Some(followed) = self.followed.get_mut(&id) {
            if !std::mem::replace(&mut followed.touched, true) {
                self.touched.push(id);
            }
        }
    }

    /// Looks at all that were written, new files first: the copy of a file is seen before its original is found truncated.
    pub(super) fn look_at_touched(&mut self, now: Instant) {
        let touched = std::mem::take(&mut self.touched);
        let (new, old): (Vec<_>, Vec<_>) =
            touched.into_iter().partition(|id| self.followed.get(id).is_some_and(|f| f.undecided));
        for id in new.into_iter().chain(old) {
            if let Some(followed) = self.followed.get_mut(&id) {
                followed.touched = false;
                self.look(id, now);
            }
        }
    }

    /// Looks at one of them; true if it changed.
    pub(super) fn look(&mut self, id: SourceId, now: Instant) -> bool {
        let Some(followed) = self.followed.get(&id) else { return false };
        let source = followed.source.clone();
        let was_open = source.inner().file.is_some();
        let head = source.identity().head;
        let change = match examine(&source) {
            Ok((change, stat)) => {
                self.open += usize::from(!was_open);
                let on_disk = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
                if let Some(followed) = self.followed.get_mut(&id) {
                    followed.on_disk = on_disk;
                }
                change
            }
            Err(error) => {
                // closed and not under its name any more, or the disk's fault: the next look at everything tries again
                tracing::debug!("{}: {error}", source.name());
                return false;
            }
        };
        let grown = source.identity().head;
        if grown != head {
            self.heads.remove(head, id);
            self.heads.add(grown, id);
        }
        let Some(followed) = self.followed.get_mut(&id) else { return false };
        match change {
            Change::None => return false,
            Change::Again => {
                self.touch(id);
                return false;
            }
            Change::Grown => {
                followed.grown = now;
                if followed.undecided {
                    self.settle_now = true;
                    if !std::mem::replace(&mut followed.waits, true) {
                        self.undecided.push(id);
                    }
                }
            }
            Change::Restarted { old, read_to, end } => {
                followed.grown = now;
                let undecided = std::mem::take(&mut followed.undecided);
                self.restarted(id, (!undecided).then_some(old), read_to, end);
            }
        }
        if source.start().is_some() {
            self.shared.woken.push(&source);
        }
        source.publish();
        true
    }

    /// A generation ended. What nobody read of it is lost, unless a copy has it: the copy may not be found yet, so the next generation is
    /// not shipped in this round.
    fn restarted(&mut self, id: SourceId, old: Option<Before>, read_to: u64, end: u64) {
        self.release(id);
        self.settle_now = true;
        let round = self.round;
        let Some(followed) = self.followed.get_mut(&id) else { return };
        followed.source.inner().start = None;
        followed.ended = Some(Ended { round, read_to, end, copied: 0 });
        if !self.held.contains(&id) {
            self.held.push(id);
        }
        let Some(old) = old.filter(|old| old.head.len > 0) else { return };
        followed.before.push(old);
        let forgotten = (followed.before.len() > GENERATIONS).then(|| followed.before.remove(0));
        self.heads.add(old.head, id);
        if let Some(forgotten) = forgotten {
            self.heads.remove(forgotten.head, id);
        }
    }

    /// Lets a new generation be shipped, and counts what was lost of the one before.
    pub(super) fn release(&mut self, id: SourceId) {
        let Some(followed) = self.followed.get_mut(&id) else { return };
        let Some(ended) = followed.ended.take() else { return };
        let (source, vol) = (followed.source.clone(), followed.vol);
        source.inner().start = Some(Mark::START);
        if self.shared.settings.ships {
            self.gap(&source, vol, ended.read_to.max(ended.copied), ended.end, Why::Truncated);
        }
        self.shared.woken.push(&source);
    }
}

/// Asks the kernel how long it is, and proves that it only grew.
fn examine(source: &Source) -> io::Result<(Change, Stat)> {
    let file = source.file()?;
    // before the length is asked: a reader may get further meanwhile
    let (seen, before_ns, suspected, generation, read_to, head) = {
        let mut inner = source.inner();
        let suspected = inner.suspected.take();
        let (generation, head) = (inner.tide.generation, inner.identity.head);
        (inner.seen, inner.changed_ns, suspected, generation, inner.read_to, head)
    };
    let stat = rustix::fs::fstat(&*file)?;
    let len = u64::try_from(stat.st_size).unwrap_or(0);
    let changed_ns = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
    if len == seen.offset && changed_ns == before_ns && suspected.is_none() {
        return Ok((Change::None, stat));
    }
    let whole = usize::from(head.len) == HASHED;
    let first = if whole { None } else { Some(read_head(source)?) };
    let now = source.mark_at(len)?;
    // proven last: what was read above is of the generation that is there now, or else it is looked at again
    let suspected = suspected.filter(|place| place.generation == generation);
    let same = len >= seen.offset.max(read_to)
        && still(source, &seen)?
        && match suspected {
            Some(place) => len >= place.mark.offset && still(source, &place.mark)?,
            None => true,
        };
    let head = match first {
        Some(first) => first,
        None if same => head,
        None => read_head(source)?,
    };
    let mut again = [0; HASHED];
    let got = source.fill_at(0, &mut again)?;
    let Some(now) = now.filter(|_| head.begins(&again[..got])) else {
        source.inner().suspected = suspected;
        return Ok((Change::Again, stat));
    };
    let mut inner = source.inner();
    inner.changed_ns = changed_ns;
    inner.modified_ms = u64::try_from(
        i128::from(stat.st_mtime) * 1_000 + i128::from(stat.st_mtime_nsec) / 1_000_000,
    )
    .unwrap_or(0);
    let change = if same {
        if head.len > inner.identity.head.len {
            inner.identity.head = head;
        }
        // a reader that was wrong to doubt is told to go on
        let told = now.offset == inner.tide.len && suspected.is_none();
        if told { Change::None } else { Change::Grown }
    } else {
        restart(&mut inner, head, changed_ns)
    };
    inner.seen = now;
    inner.tide.len = now.offset;
    Ok((change, stat))
}

/// Whether what lies before a mark is as it was. NUL bytes that became something else are a file written into its holes, not rewritten.
fn still(source: &Source, mark: &Mark) -> io::Result<bool> {
    Ok(mark.is_nul() || source.still(mark)?)
}

fn read_head(source: &Source) -> io::Result<Head> {
    let mut head = [0; HASHED];
    let got = source.fill_at(0, &mut head)?;
    Ok(Head::of(&head[..got]))
}

/// Begins a generation.
fn restart(inner: &mut Inner, head: Head, until_ns: i128) -> Change {
    let (generation, mark) = (inner.tide.generation, inner.acknowledged);
    let old = Before { generation: Some(generation), head: inner.identity.head, mark, until_ns };
    let read_to = inner.read_to;
    let change = Change::Restarted { old, read_to, end: inner.tide.len };
    if inner.previous.len() == GENERATIONS {
        inner.previous.pop_front();
    }
    inner.previous.push_back(Previous { generation, acknowledged: mark, read_to });
    inner.identity.head = head;
    inner.tide.generation += 1;
    inner.start = Some(Mark::START);
    inner.acknowledged = Mark::START;
    inner.read_to = 0;
    change
}
