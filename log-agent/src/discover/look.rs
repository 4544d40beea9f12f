//! One look at a followed file: did it grow, or was it truncated or rewritten?
//!
//! A length alone lies: a file truncated and written past its old end looks as if it had grown. So each look that finds another length
//! proves that what lay before the old end still lies there.

use super::Follower;
use super::tree::Before;
use crate::files::Why;
use crate::identity::{HASHED, Head, Mark};
use crate::source::{Inner, Source, SourceId, Tide};
use rustix::fs::Stat;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// What a look found.
pub(super) enum Change {
    None,
    Grown,
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
            Change::Grown => {
                followed.grown = now;
                if followed.undecided && !std::mem::replace(&mut followed.waits, true) {
                    self.undecided.push(id);
                }
            }
            Change::Restarted { old, read_to, end } => {
                followed.grown = now;
                let undecided = std::mem::take(&mut followed.undecided);
                self.restarted(id, &source, (!undecided).then_some(old), read_to, end, now);
            }
        }
        if source.start().is_some() {
            self.shared.woken.push(&source);
        }
        source.publish();
        true
    }

    /// A generation ended. What nobody read of it is lost, unless a copy has it.
    fn restarted(
        &mut self,
        id: SourceId,
        source: &Arc<Source>,
        old: Option<Before>,
        read_to: u64,
        end: u64,
        now: Instant,
    ) {
        let Some(followed) = self.followed.get_mut(&id) else { return };
        let vol = followed.vol;
        let previous = std::mem::replace(&mut followed.before, old);
        if let Some(previous) = previous {
            self.heads.remove(previous.head, id);
        }
        if let Some(old) = old {
            self.heads.add(old.head, id);
        }
        if self.shared.settings.ships {
            let copied = old.map_or(0, |old| self.copied(id, old, now));
            self.gap(source, vol, read_to.max(copied), end, Why::Truncated);
        }
    }
}

/// Asks the kernel how long it is, and proves that it only grew.
fn examine(source: &Source) -> io::Result<(Change, Stat)> {
    let file = source.file()?;
    let stat = rustix::fs::fstat(&*file)?;
    let len = u64::try_from(stat.st_size).unwrap_or(0);
    let changed_ns = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
    let (seen, before_ns, suspected, generation) = {
        let mut inner = source.inner();
        (inner.seen, inner.changed_ns, inner.suspected.take(), inner.tide.generation)
    };
    if len == seen.offset && changed_ns == before_ns && suspected.is_none() {
        return Ok((Change::None, stat));
    }
    let suspected = suspected.filter(|place| place.generation == generation);
    let same = len >= seen.offset
        && still(source, &seen)?
        && match suspected {
            Some(place) => len >= place.mark.offset && still(source, &place.mark)?,
            None => true,
        };
    let head = read_head(source)?;
    // it may be truncated while it is looked at: what was not proven is left for the notice of that
    let now = source.mark_at(len)?.unwrap_or(if same { seen } else { Mark::START });
    let mut inner = source.inner();
    inner.changed_ns = changed_ns;
    inner.modified_ms = u64::try_from(
        i128::from(stat.st_mtime) * 1_000 + i128::from(stat.st_mtime_nsec) / 1_000_000,
    )
    .unwrap_or(0);
    let change = if same {
        if inner.identity.head.len < Head::of(&[0; HASHED]).len
            && head.len >= inner.identity.head.len
        {
            inner.identity.head = head;
        }
        if now.offset == inner.tide.len { Change::None } else { Change::Grown }
    } else {
        restart(&mut inner, head)
    };
    inner.seen = now;
    inner.tide.len = now.offset;
    Ok((change, stat))
}

/// Whether what lies before a mark is as it was. NUL bytes that became something else are a file written into its holes, not rewritten.
fn still(source: &Source, mark: &Mark) -> io::Result<bool> {
    let nuls = Mark::at(mark.offset, &[0; HASHED]);
    Ok(*mark == nuls || source.still(mark)?)
}

fn read_head(source: &Source) -> io::Result<Head> {
    let mut head = [0; HASHED];
    let got = source.fill_at(0, &mut head)?;
    Ok(Head::of(&head[..got]))
}

/// Begins a generation.
fn restart(inner: &mut Inner, head: Head) -> Change {
    let old = Before { head: inner.identity.head, mark: inner.acknowledged };
    let change = Change::Restarted { old, read_to: inner.read_to, end: inner.tide.len };
    inner.identity.head = head;
    inner.tide = Tide { generation: inner.tide.generation + 1, ..inner.tide };
    inner.start = Some(Mark::START);
    inner.acknowledged = Mark::START;
    inner.read_to = 0;
    change
}
