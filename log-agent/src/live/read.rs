//! Reading a file for viewers: a stretch as one frame, the place of its last lines, lines between two places. Everything here blocks.
//!
//! A frame is read from a proven place ([`Source::look_on`]): what lies before it is what was told, so that no frame ever mixes a file with
//! what it was truncated and rewritten to.

use super::filter::LineFilter;
use super::message::{Encoded, Form, LinesFrame, Span};
use super::span::{CAP, Rest, Within, take, text};
use crate::dockerlog::Decoder;
use crate::identity::{HASHED, Mark};
use crate::source::{Place, Source, Step};
use common::api_types::live::Of;
use common::moment::Moment;
use memchr::{memchr, memchr_iter, memrchr};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest search for a line that fits before the viewer is told how far it got.
const SEARCH: Duration = Duration::from_millis(20);
/// Block of a search backwards or a count.
const BLOCK: usize = 64 * 1_024;
/// Most bytes searched backwards for the first lines, and counted of a gap.
pub const BACK: u64 = 64 << 20;
/// Longest search backwards.
const BACK_TIME: Duration = Duration::from_secs(1);
/// A line longer than that fits no filter when it is searched backwards.
const LONG_LINE: usize = 1 << 20;
/// What a viewer sees first when it was taken to the end.
pub const TAIL: u64 = 64 << 10;

/// A viewer's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// In the file.
    pub place: Place,
    /// In the line.
    pub within: Within,
}

impl Spot {
    /// The first byte of a generation.
    pub fn start(generation: u64) -> Self {
        Self { place: Place { generation, mark: Mark::START }, within: Within::default() }
    }

    /// The byte.
    pub fn offset(&self) -> u64 {
        self.place.mark.offset
    }
}

/// One frame of lines, ready to send; shared by all viewers of its place.
#[derive(Debug)]
pub struct Chunk {
    /// Where it began.
    pub before: Spot,
    /// Where the next one begins.
    pub after: Spot,
    /// The lines.
    pub encoded: Encoded,
    /// How many.
    pub lines: u32,
    /// It ended since there was nothing more: the file went so far when this was read. Who takes the frame later may know of more.
    pub eof: Option<u64>,
    /// The beginning of a line was left over.
    pub rest: bool,
    /// What it took.
    pub took: Duration,
}

/// What a read gave.
#[derive(Debug)]
pub enum Read {
    /// Lines, or none of these fit.
    Chunk(Arc<Chunk>),
    /// No complete line; `rest`: bytes are there.
    Dry {
        /// Whether the beginning of a line is there.
        rest: bool,
    },
    /// Nothing but NUL bytes.
    Hole {
        /// Behind them.
        after: Spot,
    },
    /// Truncated or rewritten.
    Restart,
}

/// What is read, and how.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// How the file is named in the frame.
    pub of: &'a Of,
    /// Which lines.
    pub filter: &'a LineFilter,
    /// In which form.
    pub form: Form,
    /// What of a line without end.
    pub rest: Rest,
    /// No byte from here on.
    pub until: u64,
}

/// Reads one frame.
pub fn read(source: &Source, spot: &Spot, wish: &Wish<'_>) -> io::Result<Read> {
    let begun = Instant::now();
    let mut buf = vec![0; HASHED + CAP];
    let mut frame = LinesFrame::new(wish.of, wish.form, CAP);
    let form = source.volume().form;
    let (mut now, mut continues, mut open) = (*spot, false, false);
    let (mut eof, mut left_over) = (None, false);
    while frame.is_empty() && eof.is_none() && (now == *spot || begun.elapsed() < SEARCH) {
        let mark = now.place.mark;
        let (offset, front) = (mark.offset, HASHED - mark.behind());
        let got = source.fill_at(offset - mark.behind() as u64, &mut buf[front..HASHED])?;
        if !mark.follows(&buf[front..front + got]) {
            return Ok(if now == *spot { Read::Restart } else { break });
        }
        let left = wish.until.saturating_sub(offset);
        let room = usize::try_from(left).unwrap_or(CAP).min(CAP);
        let bytes = match source.look_on(&now.place, &mut buf[HASHED..HASHED + room])? {
            Step::Bytes(bytes) => bytes,
            _ if now != *spot => break,
            Step::Restart => return Ok(Read::Restart),
            Step::Skip { to } => return hole(source, spot, to.min(wish.until)),
        };
        // what does not fill the buffer ends where the file does, or where it is to end
        let rest = if bytes < CAP { wish.rest } else { Rest::Waits };
        let end = HASHED + bytes;
        let taken = take(&mut frame, (form, &buf[HASHED..end]), now.within, wish.filter, rest);
        eof = (bytes < CAP).then_some(offset + bytes as u64);
        left_over = taken.bytes < bytes;
        if taken.bytes == 0 {
            if now == *spot {
                return Ok(Read::Dry { rest: bytes > 0 });
            }
            break;
        }
        let mark = Mark::at(offset + taken.bytes as u64, &buf[front..HASHED + taken.bytes]);
        now = Spot { place: Place { mark, ..now.place }, within: taken.within };
        (continues, open) = (continues || taken.continues, taken.open);
    }
    let (offset, next) = (spot.offset(), now.offset());
    let lines = frame.lines();
    let encoded = frame.finish(&Span { offset, next, time: Moment::now(), continues, open });
    let (before, after, took) = (*spot, now, begun.elapsed());
    let chunk = Chunk { before, after, encoded, lines, eof, rest: left_over, took };
    Ok(Read::Chunk(Arc::new(chunk)))
}

fn hole(source: &Source, spot: &Spot, to: u64) -> io::Result<Read> {
    Ok(match at(source, spot.place.generation, to)? {
        Some(after) => Read::Hole { after },
        None => Read::Restart,
    })
}

/// The place of a byte, taken as the beginning of a line; None if the generation is another or shorter.
pub fn at(source: &Source, generation: u64, offset: u64) -> io::Result<Option<Spot>> {
    let mark = source.mark_at(offset)?;
    // asked afterwards: the mark is of this generation or none
    let fits = source.generation() == generation;
    let spot = |mark| Spot { place: Place { generation, mark }, within: Within::default() };
    Ok(mark.filter(|_| fits).map(spot))
}

/// Where a search backwards ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The beginning of a line.
    pub offset: u64,
    /// Lines from there that fit.
    pub lines: u32,
    /// Bytes of these lines.
    pub bytes: u64,
}

/// The place of the last `wanted` lines that fit before `end`, of at most `most` bytes together. The beginning of a line that has no end
/// yet is not counted.
pub fn last_lines(
    source: &Source,
    end: u64,
    wanted: u32,
    most: u64,
    filter: &LineFilter,
) -> io::Result<Found> {
    let begun = Instant::now();
    let mut buf = vec![0; BLOCK];
    let mut found = Found { offset: end, lines: 0, bytes: 0 };
    let (form, mut decoder) = (source.volume().form, Decoder::new());
    let (mut pos, mut carry, mut huge, mut counted) = (end, Vec::new(), false, false);
    while pos > 0 && end - pos < BACK && begun.elapsed() < BACK_TIME {
        let len = usize::try_from(pos).unwrap_or(BLOCK).min(BLOCK);
        pos -= len as u64;
        let got = source.fill_at(pos, &mut buf[..len])?;
        let mut high = got;
        while let Some(lf) = memrchr(b'\n', &buf[..high]) {
            // the first one found ends the last complete line: what is behind it is the beginning of another
            if counted && !huge {
                let whole = [&buf[lf + 1..high], &carry].concat();
                if filter.shows(text(form, &mut decoder, &whole)) {
                    found.lines += 1;
                    found.bytes += whole.len() as u64 + 1;
                }
            }
            found.offset = pos + lf as u64 + 1;
            if found.lines >= wanted || found.bytes > most {
                return Ok(found);
            }
            (counted, huge, high) = (true, false, lf);
            carry.clear();
        }
        if counted && !filter.is_open() && !huge {
            carry.splice(0..0, buf[..high].iter().copied());
            huge = carry.len() > LONG_LINE;
        }
        if huge {
            carry.clear();
        }
    }
    if pos == 0 {
        if counted && !huge && filter.shows(text(form, &mut decoder, &carry)) {
            found.lines += 1;
        }
        found.offset = 0;
    }
    Ok(found)
}

/// Where the last [`TAIL`] bytes' first line begins.
pub fn tail(source: &Source, len: u64) -> io::Result<u64> {
    let from = len.saturating_sub(TAIL);
    let mut buf = vec![0; BLOCK];
    let got = source.fill_at(from, &mut buf)?;
    let line = if from == 0 { Some(0) } else { memchr(b'\n', &buf[..got]).map(|at| at + 1) };
    Ok(from + line.unwrap_or(0) as u64)
}

/// Lines that end between two places; None where that were too much reading.
pub fn count(source: &Source, from: u64, to: u64) -> io::Result<Option<u64>> {
    if to.saturating_sub(from) > BACK {
        return Ok(None);
    }
    let (mut buf, mut at, mut lines) = (vec![0; BLOCK], from, 0u64);
    while at < to {
        let len = usize::try_from(to - at).unwrap_or(BLOCK).min(BLOCK);
        let got = source.fill_at(at, &mut buf[..len])?;
        if got == 0 {
            break;
        }
        lines += memchr_iter(b'\n', &buf[..got]).count() as u64;
        at += got as u64;
    }
    Ok(Some(lines))
}

#[cfg(test)]
mod tests;
