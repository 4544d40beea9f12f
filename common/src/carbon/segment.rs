//! One segment of the spool: a file of records, one after the other, written by one [`Appender`] and read through a [`Source`].
//!
//! Readers trust nothing: a header that is none is searched past, a payload whose CRC is wrong is left out, and both are told to the
//! caller. All offsets are explicit, so a write that failed half-way is simply overwritten by the next one.

use super::record::{HEADER, Header, MAGIC, MAX_PAYLOAD, payloads};
use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes sent over one connection unless a single batch has more.
const CHUNK_BYTES: u64 = 1 << 20;
/// Most points sent over one connection unless a single batch has more.
const CHUNK_POINTS: u64 = 10_000;

/// The file of segment `id`.
pub(super) fn path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("{id:016x}.segment"))
}

/// The segments in `dir` with their sizes, oldest first. Other files are left alone.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|n| n.strip_suffix(".segment")).filter(|n| n.len() == 16);
        if let Some(id) = id.and_then(|id| u64::from_str_radix(id, 16).ok()) {
            found.push((id, entry.metadata()?.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A batch's lines as records.
pub(super) fn records(timestamp: u64, lines: &[u8]) -> Vec<(Header, &[u8])> {
    payloads(lines).map(|p| (Header::of(timestamp, p), p)).collect()
}

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Appender {
    file: File,
    end: u64,
}

impl Appender {
    /// A new segment; its file must not exist yet.
    pub fn create(dir: &Path, id: u64) -> io::Result<Self> {
        let path = path(dir, id);
        let file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Self { file, end: 0 })
    }

    /// Bytes written so far.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Appends records, all or none: after an error the file ends where it did before.
    pub fn append(&mut self, records: &[(Header, &[u8])]) -> io::Result<()> {
        let mut at = self.end;
        for (header, payload) in records {
            let header = header.encode();
            match write_at(&self.file, &mut [IoSlice::new(&header), IoSlice::new(payload)], at) {
                Ok(written) => at += written,
                Err(e) => {
                    // should this fail too, the next append overwrites the rest and a reader skips it
                    drop(self.file.set_len(self.end));
                    return Err(e);
                }
            }
        }
        self.end = at;
        Ok(())
    }

    /// Appends bytes that are records already.
    pub fn append_encoded(&mut self, records: &[u8]) -> io::Result<()> {
        self.end += write_at(&self.file, &mut [IoSlice::new(records)], self.end)?;
        Ok(())
    }
}

fn write_at(file: &File, mut slices: &mut [IoSlice<'_>], start: u64) -> io::Result<u64> {
    let mut at = start;
    while slices.iter().any(|s| !s.is_empty()) {
        match rustix::io::pwritev(file, slices, at) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(at - start)
}

/// Where a segment's bytes are.
#[derive(Debug)]
pub(super) enum Source {
    /// In a file.
    File(File),
    /// In memory, while the disk does not take them.
    Memory(Arc<Vec<u8>>),
}

impl Source {
    /// Opens a segment's file for reading.
    pub fn open(dir: &Path, id: u64) -> io::Result<Self> {
        Ok(Self::File(File::open(path(dir, id))?))
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(out, offset),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = start.checked_add(out.len()).and_then(|end| bytes.get(start..end));
                out.copy_from_slice(part.ok_or(ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    /// What stands at `offset`, `end` being where the segment ends.
    pub fn find(&self, offset: u64, end: u64) -> io::Result<Found> {
        if offset >= end {
            return Ok(Found::End);
        }
        let found = self.header(offset, end).and_then(|header| match header {
            Some(header) => Ok(Found::Record(header)),
            None => Ok(Found::Damaged { resume: self.resume(offset + 1, end)? }),
        });
        match found {
            // somebody cut the file
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(Found::Damaged { resume: end }),
            found => found,
        }
    }

    fn header(&self, offset: u64, end: u64) -> io::Result<Option<Header>> {
        if end - offset < HEADER as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEADER];
        self.read_at(&mut bytes, offset)?;
        Ok(Header::decode(&bytes).filter(|h| h.size() <= end - offset))
    }

    /// The next header at or after `from`, or `end`.
    fn resume(&self, mut from: u64, end: u64) -> io::Result<u64> {
        let mut window = vec![0; 64 * 1024];
        while end - from.min(end) >= HEADER as u64 {
            let length = usize::try_from(end - from).unwrap_or(usize::MAX).min(window.len());
            self.read_at(&mut window[..length], from)?;
            // the last bytes of a window are looked at again as the first of the next one
            for at in 0..=length - HEADER {
                let place = from + at as u64;
                if window[at..].starts_with(&MAGIC) && self.header(place, end)?.is_some() {
                    return Ok(place);
                }
            }
            from += (length - HEADER + 1) as u64;
        }
        Ok(end)
    }

    /// Reads the payload of the record at `offset` into `out`. False if its CRC is wrong.
    pub fn payload(&self, offset: u64, header: &Header, out: &mut Vec<u8>) -> io::Result<bool> {
        out.resize(usize::try_from(header.length).unwrap_or(0).min(MAX_PAYLOAD), 0);
        match self.read_at(out, offset + HEADER as u64) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| crc32fast::hash(out) == header.crc),
        }
    }

    /// The records to send over one connection from `from` on: the first batch whole, then more while they are few. Looks at
    /// headers only.
    pub fn measure(&self, from: u64, end: u64) -> io::Result<Measured> {
        let first = match self.find(from, end)? {
            Found::Record(header) => header,
            Found::Damaged { resume } => return Ok(Measured::Damaged { resume }),
            Found::End => return Ok(Measured::Damaged { resume: end }),
        };
        let (mut to, mut points) = (from + first.size(), u64::from(first.points));
        let following = loop {
            let Found::Record(next) = self.find(to, end)? else { break None };
            let sum = points + u64::from(next.points);
            let few = to + next.size() - from <= CHUNK_BYTES && sum <= CHUNK_POINTS;
            if next.timestamp != first.timestamp && !few {
                break Some(next.timestamp);
            }
            (to, points) = (to + next.size(), sum);
        };
        Ok(Measured::Chunk { to, points, timestamp: first.timestamp, following })
    }
}

/// What stands at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record that lies within the segment; its payload is not checked yet.
    Record(Header),
    /// Not a record; the next one is at `resume`, which is the end if there is none.
    Damaged {
        /// Where to go on.
        resume: u64,
    },
    /// The end.
    End,
}

/// What to send next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// Records up to `to`.
    Chunk {
        /// Where they end.
        to: u64,
        /// Points in them.
        points: u64,
        /// Timestamp of the first.
        timestamp: u64,
        /// Timestamp of the record that comes after them.
        following: Option<u64>,
    },
    /// Nothing that can be read; the next record is at `resume`.
    Damaged {
        /// Where to go on.
        resume: u64,
    },
}

/// A chunk's records, one after the other.
#[derive(Debug)]
pub(super) struct Reader {
    source: Source,
    at: u64,
    to: u64,
    /// Points and records left out so far because they were damaged.
    pub damaged: (u64, u64),
}

impl Reader {
    /// Reads from `at` up to `to`.
    pub fn new(source: Source, at: u64, to: u64) -> Self {
        Self { source, at, to, damaged: (0, 0) }
    }

    /// Reads the next good record's lines into `out`, and returns how many there are; `None` at the end.
    pub fn next(&mut self, out: &mut Vec<u8>) -> io::Result<Option<u32>> {
        loop {
            match self.source.find(self.at, self.to)? {
                Found::Record(header) => {
                    let good = self.source.payload(self.at, &header, out)?;
                    self.at += header.size();
                    if good {
                        return Ok(Some(header.points));
                    }
                    self.damaged.0 += u64::from(header.points);
                    self.damaged.1 += 1;
                }
                Found::Damaged { resume } => {
                    self.at = resume;
                    self.damaged.1 += 1;
                }
                Found::End => return Ok(None),
            }
        }
    }
}

/// What a segment found at the start holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Where its last good record ends.
    pub end: u64,
    /// Points in good records.
    pub points: u64,
    /// Timestamp of the first.
    pub first: Option<u64>,
    /// Whether what comes after is no record: the tail a crash left.
    pub torn: bool,
}

/// Looks through a segment from `from` to `end`, headers only: a wrong payload is found when it is sent, and so is a damaged place
/// between good records.
pub(super) fn scan(source: &Source, from: u64, end: u64) -> io::Result<Scan> {
    let mut scan = Scan { end: from, ..Scan::default() };
    let mut at = from;
    loop {
        match source.find(at, end)? {
            Found::Record(header) => {
                at += header.size();
                scan.end = at;
                scan.points += u64::from(header.points);
                scan.first.get_or_insert(header.timestamp);
            }
            Found::Damaged { resume } => {
                scan.torn = resume == end;
                at = resume;
            }
            Found::End => return Ok(scan),
        }
    }
}

#[cfg(test)]
mod tests;
