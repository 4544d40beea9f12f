//! The spool's formats and the pickle encoder for fuzz targets; see [`crate::fuzzing`].

use super::position::Position;
use super::segment::{self, Measured, Reader, Source};
use std::io;
use std::sync::Arc;

/// What reading a whole segment came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SegmentRead {
    /// Lines of all good records, in order.
    pub lines: Vec<u8>,
    /// How many points their headers say.
    pub points: u64,
    /// Points and places left out as damaged.
    pub damaged: (u64, u64),
    /// Points the look at the headers alone has found.
    pub scanned_points: u64,
    /// Chunks it would be sent in.
    pub chunks: usize,
}

/// A batch's lines as a segment holds them.
pub fn segment(timestamp: u64, lines: &[u8]) -> Vec<u8> {
    let records = segment::records(timestamp, lines);
    records.iter().flat_map(|(header, payload)| [&header.encode(), *payload].concat()).collect()
}

/// Reads a segment of these bytes in the three ways the spool does: the look at the start, the cut into chunks, the chunks' lines.
pub fn read_segment(bytes: &[u8]) -> io::Result<SegmentRead> {
    let bytes = Arc::new(bytes.to_vec());
    let (source, end) = (Source::Memory(bytes.clone()), bytes.len() as u64);
    let mut read = SegmentRead {
        scanned_points: segment::scan(&source, 0, end)?.points,
        ..SegmentRead::default()
    };
    let (mut at, mut payload) = (0, Vec::new());
    while at < end {
        let to = match source.measure(at, end)? {
            Measured::Chunk { to, .. } => to,
            Measured::Damaged { resume } => {
                read.damaged.1 += 1;
                at = resume;
                continue;
            }
        };
        read.chunks += 1;
        let mut reader = Reader::new(Source::Memory(bytes.clone()), at, to);
        while let Some(points) = reader.next(&mut payload)? {
            read.points += u64::from(points);
            read.lines.extend_from_slice(&payload);
        }
        read.damaged.0 += reader.damaged.0;
        read.damaged.1 += reader.damaged.1;
        at = to;
    }
    Ok(read)
}

/// The remembered position: (segment, offset).
pub fn position(text: &[u8]) -> Option<(u64, u64)> {
    super::position::parse(text).map(|p| (p.segment, p.offset))
}

/// The file that remembers a position.
pub fn position_text(segment: u64, offset: u64) -> String {
    super::position::print(Position { segment, offset })
}

/// Carbon lines as pickle frames, and how many lines were refused.
pub fn pickle(lines: &[u8]) -> (Vec<u8>, u64) {
    let mut out = Vec::new();
    let refused = super::pickle::encode(lines, &mut out);
    (out, refused)
}
