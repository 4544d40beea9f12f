//! What a viewer does with one file when it is its turn. Each step changes something only after its last wait, so that a viewer who
//! is interrupted there does it again.

use super::cursor::{Begin, Cursor};
use super::{Out, Viewer};
use crate::live::figures::Counts;
use crate::live::message::{Encoded, Form};
use crate::live::read::{self, Chunk, Read, Spot, Wish};
use crate::live::span::{CAP, Rest};
use crate::source::Tide;
use common::api_types::live::Frame;
use std::io;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A read that found other bytes than were told looks again after so long, if nothing is told before.
const DOUBT: Duration = Duration::from_millis(50);
/// A file that may be a copy, likewise.
const COPY: Duration = Duration::from_millis(20);
/// And is taken for none after so long.
const DECIDED: Duration = Duration::from_millis(500);
/// Between two frames that only tell how far a search got.
const SEARCHED: Duration = Duration::from_millis(500);

impl Viewer {
    /// One step with one file.
    pub(super) async fn advance(&mut self, n: usize) {
        let now = Instant::now();
        if !self.asked.filter.is_open() {
            let wait = self.budget.wait(now);
            if !wait.is_zero() {
                return sleep(wait).await;
            }
        }
        let Some(cursor) = self.cursors.get_mut(n) else { return };
        // whoever is interrupted while this reads (by a ping, by a word of its client) has to read again: what is told now is not told twice
        if cursor.tide.has_changed().unwrap_or(false) || cursor.again.take().is_some() {
            cursor.dry = false;
        }
        // before it is read: what comes meanwhile is told again
        let tide = *cursor.tide.borrow_and_update();
        if let Some(begin) = cursor.begin {
            return self.begin(n, begin, tide).await;
        }
        if tide.generation != cursor.spot.place.generation {
            return self.restart(n, tide, now);
        }
        cursor.len = cursor.len.max(tide.len);
        let behind = tide.len.saturating_sub(cursor.spot.offset());
        if cursor.jump || cursor.lag.too_far(behind, now) {
            return self.jump(n, tide).await;
        }
        let over = cursor.is_over(now) || (!self.asked.follow && cursor.dry);
        let rest = match () {
            () if over && cursor.rest.is_none() => return self.finish(n),
            () if over || (self.ended && cursor.rest_is_due(now)) => Rest::Ends,
            () if self.asked.filter.is_open() && cursor.rest_is_due(now) => Rest::Open,
            () => Rest::Waits,
        };
        let got = self.read(n, rest, behind).await;
        self.apply(n, got, tide.len, Instant::now());
    }

    /// Reads the next frame, or takes it from who did.
    async fn read(&self, n: usize, rest: Rest, behind: u64) -> io::Result<(Read, bool)> {
        let Some(cursor) = self.cursors.get(n) else { return Ok((Read::Restart, false)) };
        let (sharing, file, spot) = (&self.room.sharing, cursor.file.clone(), cursor.spot);
        if let Some(chunk) = sharing.frame(&cursor.shelf, &file, &spot) {
            return Ok((Read::Chunk(chunk), true));
        }
        // at the end are all the others, too
        let near = behind <= 2 * CAP as u64;
        let turn = if near { Some(cursor.shelf.turn.lock().await) } else { None };
        if let Some(chunk) = sharing.frame(&cursor.shelf, &file, &spot).filter(|_| near) {
            return Ok((Read::Chunk(chunk), true));
        }
        let (source, of) = (cursor.source().clone(), cursor.of());
        let (filter, form) = (self.asked.filter.clone(), self.asked.form);
        let read = self.room.blocking(move || {
            let wish = Wish { of: &of, filter: &filter, form, rest, until: u64::MAX };
            read::read(&source, &spot, &wish)
        });
        let read = read.await?;
        if let (Read::Chunk(chunk), Rest::Waits) = (&read, rest) {
            cursor.shelf.keep(&file, chunk);
        }
        drop(turn);
        Ok((read, false))
    }

    /// `len`: how far the file was known to go before it was read.
    fn apply(&mut self, n: usize, got: io::Result<(Read, bool)>, len: u64, now: Instant) {
        self.last_read = now;
        let Some(cursor) = self.cursors.get_mut(n) else { return };
        match got {
            Ok((Read::Chunk(chunk), shared)) => {
                cursor.spot = chunk.after;
                // another viewer may have read it before the file grew to what is known now
                cursor.dry = chunk.eof.is_some_and(|eof| eof >= len);
                cursor.rest = chunk.rest.then_some(now);
                cursor.progress = now;
                if !shared && !self.asked.filter.is_open() {
                    self.budget.spend(chunk.took);
                }
                if chunk.lines > 0 || now.duration_since(cursor.told) >= SEARCHED {
                    cursor.told = now;
                    self.lines(n, &chunk);
                }
            }
            Ok((Read::Dry { rest }, _)) => {
                cursor.dry = true;
                cursor.rest = cursor.rest.filter(|_| rest).or(rest.then_some(now));
            }
            Ok((Read::Hole { after }, _)) => {
                let from = cursor.spot.offset();
                cursor.spot = after;
                cursor.progress = now;
                cursor.dry = false;
                self.gap(n, from, after.offset(), Some(0), "hole");
            }
            Ok((Read::Restart, _)) => {
                cursor.dry = true;
                cursor.again = Some(now + DOUBT);
            }
            Err(error) => self.fail(n, &error),
        }
    }

    /// Lines that were read.
    fn lines(&mut self, n: usize, chunk: &Chunk) {
        let Some(cursor) = self.cursors.get(n) else { return };
        if self.asked.form != Form::Json && self.heading.as_ref() != Some(&cursor.file) {
            if self.heading.is_some() || self.cursors.len() > 1 {
                let heading = format!("==> {} <==\n", cursor.file);
                self.out.push_back(Out { encoded: Encoded::Text(heading.into()), lines: 0 });
            }
            self.heading = Some(cursor.file.clone());
        }
        self.out.push_back(Out { encoded: chunk.encoded.clone(), lines: chunk.lines });
    }

    /// Finds where a file begins for this viewer, and introduces it.
    async fn begin(&mut self, n: usize, begin: Begin, tide: Tide) {
        let Some(cursor) = self.cursors.get(n) else { return };
        let (source, now) = (cursor.source().clone(), Instant::now());
        let (generation, len) = (tide.generation, tide.len);
        let copied = match (begin, source.start()) {
            // not known yet: shown as a file of its own, if that takes long
            (Begin::New, None) if now.duration_since(cursor.progress) < DECIDED => {
                return self.doubt(n, Some(now + COPY));
            }
            // what was acknowledged of the file it is a copy of was told under that one's name
            (Begin::New, Some(start)) => start.mark.offset > 0,
            _ => false,
        };
        let filter = self.asked.filter.clone();
        let found = self.room.blocking(move || {
            let offset = match begin {
                Begin::Last(lines) => {
                    read::last_lines(&source, len, lines, u64::MAX, &filter)?.offset
                }
                Begin::At { generation: of, offset } if of == generation => offset.min(len),
                Begin::New if copied => len,
                Begin::New | Begin::First | Begin::At { .. } => 0,
            };
            read::at(&source, generation, offset)
        });
        let found = found.await;
        let spot = match found {
            Ok(Some(spot)) => spot,
            Ok(None) => return self.doubt(n, Some(Instant::now() + DOUBT)),
            Err(error) => return self.fail(n, &error),
        };
        let Some(cursor) = self.cursors.get_mut(n) else { return };
        (cursor.begin, cursor.spot, cursor.len) = (None, spot, len);
        (cursor.dry, cursor.rest, cursor.progress) = (false, None, Instant::now());
        let (of, expires) = (cursor.of(), self.asked.access.expires());
        if matches!(begin, Begin::At { generation: was, .. } if was != generation) {
            self.tell(Frame::Truncated { of: of.clone() });
        }
        self.tell(Frame::Hello { of, size: len, offset: spot.offset(), expires });
    }

    /// Looks again later, or when something is told.
    fn doubt(&mut self, n: usize, again: Option<Instant>) {
        let Some(cursor) = self.cursors.get_mut(n) else { return };
        cursor.dry = true;
        cursor.again = again;
    }

    /// A file was truncated or rewritten.
    fn restart(&mut self, n: usize, tide: Tide, now: Instant) {
        let Some(cursor) = self.cursors.get_mut(n) else { return };
        let (from, to) = (cursor.spot.offset(), cursor.len);
        self.gap(n, from, to, None, "truncated");
        let Some(cursor) = self.cursors.get_mut(n) else { return };
        cursor.spot = Spot::start(tide.generation);
        cursor.len = tide.len;
        (cursor.dry, cursor.rest, cursor.progress) = (false, None, now);
        let of = cursor.of();
        self.tell(Frame::Truncated { of });
    }

    /// To the end, with a word of what lies between.
    async fn jump(&mut self, n: usize, tide: Tide) {
        let Some(cursor) = self.cursors.get(n) else { return };
        let (source, from) = (cursor.source().clone(), cursor.spot.offset());
        let found = self.room.blocking(move || {
            let to = read::tail(&source, tide.len)?.max(from);
            let spot = read::at(&source, tide.generation, to)?;
            Ok((spot, read::count(&source, from, to)?))
        });
        match found.await {
            Ok((Some(spot), lines)) => {
                let Some(cursor) = self.cursors.get_mut(n) else { return };
                cursor.jump = false;
                cursor.lag.forgive();
                if spot.offset() == from {
                    return;
                }
                (cursor.spot, cursor.dry, cursor.rest) = (spot, false, None);
                self.gap(n, from, spot.offset(), lines, "slow");
            }
            Ok((None, _)) => self.doubt(n, Some(Instant::now() + DOUBT)),
            Err(error) => self.fail(n, &error),
        }
    }

    fn gap(&mut self, n: usize, from: u64, to: u64, lines: Option<u64>, why: &str) {
        let Some(of) = self.cursors.get(n).map(Cursor::of) else { return };
        if from >= to {
            return;
        }
        let bytes = to - from;
        if why == "slow" {
            Counts::add(&self.room.counts.gaps, 1);
            Counts::add(&self.room.counts.gap_bytes, bytes);
        }
        self.tell(Frame::Gap { of, from, to, bytes, lines, why: why.to_owned() });
    }

    /// Everything in a file was told, and it is over.
    fn finish(&mut self, n: usize) {
        if !self.asked.follow {
            if let Some(cursor) = self.cursors.get_mut(n) {
                (cursor.dry, cursor.rest, cursor.again) = (true, None, None);
            }
            return;
        }
        let cursor = self.cursors.remove(n);
        self.done.insert(cursor.source().id());
        self.tell(Frame::Deleted { of: cursor.of() });
    }

    /// It cannot be read.
    fn fail(&mut self, n: usize, error: &io::Error) {
        let why = if error.kind() == io::ErrorKind::NotFound { "gone" } else { "failed" };
        let Some(cursor) = self.cursors.get(n) else { return };
        let (from, to) = (cursor.spot.offset(), cursor.len);
        self.gap(n, from, to, None, why);
        let cursor = self.cursors.remove(n);
        self.done.insert(cursor.source().id());
        if cursor.begin.is_none() {
            self.tell(Frame::Deleted { of: cursor.of() });
        }
    }
}
