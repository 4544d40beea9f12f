//! Bytes to lines, with a bound on the length of a line. Pure.

/// Cuts a stream into lines. A line beyond the bound is dropped whole, and said.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins in the buffer.
    start: usize,
    /// In the middle of a line that is too long.
    skipping: bool,
    longest: usize,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its line end, never empty.
    Whole(Vec<u8>),
    /// Dropped.
    TooLong,
}

impl Lines {
    pub(super) fn new(longest: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, skipping: false, longest }
    }

    /// Takes more of the stream. Take all lines before the next piece: what is kept is bounded by the longest line and one piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// The next line, none until more is pushed.
    pub(super) fn next(&mut self) -> Option<Line> {
        loop {
            let rest = &self.buffer[self.start..];
            let Some(end) = rest.iter().position(|b| *b == b'\n') else {
                if self.skipping || rest.len() > self.longest {
                    self.buffer.clear();
                    self.start = 0;
                    self.skipping = true;
                }
                return None;
            };
            let line = rest[..end].trim_ascii();
            self.start += end + 1;
            if std::mem::take(&mut self.skipping) || line.len() > self.longest {
                return Some(Line::TooLong);
            }
            if !line.is_empty() {
                return Some(Line::Whole(line.to_vec()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]], longest: usize) -> Vec<Line> {
        let mut lines = Lines::new(longest);
        let mut out = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next() {
                out.push(line);
            }
            assert!(lines.buffer.len() - lines.start <= longest);
        }
        out
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_over_pieces() {
        assert_eq!(cut(&[b"a", b"b\r\n\r\n\nc\nd"], 9), [whole("ab"), whole("c")]);
        assert_eq!(
            cut(&[b"12345\n1234", b"56", b"7\nx\n"], 5),
            [whole("12345"), Line::TooLong, whole("x")]
        );
        assert_eq!(cut(&[b"123456\nx\n"], 5), [Line::TooLong, whole("x")]);
    }

    proptest! {
        #[test]
        fn the_cut_does_not_depend_on_the_pieces(text in "[a-c\n]{0,60}", at in proptest::collection::vec(0usize..60, 0..5)) {
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = at.into_iter().map(|a| a.min(bytes.len())).collect();
            at.push(bytes.len());
            at.sort_unstable();
            let mut begin = 0;
            let pieces: Vec<&[u8]> = at.iter().map(|end| {
                let piece = &bytes[begin..*end];
                begin = *end;
                piece
            }).collect();
            prop_assert_eq!(cut(&pieces, 4), cut(&[bytes], 4));
        }
    }
}
