//! From pieces of a text to its lines. Pure. A line longer than [`LONGEST`] comes in parts, nothing is left out.

/// Longest part of a line, in bytes.
pub const LONGEST: usize = 64 << 10;

/// What has come since the last newline.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes a piece; the lines that it completes, without their newlines.
    pub fn take(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for part in piece.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            for chunk in text.chunks(LONGEST) {
                if self.rest.len() + chunk.len() > LONGEST {
                    out.push(std::mem::take(&mut self.rest));
                }
                self.rest.extend_from_slice(chunk);
            }
            if ended {
                out.push(std::mem::take(&mut self.rest));
            }
        }
        out
    }

    /// What is left at the end.
    pub fn end(&mut self) -> Vec<Vec<u8>> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() { Vec::new() } else { vec![rest] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_come(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200), size in 1usize..50,
        ) {
            let mut lines = Lines::default();
            let mut got: Vec<Vec<u8>> = text.chunks(size).flat_map(|piece| lines.take(piece)).collect();
            got.extend(lines.end());
            let mut wanted: Vec<Vec<u8>> = text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            if wanted.last().is_some_and(Vec::is_empty) {
                wanted.pop();
            }
            prop_assert_eq!(got, wanted);
        }
    }

    #[test]
    fn an_endless_line_comes_in_parts() {
        let mut lines = Lines::default();
        let got = lines.take(&vec![b'x'; 3 * LONGEST + 7]);
        assert!(got.iter().all(|part| part.len() <= LONGEST));
        let all: usize = got.iter().map(Vec::len).sum::<usize>() + lines.end()[0].len();
        assert_eq!(all, 3 * LONGEST + 7);
    }
}
