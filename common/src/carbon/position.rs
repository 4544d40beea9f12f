//! Where the spool stands: a position in it, and the small file that remembers one.
//!
//! The file holds the place before which everything is acknowledged and out of the replay window, as one line of text with a CRC:
//! `qae-spool 1 <segment> <offset> <crc>`. A file that is missing or damaged only means that more is sent again than needed.

use crate::atomic_file;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// A place in the spool; later places are greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Which segment.
    pub segment: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

const FILE: &str = "position";

/// Replaces the remembered position in `dir`; no write if it is there already.
pub(super) fn save(dir: &Path, position: Position) -> Result<bool, atomic_file::Error> {
    atomic_file::write(&dir.join(FILE), print(position).as_bytes())
}

/// The remembered position. `Ok(None)` before the first; an error of kind `InvalidData` if the file is damaged.
pub(super) fn load(dir: &Path) -> io::Result<Option<Position>> {
    let mut text = Vec::new();
    match File::open(dir.join(FILE)).and_then(|file| file.take(256).read_to_end(&mut text)) {
        Ok(_) => match parse(&text) {
            Some(position) => Ok(Some(position)),
            None => Err(io::Error::new(ErrorKind::InvalidData, "not a position")),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

pub(super) fn print(position: Position) -> String {
    let body = format!("qae-spool 1 {} {}", position.segment, position.offset);
    format!("{body} {:08x}\n", crc32fast::hash(body.as_bytes()))
}

pub(super) fn parse(text: &[u8]) -> Option<Position> {
    let (body, crc) = std::str::from_utf8(text).ok()?.trim_end().rsplit_once(' ')?;
    let mut words = body.strip_prefix("qae-spool 1 ")?.split(' ');
    let (segment, offset) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let whole = u32::from_str_radix(crc, 16) == Ok(crc32fast::hash(body.as_bytes()));
    (whole && words.next().is_none()).then_some(Position { segment, offset })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_position_survives_and_a_changed_byte_does_not(segment in any::<u64>(), offset in any::<u64>(), at in 0_usize..60) {
            let position = Position { segment, offset };
            let mut text = print(position).into_bytes();
            prop_assert_eq!(parse(&text), Some(position));
            let at = at % (text.len() - 1);
            text[at] ^= 1;
            prop_assert_eq!(parse(&text), None);
        }

        #[test]
        fn any_bytes_are_no_panic(text in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(parse(&text), None);
        }
    }
}
