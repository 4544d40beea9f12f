//! One look at a followed file: did it grow, or was it truncated or rewritten?
//!
//! A length alone lies: a file truncated and written past its old end looks as if it had grown. So each look that finds another length
//! proves that the first bytes and those before the old end still are what they were. Readers get no further than the last look did:
//! whatever was consumed, its first bytes are known, and some of the marks before it.

use super::Follower;
use super::tree::{Before, Ended};
use crate::files::Why;
use crate::identity::{HASHED, Head, Mark};
use crate::source::{Inner, Previous, Source, SourceId};
use rustix::fs::Stat;
use std::io;
use std::time::{Duration, Instant, SystemTime};

/// Ended generations of a file whose copies are recognised.
const GENERATIONS: usize = 4;
/// Two changes within this time may leave the same time in the inode: the kernel's clock for that ticks every 1 to 10 ms.
const TICK: Duration = Duration::from_millis(20);

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
        let head = source.identity().head;
        let change = match examine(&source) {
            Ok(change) => change,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.not_under_its_name(id);
                return false;
            }
            Err(error) => {
                // the disk's fault: the next look at everything tries again
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
                followed.marks.add(source.inner().seen);
                if followed.undecided {
                    self.settle_now = true;
                    if !std::mem::replace(&mut followed.waits, true) {
                        self.undecided.push(id);
                    }
                }
            }
            Change::Restarted { old, read_to, end } => {
                followed.grown = now;
                followed.undecided = false;
                let marks = std::mem::take(&mut followed.marks);
                followed.marks.add(source.inner().seen);
                self.restarted(id, Before { marks, ..old }, read_to, end, now);
            }
        }
        if source.is_decided() {
            self.shared.woken.push(&source);
        }
        source.publish();
        true
    }

    /// A generation ended. What nobody read of it is lost, unless a copy has it: the copy may not be found yet, so the next generation is
    /// not shipped in this round.
    fn restarted(&mut self, id: SourceId, old: Before, read_to: u64, end: u64, now: Instant) {
        self.count_lost(id);
        self.settle_now = true;
        let round = self.round;
        let Some(followed) = self.followed.get_mut(&id) else { return };
        followed.ended = Some(Ended { round, at: now, read_to, end, copied: 0 });
        let vol = followed.vol;
        if !self.held.contains(&id) {
            self.held.push(id);
        }
        if old.head.len > 0 {
            self.heads.add(old.head, id);
            followed.before.push(old);
            let forgotten =
                (followed.before.len() > GENERATIONS).then(|| followed.before.remove(0));
            if let Some(forgotten) = forgotten {
                self.heads.remove(forgotten.head, id);
            }
        }
        // where writes are not told the copy may be known by name and not by its bytes
        let busy = self.busy.iter().filter_map(|dir| self.dirs.get(dir)).filter(|d| d.vol == vol);
        let files: Vec<SourceId> = busy.flat_map(Self::files_of).collect();
        for file in files {
            if self.followed.get(&file).is_some_and(|f| f.undecided) {
                self.touch(file);
            }
        }
    }

    /// Lets a new generation be shipped, and counts what was lost of the one before.
    pub(super) fn release(&mut self, id: SourceId) {
        if !self.count_lost(id) {
            return;
        }
        let Some(followed) = self.followed.get(&id) else { return };
        followed.source.inner().start = Some(Mark::START);
        self.shared.woken.begin(&followed.source);
    }

    /// Counts what neither a reader nor a copy has of a generation that ended; false if none did lately.
    pub(super) fn count_lost(&mut self, id: SourceId) -> bool {
        let Some(followed) = self.followed.get_mut(&id) else { return false };
        let Some(ended) = followed.ended.take() else { return false };
        let (source, vol) = (followed.source.clone(), followed.vol);
        if self.shared.settings.ships {
            self.gap(&source, vol, ended.read_to.max(ended.copied), ended.end, Why::Truncated);
        }
        true
    }
}

/// Whether an open file surely is as it was last seen. It costs one system call, and of most files no more is ever asked. Nobody waits for
/// that call: a file system may hang.
pub(super) fn is_unchanged(source: &Source) -> bool {
    let inner = source.inner();
    let Some(file) = inner.file.clone().filter(|_| !inner.fresh && inner.suspected.is_none())
    else {
        return false;
    };
    let seen = (inner.seen.offset, inner.changed_ns, inner.on_disk);
    drop(inner);
    let now = rustix::fs::fstat(&*file);
    now.is_ok_and(|stat| (len(&stat), changed_ns(&stat), on_disk(&stat)) == seen)
}

fn len(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn changed_ns(stat: &Stat) -> i128 {
    i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec)
}

fn on_disk(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512)
}

/// Asks the kernel how long it is, and proves that it only grew.
fn examine(source: &Source) -> io::Result<Change> {
    let file = source.file()?;
    // before the length is asked: a reader may get further meanwhile
    let (seen, before_ns, before_on_disk, fresh, suspected, generation, read_to, known) = {
        let mut inner = source.inner();
        let suspected = inner.suspected.take();
        let (generation, head) = (inner.tide.generation, inner.identity.head);
        let (at, on_disk, fresh) = (inner.changed_ns, inner.on_disk, inner.fresh);
        (inner.seen, at, on_disk, fresh, suspected, generation, inner.read_to, head)
    };
    let stat = rustix::fs::fstat(&*file)?;
    let (len, changed_ns, on_disk) = (len(&stat), changed_ns(&stat), on_disk(&stat));
    if len == seen.offset && changed_ns == before_ns && !fresh && suspected.is_none() {
        if on_disk != before_on_disk {
            source.inner().on_disk = on_disk;
        }
        return Ok(Change::None);
    }
    let fresh = is_fresh(changed_ns);
    let first = First::of(source, len)?;
    let now = source.mark_at(len)?;
    // proven last: what was read above is of the generation that is there now, or else it is looked at again
    let doubted = suspected.filter(|place| place.generation == generation);
    let same = len >= seen.offset.max(read_to)
        && known.begins(first.bytes())
        && still(source, &seen)?
        && match doubted {
            Some(place) => len >= place.mark.offset && still(source, &place.mark)?,
            None => true,
        };
    let unchanged = First::of(source, len)?.bytes() == first.bytes();
    let mut inner = source.inner();
    let Some(now) = now.filter(|_| unchanged) else {
        // a reader may have doubted again
        inner.suspected = inner.suspected.or(doubted);
        inner.fresh = true;
        return Ok(Change::Again);
    };
    inner.changed_ns = changed_ns;
    inner.on_disk = on_disk;
    inner.fresh = fresh;
    inner.modified_ms = u64::try_from(
        i128::from(stat.st_mtime) * 1_000 + i128::from(stat.st_mtime_nsec) / 1_000_000,
    )
    .unwrap_or(0);
    let head = first.head();
    let change = if same {
        if head.len > inner.identity.head.len {
            inner.identity.head = head;
        }
        // a reader that was wrong to doubt is told to go on
        let told = now.offset == inner.tide.len && doubted.is_none();
        if told { Change::None } else { Change::Grown }
    } else {
        restart(&mut inner, head, changed_ns)
    };
    inner.seen = now;
    inner.tide.len = now.offset;
    Ok(change)
}

fn is_fresh(changed_ns: i128) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.ok().and_then(|now| i128::try_from(now.as_nanos()).ok());
    let tick = i128::try_from(TICK.as_nanos()).unwrap_or(i128::MAX);
    now.is_none_or(|now| (now - changed_ns).abs() < tick)
}

/// Whether what lies before a mark is as it was. NUL bytes that became something else are a file written into its holes, not rewritten.
fn still(source: &Source, mark: &Mark) -> io::Result<bool> {
    Ok(mark.is_nul() || source.still(mark)?)
}

/// The first bytes of a file within the length it was seen to have.
struct First {
    bytes: [u8; HASHED],
    len: usize,
}

impl First {
    fn of(source: &Source, len: u64) -> io::Result<Self> {
        let mut bytes = [0; HASHED];
        let most = usize::try_from(len).map_or(HASHED, |len| len.min(HASHED));
        let len = source.fill_at(0, &mut bytes[..most])?;
        Ok(Self { bytes, len })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Without the NUL bytes at the end: a hole that may be filled yet.
    fn head(&self) -> Head {
        let nuls = self.bytes().iter().rev().take_while(|b| **b == 0).count();
        Head::of(&self.bytes()[..self.len - nuls])
    }
}

/// Begins a generation.
fn restart(inner: &mut Inner, head: Head, until_ns: i128) -> Change {
    let (generation, mark) = (inner.tide.generation, inner.acknowledged);
    let old = Before::new(Some(generation), inner.identity.head, mark, until_ns);
    let read_to = inner.read_to;
    let change = Change::Restarted { old, read_to, end: inner.tide.len };
    if inner.previous.len() == GENERATIONS {
        inner.previous.pop_front();
    }
    inner.previous.push_back(Previous { generation, acknowledged: mark, read_to });
    inner.identity.head = head;
    inner.tide.generation += 1;
    // until its copies are found
    (inner.start, inner.told) = (None, false);
    inner.acknowledged = Mark::START;
    inner.read_to = 0;
    change
}
