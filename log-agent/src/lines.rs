//! Bytes to lines, with their places; nothing is copied. Pure.
//!
//! A line ends with LF, which is no part of it; every other byte passes unchanged. A line longer than the cap is given in parts, nothing of
//! it is hidden. Where it is cut depends on its bytes alone, not on how they were read: reading again after a crash cuts at the same places.

use memchr::memchr;

/// Longest piece, in bytes.
pub const LONGEST: usize = 256 * 1_024;

/// What of a line a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The beginning of a cut line.
    First,
    /// Neither its beginning nor its end.
    Middle,
    /// Its end; may be empty.
    Last,
}

/// One line or a part of one, by its place in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its first byte.
    pub start: usize,
    /// Behind its last; the LF is not in it.
    pub end: usize,
    /// Where the next one starts.
    pub next: usize,
    /// What of a line it is.
    pub part: Part,
}

/// The complete pieces of a buffer, in order.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The buffer goes on in a line whose beginning was given already.
    within: bool,
    longest: usize,
}

impl<'a> Lines<'a> {
    /// Of a buffer that begins where the last one's [`Lines::at`] was, with the last one's [`Lines::within`]; at first at the beginning of a
    /// line, with false.
    pub fn new(bytes: &'a [u8], within: bool) -> Self {
        Self::cut(bytes, within, LONGEST)
    }

    /// As [`Lines::new`] with another cap than [`LONGEST`], at least 4.
    pub fn cut(bytes: &'a [u8], within: bool, longest: usize) -> Self {
        Self { bytes, at: 0, within, longest: longest.max(4) }
    }

    /// Bytes given so far, with their LFs; what follows waits for more.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether the next piece goes on with a cut line.
    pub fn within(&self) -> bool {
        self.within
    }

    /// What is left when no LF comes for a while: given as a part whose line goes on, or as the end of a line if the file `ended` there.
    /// To be asked after the last complete piece. None if nothing is left.
    pub fn rest(&mut self, ended: bool) -> Option<Piece> {
        if self.at == self.bytes.len() {
            return None;
        }
        let end = self.bytes.len();
        Some(self.give(end, end, ended))
    }

    fn give(&mut self, end: usize, next: usize, ended: bool) -> Piece {
        let part = match (self.within, ended) {
            (false, true) => Part::Whole,
            (false, false) => Part::First,
            (true, false) => Part::Middle,
            (true, true) => Part::Last,
        };
        let piece = Piece { start: self.at, end, next, part };
        self.within = !ended;
        self.at = next;
        piece
    }
}

impl Iterator for Lines<'_> {
    type Item = Piece;

    #[inline]
    fn next(&mut self) -> Option<Piece> {
        let rest = self.bytes.get(self.at..)?;
        // one byte more than the longest piece: its LF
        let window = &rest[..rest.len().min(self.longest + 1)];
        match memchr(b'\n', window) {
            Some(len) => Some(self.give(self.at + len, self.at + len + 1, true)),
            None if window.len() > self.longest => {
                let end = self.at + char_end(&window[..self.longest]);
                Some(self.give(end, end, false))
            }
            None => None,
        }
    }
}

/// The end of the last character that is whole, so that no UTF-8 sequence is cut; all of it if the bytes are no UTF-8 there.
fn char_end(bytes: &[u8]) -> usize {
    for back in 1..=3.min(bytes.len() - 1) {
        let byte = bytes[bytes.len() - back];
        let needs = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => break,
        };
        return if needs > back { bytes.len() - back } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
