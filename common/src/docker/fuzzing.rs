//! The engine's answers for fuzz targets; see [`crate::fuzzing`].

use super::lines::{Line, Lines};
use super::wire::{self, Version};

/// Reads one text as the engine's version, list and event. Gives the API path prefix, the number of entries listed and left out,
/// and whether the event is about a container.
pub fn answers(json: &[u8]) -> (Option<String>, Option<(usize, usize)>, bool) {
    let prefix = Version::parse(json).ok().map(|version| version.prefix());
    let listed = wire::parse_list(json).ok().map(|(list, left_out)| (list.len(), left_out));
    (prefix, listed, matches!(wire::parse_event(json), Ok(Some(_))))
}

/// Cuts a stream that comes in these pieces into its lines; a line beyond `longest` is `None`.
pub fn lines(pieces: &[&[u8]], longest: usize) -> Vec<Option<Vec<u8>>> {
    let mut lines = Lines::new(longest);
    let mut out = Vec::new();
    for piece in pieces {
        lines.push(piece);
        while let Some(line) = lines.next() {
            out.push(match line {
                Line::Whole(line) => Some(line),
                Line::TooLong => None,
            });
        }
    }
    out
}
