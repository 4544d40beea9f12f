//! The spool's books: which segments there are, what in them is acknowledged, by whom and when. Pure: no file, no socket, and the
//! clock (time since the start, monotonic) is an argument.
//!
//! Invariants, each held by the property tests below:
//! - Chunks are handed out oldest first, one at a time; what is acknowledged in a segment is always a beginning of it.
//! - `submitted = (acknowledged - replayed) + waiting + dropped + damaged`, in points, at every moment without a chunk in flight.
//! - A point leaves without having been acknowledged only at the cap, from memory that is full, or as damaged, and is counted there.
//! - When a destination ends, everything it acknowledged inside the replay window is waiting again, with all that came after.

use super::position::Position;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Times a segment may fail to be read before its rest is given up.
const READ_ATTEMPTS: u32 = 3;
/// Acknowledgements this close together share one entry of the replay window, which bounds it while draining.
const WINDOW_GRAIN: Duration = Duration::from_secs(1);
/// A segment in memory takes further batches up to this size.
const MEMORY_SEGMENT: u64 = 1 << 20;

/// One segment.
#[derive(Debug)]
pub(super) struct Segment {
    /// Its number; later segments have greater ones.
    pub id: u64,
    /// Bytes in it.
    pub end: u64,
    /// Points in it, acknowledged or not.
    pub points: u64,
    /// Everything before this offset is acknowledged, or damaged.
    pub acked_to: u64,
    /// Points before that offset.
    pub acked_points: u64,
    /// Timestamp of the oldest record not acknowledged, as far as known.
    pub oldest: Option<u64>,
    /// Its bytes, if no disk took them.
    pub memory: Option<Arc<Vec<u8>>>,
}

impl Segment {
    fn unsent(&self) -> u64 {
        self.points.saturating_sub(self.acked_points)
    }

    /// Once nothing of it waits, points that are still missing were in places that could not be read. Returns them.
    fn balance(&mut self) -> u64 {
        let missing = if self.acked_to < self.end { 0 } else { self.unsent() };
        self.acked_points += missing;
        missing
    }
}

/// The oldest unsent bytes.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Where they begin.
    pub at: Position,
    /// Where their segment ends.
    pub end: u64,
    /// The segment's bytes, if no disk took them.
    pub memory: Option<Arc<Vec<u8>>>,
}

/// Records handed out to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The segment they are in.
    pub segment: u64,
    /// Where they begin.
    pub from: u64,
    /// Where they end.
    pub to: u64,
    /// Points in them.
    pub points: u64,
    /// Timestamp of the first.
    pub timestamp: u64,
    /// Timestamp of the record after them.
    pub following: Option<u64>,
}

#[derive(Debug)]
struct Acked {
    chunk: Chunk,
    by: usize,
    /// When the first of its acknowledgements came, and the last.
    since: Duration,
    at: Duration,
}

/// Points since the start, unless a name says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Taken in, those found on disk included.
    pub submitted: u64,
    /// Acknowledged, each time it happened.
    pub acknowledged: u64,
    /// Put back because their destination ended.
    pub replayed: u64,
    /// Dropped unsent at the cap.
    pub dropped_at_cap: u64,
    /// Dropped unsent because the disk took nothing and memory was full.
    pub dropped_memory: u64,
    /// In damaged records, as far as their number was known.
    pub damaged: u64,
    /// Damaged records and unreadable places.
    pub damaged_records: u64,
}

/// The books. See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    segments: VecDeque<Segment>,
    /// The segment that may still grow.
    active: Option<u64>,
    flight: Option<Chunk>,
    window: VecDeque<Acked>,
    replay_window: Duration,
    unreadable: (Position, u32),
    /// What happened so far.
    pub counts: Counts,
}

impl Ledger {
    /// Empty books.
    pub fn new(replay_window: Duration) -> Self {
        Self {
            segments: VecDeque::new(),
            active: None,
            flight: None,
            window: VecDeque::new(),
            replay_window,
            unreadable: (Position::default(), 0),
            counts: Counts::default(),
        }
    }

    /// A segment found at the start; older ones first.
    pub fn found(&mut self, segment: Segment) {
        self.counts.submitted += segment.unsent();
        self.segments.push_back(segment);
    }

    /// A batch was written at the end of segment `id`, which now ends at `end`.
    pub fn appended(&mut self, id: u64, end: u64, points: u64, timestamp: u64) {
        self.counts.submitted += points;
        if self.segments.back().is_none_or(|s| s.id != id) {
            self.segments.push_back(Segment {
                id,
                end: 0,
                points: 0,
                acked_to: 0,
                acked_points: 0,
                oldest: None,
                memory: None,
            });
        }
        if let Some(last) = self.segments.back_mut() {
            if last.acked_to == last.end {
                last.oldest = Some(timestamp);
            }
            if let Some(flight) = &mut self.flight {
                if flight.segment == id && flight.to == last.end {
                    flight.following = Some(timestamp);
                }
            }
            last.end = end;
            last.points += points;
        }
        self.active = Some(id);
    }

    /// The same into memory; `bytes` are the batch's records.
    pub fn remembered(&mut self, id: u64, bytes: Vec<u8>, points: u64, timestamp: u64) {
        let more = bytes.len() as u64;
        let last = self.segments.back_mut().filter(|s| s.end + more <= MEMORY_SEGMENT);
        // None too while the bytes are being read: what is read must not move
        let growing = last.and_then(|s| Some((s.id, s.end, Arc::get_mut(s.memory.as_mut()?)?)));
        if let Some((id, end, memory)) = growing {
            memory.extend_from_slice(&bytes);
            self.appended(id, end + more, points, timestamp);
        } else {
            self.appended(id, more, points, timestamp);
            if let Some(last) = self.segments.back_mut() {
                last.memory = Some(Arc::new(bytes));
            }
        }
        self.active = None;
    }

    /// The disk took a segment that was in memory. False if it is not wanted any more.
    pub fn stored(&mut self, id: u64) -> bool {
        let segment = self.segments.iter_mut().find(|s| s.id == id);
        segment.map(|s| s.memory = None).is_some()
    }

    /// The oldest segment that is only in memory.
    pub fn in_memory(&self) -> Option<(u64, Arc<Vec<u8>>)> {
        self.segments.iter().find_map(|s| s.memory.as_ref().map(|m| (s.id, Arc::clone(m))))
    }

    /// No segment grows any more.
    pub fn close_active(&mut self) {
        self.active = None;
    }

    /// Drops the oldest segments until `more` bytes fit under `cap` on disk, the growing one never. Returns their ids.
    pub fn make_room(&mut self, more: u64, cap: u64) -> Vec<u64> {
        let mut dropped = Vec::new();
        while self.disk_bytes().saturating_add(more) > cap {
            let oldest = self.segments.iter().position(|s| s.memory.is_none());
            let Some(at) = oldest.filter(|at| Some(self.segments[*at].id) != self.active) else {
                break;
            };
            let (id, unsent) = self.drop_at(at);
            self.counts.dropped_at_cap += unsent;
            dropped.push(id);
        }
        dropped
    }

    /// Drops the oldest segments in memory until `more` bytes fit under `cap`. Returns the points that were unsent.
    pub fn make_memory_room(&mut self, more: u64, cap: u64) -> u64 {
        let mut lost = 0;
        while self.memory_bytes().saturating_add(more) > cap {
            let Some(at) = self.segments.iter().position(|s| s.memory.is_some()) else { break };
            lost += self.drop_at(at).1;
        }
        self.counts.dropped_memory += lost;
        lost
    }

    /// Takes a segment out. Points in flight are not counted yet: they may still be acknowledged.
    fn drop_at(&mut self, at: usize) -> (u64, u64) {
        let Some(segment) = self.segments.remove(at) else { return (0, 0) };
        self.window.retain(|a| a.chunk.segment != segment.id);
        let flying = self.flight.filter(|f| f.segment == segment.id).map_or(0, |f| f.points);
        (segment.id, segment.unsent().saturating_sub(flying))
    }

    /// Where the oldest unsent bytes are.
    pub fn waiting(&self) -> Option<Waiting> {
        let segment = self.segments.iter().find(|s| s.acked_to < s.end)?;
        let at = Position { segment: segment.id, offset: segment.acked_to };
        Some(Waiting { at, end: segment.end, memory: segment.memory.clone() })
    }

    /// Hands out a chunk, one at a time. False if it is not at [`Ledger::waiting`] any more, since its segment was dropped.
    pub fn take(&mut self, chunk: Chunk) -> bool {
        let there = Position { segment: chunk.segment, offset: chunk.from };
        let waits = self.waiting().is_some_and(|w| w.at == there);
        self.flight = waits.then_some(chunk);
        waits
    }

    /// What is at `position` up to `resume` cannot be read: it is left out.
    pub fn skip(&mut self, position: Position, resume: u64) {
        let Some(segment) = self.segments.iter_mut().find(|s| s.id == position.segment) else {
            return;
        };
        segment.acked_to = segment.acked_to.max(resume.min(segment.end));
        self.counts.damaged_records += 1;
        self.counts.damaged += segment.balance();
    }

    /// Reading at `position` failed. True if it failed often enough for the rest of the segment to be given up.
    pub fn unreadable(&mut self, position: Position) -> bool {
        let (place, times) = self.unreadable;
        self.unreadable = (position, if place == position { times + 1 } else { 1 });
        self.unreadable.1 >= READ_ATTEMPTS
    }

    /// The chunk in flight was acknowledged at `now` by destination `by`, but for `damaged` points in `damaged_records` records that
    /// could not be read. What left the replay window is forgotten, only now: while nothing is acknowledged, nobody knows whether
    /// the one who acknowledged last still lives.
    pub fn acked(&mut self, now: Duration, by: usize, damaged: u64, damaged_records: u64) {
        let Some(chunk) = self.flight.take() else { return };
        self.counts.acknowledged += chunk.points.saturating_sub(damaged);
        self.counts.damaged += damaged;
        self.counts.damaged_records += damaged_records;
        if let Some(segment) = self.segments.iter_mut().find(|s| s.id == chunk.segment) {
            segment.acked_to = chunk.to;
            segment.acked_points += chunk.points;
            segment.oldest = chunk.following;
            self.counts.damaged += segment.balance();
            self.remember(chunk, by, now);
        }
        while self.window.front().is_some_and(|a| now.saturating_sub(a.at) >= self.replay_window) {
            self.window.pop_front();
        }
    }

    fn remember(&mut self, chunk: Chunk, by: usize, now: Duration) {
        if let Some(last) = self.window.back_mut() {
            let near = now.saturating_sub(last.since) < WINDOW_GRAIN && last.by == by;
            if near && last.chunk.segment == chunk.segment && last.chunk.to == chunk.from {
                last.chunk.to = chunk.to;
                last.chunk.points += chunk.points;
                last.at = now;
                return;
            }
        }
        self.window.push_back(Acked { chunk, by, since: now, at: now });
    }

    /// The chunk in flight, if there is one, was not acknowledged.
    pub fn failed(&mut self) {
        let Some(chunk) = self.flight.take() else { return };
        if self.segments.iter().all(|s| s.id != chunk.segment) {
            self.counts.dropped_at_cap += chunk.points;
        }
    }

    /// Destination `by` ended: what it acknowledged inside the window, and all after it, waits again. Returns the points.
    pub fn ended(&mut self, by: usize) -> u64 {
        // its chunk begins after what now waits again
        self.failed();
        let Some(first) = self.window.iter().position(|a| a.by == by) else { return 0 };
        let mut points = 0;
        for acked in self.window.drain(first..).rev() {
            let chunk = acked.chunk;
            if let Some(segment) = self.segments.iter_mut().find(|s| s.id == chunk.segment) {
                segment.acked_to = segment.acked_to.min(chunk.from);
                segment.acked_points = segment.acked_points.saturating_sub(chunk.points);
                segment.oldest = Some(chunk.timestamp);
                points += chunk.points;
            }
        }
        self.counts.replayed += points;
        points
    }

    /// Whether the window holds anything of this destination.
    pub fn in_window(&self, by: usize) -> bool {
        self.window.iter().any(|a| a.by == by)
    }

    /// Everything before this place is acknowledged and out of the window.
    pub fn settled(&self) -> Option<Position> {
        let at = |chunk: &Chunk| Position { segment: chunk.segment, offset: chunk.from };
        let replayable = self.window.front().map(|a| at(&a.chunk));
        let last = self.segments.back().map(|s| Position { segment: s.id, offset: s.end });
        let next = self.waiting().map(|w| w.at).or(last)?;
        Some(replayable.map_or(next, |r| r.min(next)))
    }

    /// Takes out the segments that are settled as a whole, but not the growing one. Returns their ids.
    pub fn take_settled(&mut self) -> Vec<u64> {
        let mut done = Vec::new();
        while let Some(first) = self.segments.front() {
            let replayable = self.window.front().is_some_and(|a| a.chunk.segment == first.id);
            let flying = self.flight.is_some_and(|f| f.segment == first.id);
            if first.acked_to < first.end || replayable || flying || self.active == Some(first.id) {
                break;
            }
            done.push(first.id);
            self.segments.pop_front();
        }
        done
    }

    /// Points not acknowledged.
    pub fn waiting_points(&self) -> u64 {
        self.segments.iter().map(Segment::unsent).sum()
    }

    /// Bytes not acknowledged.
    pub fn waiting_bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.end - s.acked_to).sum()
    }

    /// Timestamp of the oldest record not acknowledged.
    pub fn oldest(&self) -> Option<u64> {
        self.segments.iter().find(|s| s.acked_to < s.end).and_then(|s| s.oldest)
    }

    /// Bytes of the segments on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.segments.iter().filter(|s| s.memory.is_none()).map(|s| s.end).sum()
    }

    /// Bytes of the segments in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.segments.iter().filter(|s| s.memory.is_some()).map(|s| s.end).sum()
    }
}

#[cfg(test)]
mod tests;
