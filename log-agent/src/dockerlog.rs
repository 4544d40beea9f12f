//! Docker's `json-file` log: what a container wrote to its standard output and error, taken out of one JSON object a line. Pure.
//!
//! A line of the file is `{"log":"text\n","stream":"stdout","time":"2026-11-30T08:00:00.123456789Z"}`. A `log` without `\n` is a line that
//! goes on in the next object of the same stream: Docker cuts at 16 KiB. What cannot be read is given as it is, counted, never dropped.
//! Bytes of text that need no unescaping are not copied.
//!
//! One file holds two logs, [`Stream::Out`] and [`Stream::Err`]; places in them are places in the file.

use crate::lines::Part;
use crate::name::FileName;
use common::moment::unix_ms;
use memchr::{memchr2, memrchr};

/// Deepest nesting in what is skipped of an object.
const DEEPEST: usize = 32;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output; also what cannot be told.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Out, Self::Err];

    /// The file it is shown as.
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// One line or a part of one, as the container wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it was written.
    pub stream: Stream,
    /// The bytes, without LF.
    pub body: &'a [u8],
    /// What of a line it is.
    pub part: Part,
    /// When Docker got it, Unix milliseconds.
    pub time_ms: Option<u64>,
    /// For [`Decoder::took`].
    pub step: Step,
}

/// What a record changes for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    stream: Stream,
    within: bool,
    readable: bool,
}

/// Decodes the lines of one file in their order.
#[derive(Debug, Default)]
pub struct Decoder {
    /// A line of standard output, and one of standard error, has begun and not ended.
    within: [bool; 2],
    scratch: Vec<u8>,
    unreadable: u64,
}

impl Decoder {
    /// For the beginning of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a place in a file, where `before` ends with the bytes before it, whole lines of the file: whether a line goes on there is told by
    /// the last object of each stream. 256 KiB are always enough for one stream; of a stream that is not among them a line begins.
    pub fn resume(before: &[u8]) -> Self {
        let mut decoder = Self::default();
        let mut known = [false; 2];
        let mut rest = before.strip_suffix(b"\n").unwrap_or(before);
        while !rest.is_empty() && known != [true; 2] {
            let start = memrchr(b'\n', rest).map_or(0, |at| at + 1);
            if let Some(object) = Object::read(&rest[start..]) {
                let of = object.stream as usize;
                if !std::mem::replace(&mut known[of], true) {
                    decoder.within[of] = !object.ends(&rest[start..]);
                }
            }
            rest = &rest[..start.saturating_sub(1)];
        }
        decoder
    }

    /// Lines that were no objects of Docker's, and were given as they are.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// A record went on its way: what comes after it goes on from there. One that found no room is decoded again.
    pub fn took(&mut self, step: Step) {
        if step.readable {
            self.within[step.stream as usize] = step.within;
        } else {
            self.unreadable += 1;
        }
    }

    /// The text of one line of the file, which is given without its LF.
    pub fn decode<'a>(&'a mut self, line: &'a [u8]) -> Record<'a> {
        let Some(object) = Object::read(line) else {
            let (stream, part) = (Stream::Out, Part::Whole);
            let step = Step { stream, within: false, readable: false };
            return Record { stream, body: line, part, time_ms: None, step };
        };
        let (stream, ends) = (object.stream, object.ends(line));
        let within = self.within[stream as usize];
        let part = match (within, ends) {
            (false, true) => Part::Whole,
            (false, false) => Part::First,
            (true, false) => Part::Middle,
            (true, true) => Part::Last,
        };
        let mut raw = &line[object.log.start..object.log.end];
        if ends {
            raw = &raw[..raw.len() - LF.len()];
        }
        // the LF's escape is most often the only one
        let body = match memchr::memchr(b'\\', raw) {
            None => raw,
            Some(first) => {
                unescape(raw, first, &mut self.scratch);
                &self.scratch
            }
        };
        let step = Step { stream, within: !ends, readable: true };
        Record { stream, body, part, time_ms: object.time_ms, step }
    }
}

/// Whether a file of a container's directory among Docker's own is its log, or an older generation of it that is not compressed.
pub fn is_log(name: &FileName) -> bool {
    let Ok(name) = std::str::from_utf8(name.bytes()) else { return false };
    let Some((id, rest)) = name.split_once("-json.log") else { return false };
    let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    common::container::is_id(id) && (rest.is_empty() || rest.strip_prefix('.').is_some_and(number))
}

/// How a line's end is written.
const LF: &[u8] = b"\\n";

/// A string's place in a line, without its quotes and not unescaped.
#[derive(Debug, Clone, Copy)]
struct Raw {
    start: usize,
    end: usize,
}

struct Object {
    log: Raw,
    stream: Stream,
    time_ms: Option<u64>,
}

impl Object {
    /// None for what is not an object of Docker's.
    fn read(line: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { line, at: 0 };
        let (mut log, mut stream, mut time_ms) = (None, None, None);
        cursor.take(b'{')?;
        loop {
            let key = cursor.string()?;
            cursor.take(b':')?;
            match &line[key.start..key.end] {
                b"log" => log = Some(cursor.string()?),
                b"stream" => {
                    let name = cursor.string()?;
                    stream = Some(match &line[name.start..name.end] {
                        b"stdout" => Stream::Out,
                        b"stderr" => Stream::Err,
                        _ => return None,
                    });
                }
                b"time" => {
                    let time = cursor.string()?;
                    let text = std::str::from_utf8(&line[time.start..time.end]);
                    time_ms = text.ok().and_then(unix_ms);
                }
                _ => cursor.skip(0)?,
            }
            match cursor.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        cursor.blank();
        let all = cursor.at == line.len();
        Some(Self { log: log?, stream: stream?, time_ms }).filter(|_| all)
    }

    /// Whether the line that was written ends here.
    fn ends(&self, line: &[u8]) -> bool {
        let raw = &line[self.log.start..self.log.end];
        let Some(before) = raw.strip_suffix(LF) else { return false };
        // a backslash that is itself escaped, and an n
        before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 0
    }
}

/// Reads JSON, as far as it is needed.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn blank(&mut self) {
        let blank = |b: &&u8| matches!(b, b' ' | b'\t' | b'\r');
        self.at += self.line[self.at..].iter().take_while(blank).count();
    }

    fn next(&mut self) -> Option<u8> {
        self.blank();
        let byte = *self.line.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn string(&mut self) -> Option<Raw> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let found = self.at + memchr2(b'"', b'\\', self.line.get(self.at..)?)?;
            if self.line[found] == b'"' {
                self.at = found + 1;
                return Some(Raw { start, end: found });
            }
            // whatever is escaped is no end
            self.at = found + 2;
        }
    }

    /// Skips any value.
    fn skip(&mut self, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        self.blank();
        match self.line.get(self.at)? {
            b'"' => self.string().map(drop),
            b'{' | b'[' => {
                let object = self.next()? == b'{';
                let end = if object { b'}' } else { b']' };
                self.blank();
                if self.line.get(self.at) == Some(&end) {
                    self.at += 1;
                    return Some(());
                }
                loop {
                    if object {
                        self.string()?;
                        self.take(b':')?;
                    }
                    self.skip(depth + 1)?;
                    match self.next()? {
                        b',' => {}
                        byte if byte == end => return Some(()),
                        _ => return None,
                    }
                }
            }
            _ => {
                let word = |b: &&u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
                let len = self.line[self.at..].iter().take_while(word).count();
                self.at += len;
                (len > 0).then_some(())
            }
        }
    }
}

/// Unescapes a string whose first backslash is at `first`. What is no escape of JSON stays as it is.
fn unescape(raw: &[u8], first: usize, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let plain = match rest.get(1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'u') => match code_point(rest) {
                Some((c, len)) => {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[len..];
                    continue;
                }
                None => {
                    out.push(b'\\');
                    rest = &rest[1..];
                    continue;
                }
            },
            _ => {
                out.push(b'\\');
                rest = &rest[1..];
                continue;
            }
        };
        out.push(plain);
        rest = &rest[2..];
    }
    out.extend_from_slice(rest);
}

/// The character of `\u` and four hex digits, or of two of them that are a pair, and how many bytes that is.
fn code_point(escaped: &[u8]) -> Option<(char, usize)> {
    let first = unit(escaped)?;
    if !(0xd800..0xdc00).contains(&first) {
        // the second of a pair without the first is nothing
        return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
    }
    let second = escaped.get(6..).and_then(unit).filter(|u| (0xdc00..0xe000).contains(u));
    let pair =
        second.and_then(|u| char::from_u32(0x10000 + ((first - 0xd800) << 10) + (u - 0xdc00)));
    Some(pair.map_or((char::REPLACEMENT_CHARACTER, 6), |c| (c, 12)))
}

fn unit(escaped: &[u8]) -> Option<u32> {
    let digits = escaped.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |sum, b| Some(sum * 16 + char::from(*b).to_digit(16)?))
}

#[cfg(test)]
mod tests;
