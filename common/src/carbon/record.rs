//! One record of the spool: a header of 32 bytes, then carbon lines.
//!
//! ```text
//!  0  magic      f5 'Q' 'A' 'E'   f5 never occurs in UTF-8, so no line can look like a header
//!  4  version    1, then three zero bytes
//!  8  length     u32  bytes of payload, at most MAX_PAYLOAD
//! 12  points     u32  lines in it
//! 16  timestamp  u64  Unix seconds of every one
//! 24  payload    u32  CRC-32
//! 28  header     u32  CRC-32 of the 28 bytes before, so the payload's is covered too
//! 32  payload         whole lines, each ended by a newline
//! ```
//!
//! All little-endian. The header has a CRC of its own, so that a reader may hop from header to header without reading payloads.
//! A batch larger than [`MAX_PAYLOAD`] becomes several records; reading and sending then needs one small buffer, however large a
//! batch is.

/// Bytes of a header.
pub(super) const HEADER: usize = 32;
/// Most bytes of lines in one record.
pub(super) const MAX_PAYLOAD: usize = 256 * 1024;

/// First bytes of every record.
pub(super) const MAGIC: [u8; 4] = [0xf5, b'Q', b'A', b'E'];
const VERSION: u32 = 1;

/// What a record says about its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of payload.
    pub length: u32,
    /// Points in it.
    pub points: u32,
    /// Unix seconds of every one of them.
    pub timestamp: u64,
    /// CRC-32 of the payload.
    pub crc: u32,
}

impl Header {
    /// The header of this payload.
    pub fn of(timestamp: u64, payload: &[u8]) -> Self {
        let newlines = payload.iter().filter(|b| **b == b'\n').count();
        Self {
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            points: u32::try_from(newlines).unwrap_or(u32::MAX),
            timestamp,
            crc: crc32fast::hash(payload),
        }
    }

    /// As it stands on disk.
    pub fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[0..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&VERSION.to_le_bytes());
        out[8..12].copy_from_slice(&self.length.to_le_bytes());
        out[12..16].copy_from_slice(&self.points.to_le_bytes());
        out[16..24].copy_from_slice(&self.timestamp.to_le_bytes());
        out[24..28].copy_from_slice(&self.crc.to_le_bytes());
        let crc = crc32fast::hash(&out[..28]);
        out[28..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Back from disk; `None` for whatever this version did not write.
    pub fn decode(bytes: &[u8; HEADER]) -> Option<Self> {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let whole = bytes[..4] == MAGIC
            && word(4) == VERSION
            && word(28) == crc32fast::hash(&bytes[..28])
            && usize::try_from(word(8)).is_ok_and(|length| length <= MAX_PAYLOAD);
        whole.then(|| Self {
            length: word(8),
            points: word(12),
            timestamp: u64::from(word(16)) | u64::from(word(20)) << 32,
            crc: word(24),
        })
    }

    /// Bytes of the whole record.
    pub fn size(&self) -> u64 {
        u64::from(self.length) + HEADER as u64
    }
}

/// Cuts a batch's lines into payloads, at line ends.
pub(super) fn payloads(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if lines.is_empty() {
            return None;
        }
        let most = lines.len().min(MAX_PAYLOAD);
        let cut = if most == lines.len() {
            most
        } else {
            lines[..most].iter().rposition(|b| *b == b'\n').map_or(most, |at| at + 1)
        };
        let (payload, rest) = lines.split_at(cut);
        lines = rest;
        Some(payload)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_survives_and_a_flipped_bit_does_not(
            timestamp in any::<u64>(), lines in "([a-z.]{1,9} [0-9]{1,3} 1\n){0,9}", bit in 0..HEADER * 8,
        ) {
            let header = Header::of(timestamp, lines.as_bytes());
            let mut bytes = header.encode();
            prop_assert_eq!(Header::decode(&bytes), Some(header));
            prop_assert_eq!(header.points as usize, lines.lines().count());
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes), None);
        }

        #[test]
        fn any_bytes_are_no_panic(bytes in prop::array::uniform32(any::<u8>())) {
            prop_assert!(Header::decode(&bytes).is_none());
        }

        #[test]
        fn payloads_are_whole_lines_and_lose_nothing(line in 1_usize..2000, count in 0_usize..700) {
            let mut lines = Vec::new();
            for _ in 0..count {
                lines.resize(lines.len() + line, b'a');
                lines.push(b'\n');
            }
            let cut: Vec<&[u8]> = payloads(&lines).collect();
            prop_assert!(cut.iter().all(|p| p.len() <= MAX_PAYLOAD && p.ends_with(b"\n")));
            prop_assert_eq!(cut.concat(), lines);
        }
    }
}
