//! The bytes of the journal. Pure.
//!
//! A header of 16 bytes (`qae ship`, version, CRC), then records: CRC-32 of what follows, length (u16), kind, content; all little-endian. A
//! file is written out once with a number, each step after that has the number, an offset and a hash: some thirty bytes. Reading stops at
//! the first record that is not whole and right: what comes behind it cannot be trusted to be in order.

use crate::files::Known;
use crate::identity::{Head, Identity, Mark};
use crate::name::FileName;
use std::collections::HashMap;

const MAGIC: &[u8; 8] = b"qae ship";
/// Another one is not read.
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER: usize = 16;
/// CRC and length.
const FRAME: usize = 6;

const WHOLE: u8 = 1;
const MOVED: u8 = 2;
const FORGOTTEN: u8 = 3;

/// What is known of the files, each with its number in this journal.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) files: HashMap<(u64, u64), Entry>,
    pub(super) next_id: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u32,
    pub(super) known: Known,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) entries: Entries,
    /// Bytes that are whole and right; more than that is damage.
    pub(super) good: usize,
    /// Written by a later version, which nobody here can read.
    pub(super) foreign: Option<u32>,
}

pub(super) fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Everything about a file.
pub(super) fn whole(id: u32, known: &Known, out: &mut Vec<u8>) {
    record(out, WHOLE, id, |out| {
        let Identity { dev, ino, birth, head } = known.identity;
        out.extend_from_slice(&dev.to_le_bytes());
        out.extend_from_slice(&ino.to_le_bytes());
        let (seconds, nanos) = birth.unwrap_or_default();
        out.push(u8::from(birth.is_some()));
        out.extend_from_slice(&seconds.to_le_bytes());
        out.extend_from_slice(&nanos.to_le_bytes());
        out.extend_from_slice(&head.len.to_le_bytes());
        out.extend_from_slice(&head.hash.to_le_bytes());
        mark(known.mark, out);
        out.extend_from_slice(known.name.bytes());
    });
}

/// A file was acknowledged further.
pub(super) fn moved(id: u32, to: Mark, out: &mut Vec<u8>) {
    record(out, MOVED, id, |out| mark(to, out));
}

/// A file is gone.
pub(super) fn forgotten(id: u32, out: &mut Vec<u8>) {
    record(out, FORGOTTEN, id, |_| ());
}

fn mark(mark: Mark, out: &mut Vec<u8>) {
    out.extend_from_slice(&mark.offset.to_le_bytes());
    out.extend_from_slice(&mark.tail.to_le_bytes());
}

fn record(out: &mut Vec<u8>, kind: u8, id: u32, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME]);
    out.push(kind);
    out.extend_from_slice(&id.to_le_bytes());
    content(out);
    // a name has 4,096 bytes at most
    let len = u16::try_from(out.len() - start - FRAME).unwrap_or(u16::MAX);
    out[start + 4..start + FRAME].copy_from_slice(&len.to_le_bytes());
    let crc = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// A journal that holds these files and nothing else, renumbered.
pub(super) fn compact(entries: &mut Entries) -> Vec<u8> {
    let mut out = header().to_vec();
    entries.next_id = 0;
    for entry in entries.files.values_mut() {
        entry.id = entries.next_id;
        entries.next_id += 1;
        whole(entry.id, &entry.known, &mut out);
    }
    out
}

/// Reads a journal as far as it is good.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let Some((head, _)) = bytes.split_at_checked(HEADER) else { return read };
    // a damaged header says nothing about the records, which have their own sums
    if head != header() {
        let version = Taken(&head[8..12]).u32().unwrap_or(VERSION);
        let right = Taken(&head[12..]).u32() == Some(crc32fast::hash(&head[..12]));
        if right && head.starts_with(MAGIC) && version != VERSION {
            read.foreign = Some(version);
            return read;
        }
    } else {
        read.good = HEADER;
    }
    let mut ids: HashMap<u32, (u64, u64)> = HashMap::new();
    let mut at = HEADER;
    while let Some(len) = next(&bytes[at..], &mut read.entries, &mut ids) {
        at += len;
        read.good = at;
    }
    read
}

/// Takes one record in; its length, or None if it is not whole and right.
fn next(bytes: &[u8], entries: &mut Entries, ids: &mut HashMap<u32, (u64, u64)>) -> Option<usize> {
    let mut frame = Taken(bytes.get(..FRAME)?);
    let (crc, len) = (frame.u32()?, usize::from(frame.u16()?));
    let summed = bytes.get(4..FRAME + len)?;
    if crc32fast::hash(summed) != crc {
        return None;
    }
    let mut content = Taken(&summed[2..]);
    let (kind, id) = (content.u8()?, content.u32()?);
    match kind {
        WHOLE => {
            // first, since a record that is refused changes nothing
            let next_id = id.checked_add(1)?;
            let known = content.known()?;
            let key = (known.identity.dev, known.identity.ino);
            if let Some(before) = ids.insert(id, key).filter(|before| *before != key) {
                entries.files.remove(&before);
            }
            entries.files.insert(key, Entry { id, known });
            entries.next_id = entries.next_id.max(next_id);
        }
        MOVED => {
            let to = content.mark()?;
            let entry = entries.files.get_mut(ids.get(&id)?)?;
            entry.known.mark = to;
        }
        FORGOTTEN => {
            entries.files.remove(&ids.remove(&id)?);
        }
        _ => return None,
    }
    Some(FRAME + len)
}

/// What is left to read of a record.
struct Taken<'a>(&'a [u8]);

impl Taken<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn mark(&mut self) -> Option<Mark> {
        Some(Mark { offset: self.u64()?, tail: self.u64()? })
    }

    fn known(&mut self) -> Option<Known> {
        let (dev, ino) = (self.u64()?, self.u64()?);
        let (born, seconds, nanos) =
            (self.u8()?, self.array().map(i64::from_le_bytes)?, self.u32()?);
        let birth = (born != 0).then_some((seconds, nanos));
        let head = Head { len: self.u16()?, hash: self.u64()? };
        let mark = self.mark()?;
        let name = FileName::new(self.0).ok()?;
        Some(Known { identity: Identity { dev, ino, birth, head }, mark, name })
    }
}
