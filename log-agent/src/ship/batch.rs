//! Lines on their way to a sink, as Avro items one behind the other. Pure.
//!
//! A line is copied once: from the buffer it was read into to its place in the frame that leaves. The bytes of a batch are kept from one to
//! the next, so a line allocates nothing. A part of a batch is a slice of it: sending half costs no copy. Sinks of another form read the
//! same bytes back ([`Events::iter`]).

use super::avro::{LONGEST_LONG, Malformed, Reader, put_bytes, put_length};
use super::labels::Labels;
use crate::lines::Part;
use std::ops::Range;

/// Most bytes of a batch, whatever is asked for: a small Flume dies of larger frames.
pub const LARGEST: usize = 16 << 20;

/// When a batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines, at least 1.
    pub events: usize,
    /// Bytes with all headers, at most [`LARGEST`]. One line fits whatever its length.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 1_000, bytes: 1 << 20 }
    }
}

/// A line or a piece of one.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its first byte in the file.
    pub offset: u64,
    /// What of a line it is.
    pub part: Part,
    /// When it was read, Unix milliseconds.
    pub timestamp_ms: u64,
    /// The bytes, without LF.
    pub body: &'a [u8],
}

/// Lines, encoded.
#[derive(Debug)]
pub struct Batch {
    limits: Limits,
    bytes: Vec<u8>,
    /// Where each event ends.
    ends: Vec<usize>,
    stamp: Stamp,
}

/// The last timestamp as it is written: most lines of a batch were read at once.
#[derive(Debug, Default)]
struct Stamp {
    ms: Option<u64>,
    text: Vec<u8>,
}

impl Stamp {
    #[inline]
    fn of(&mut self, ms: u64) -> &[u8] {
        if self.ms != Some(ms) {
            self.ms = Some(ms);
            self.text.clear();
            put_bytes(&mut self.text, itoa::Buffer::new().format(ms).as_bytes());
            put_bytes(&mut self.text, b"offset");
        }
        &self.text
    }
}

/// What an event has beside its labels and its body, at most: counts, lengths, numbers, `part`.
const BESIDE: usize = 2 * LONGEST_LONG + 2 * 21 + 32;

impl Batch {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        let mut batch =
            Self { limits, bytes: Vec::new(), ends: Vec::new(), stamp: Stamp::default() };
        batch.set_limits(limits);
        batch
    }

    /// Other limits, for what is added from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = Limits { events: limits.events.max(1), bytes: limits.bytes.min(LARGEST) };
        self.bytes.reserve(self.limits.bytes.saturating_sub(self.bytes.len()));
    }

    /// Whether a line with a body of so many bytes fits.
    #[inline]
    pub fn fits(&self, labels: &Labels, body: usize) -> bool {
        let most = self.bytes.len() + labels.entries().len() + body + BESIDE;
        let full = self.ends.len() >= self.limits.events || most > self.limits.bytes;
        !full || self.ends.is_empty()
    }

    /// Adds a line. False if it does not fit: then nothing was added. Into an empty batch every line fits.
    #[inline]
    pub fn push(&mut self, labels: &Labels, line: &Line<'_>) -> bool {
        if !self.fits(labels, line.body.len()) {
            return false;
        }
        let entries = labels.entries();
        let out = &mut self.bytes;
        out.reserve(entries.len() + line.body.len() + BESIDE);
        let part = match line.part {
            Part::Whole => None,
            Part::First => Some("first"),
            Part::Middle => Some("middle"),
            Part::Last => Some("last"),
        };
        put_length(out, Labels::HEADERS + usize::from(part.is_some()));
        out.extend_from_slice(entries);
        out.extend_from_slice(self.stamp.of(line.timestamp_ms));
        put_bytes(out, itoa::Buffer::new().format(line.offset).as_bytes());
        if let Some(part) = part {
            put_bytes(out, b"part");
            put_bytes(out, part.as_bytes());
        }
        put_length(out, 0);
        put_bytes(out, line.body);
        self.ends.push(out.len());
        true
    }

    /// Lines in it.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes in it, with all headers.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes everything out; its memory stays, except what one huge line took.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(self.limits.bytes);
        self.ends.clear();
    }

    /// All of it.
    pub fn all(&self) -> Events<'_> {
        self.part(0..self.len())
    }

    /// Some of its events by number; what is beyond the last does not count.
    pub fn part(&self, events: Range<usize>) -> Events<'_> {
        let end = |events: usize| match events.min(self.ends.len()) {
            0 => 0,
            some => self.ends[some - 1],
        };
        let (from, to) = (end(events.start), end(events.end.max(events.start)));
        let last = events.end.min(self.ends.len());
        Events { bytes: &self.bytes[from..to], count: last.saturating_sub(events.start) }
    }
}

/// Encoded events, one behind the other: the items of an Avro array of `AvroFlumeEvent`.
#[derive(Debug, Clone, Copy)]
pub struct Events<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Events<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// As they go to Flume.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// One after the other, for sinks of another form.
    pub fn iter(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        // this program wrote them: what cannot be read is not there
        std::iter::from_fn(move || Event::read(&mut reader).ok())
    }
}

/// An event read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Entries of its map of headers, the count before them.
    headers: &'a [u8],
    /// The line.
    pub body: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads one.
    pub(in crate::ship) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let all = reader.rest();
        reader.skip_map()?;
        let headers = &all[..all.len() - reader.rest().len()];
        Ok(Self { headers, body: reader.bytes(usize::MAX)? })
    }

    /// Names and values in the order they were written.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut reader = Reader::new(self.headers);
        let mut left = 0;
        std::iter::from_fn(move || {
            if left == 0 {
                left = reader.block().ok()?;
            }
            left = left.checked_sub(1)?;
            let (key, value) = (reader.bytes(usize::MAX).ok()?, reader.bytes(usize::MAX).ok()?);
            Some((std::str::from_utf8(key).ok()?, std::str::from_utf8(value).ok()?))
        })
    }

    /// The value of one.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers().find_map(|(key, value)| (key == name).then_some(value))
    }
}

#[cfg(test)]
mod tests;
