//! Server-Sent Events, from pieces of a body to frames. Pure.
//!
//! Promise: pieces may be cut anywhere; a frame longer than [`LONGEST`] is refused, so that no server makes this program keep more.

/// Longest frame, in bytes.
pub const LONGEST: usize = 4 << 20;

/// One frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// `id:`; empty if it has none.
    pub id: String,
    /// `event:`.
    pub kind: String,
    /// `data:`, its lines joined by newlines.
    pub data: String,
    /// `retry:`, milliseconds.
    pub retry: Option<u64>,
}

/// The frame is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of more than 4 MiB")]
pub struct TooLong;

/// What has come and is not a whole line yet, and the frame being gathered.
#[derive(Debug, Default)]
pub struct Parser {
    rest: Vec<u8>,
    frame: Frame,
    size: usize,
}

impl Parser {
    /// Takes a piece; the frames that it completes.
    pub fn take(&mut self, piece: &[u8]) -> Result<Vec<Frame>, TooLong> {
        let mut out = Vec::new();
        for line in piece.split_inclusive(|b| *b == b'\n') {
            self.rest.extend_from_slice(line);
            if self.size + self.rest.len() > LONGEST {
                return Err(TooLong);
            }
            if line.last() == Some(&b'\n') {
                let whole = std::mem::take(&mut self.rest);
                let text = String::from_utf8_lossy(&whole);
                self.size += whole.len();
                if let Some(frame) = self.line(text.trim_end_matches(['\n', '\r'])) {
                    out.push(frame);
                }
            }
        }
        Ok(out)
    }

    fn line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            self.size = 0;
            let frame = std::mem::take(&mut self.frame);
            return (frame != Frame::default()).then_some(frame);
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.frame.id = value.to_owned(),
            "event" => self.frame.kind = value.to_owned(),
            "retry" => self.frame.retry = value.parse().ok(),
            "data" if self.frame.data.is_empty() => self.frame.data = value.to_owned(),
            "data" => {
                self.frame.data.push('\n');
                self.frame.data.push_str(value);
            }
            // a comment, or a field of the future
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "retry: 1000\n\nid: e:7\nevent: heartbeat\ndata: {\"a\":\ndata: 1}\n\n: note\r\n\r\nid:8\r\ndata:é\r\n\r\n";

    fn frames() -> Vec<Frame> {
        let frame = |id: &str, kind: &str, data: &str| Frame {
            id: id.into(),
            kind: kind.into(),
            data: data.into(),
            retry: None,
        };
        vec![
            Frame { retry: Some(1000), ..Frame::default() },
            frame("e:7", "heartbeat", "{\"a\":\n1}"),
            frame("8", "", "é"),
        ]
    }

    #[test]
    fn a_frame_without_an_end_is_refused_in_time() {
        let mut parser = Parser::default();
        let piece = [b'x'; 1 << 16];
        let refused = (0..LONGEST / piece.len() + 1).find_map(|_| parser.take(&piece).err());
        assert_eq!(refused, Some(TooLong));
        let mut parser = Parser::default();
        let lines = b"data: y\n".repeat(1 << 13);
        assert!((0..LONGEST / lines.len() + 1).any(|_| parser.take(&lines).is_err()));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(cuts in proptest::collection::vec(0..TEXT.len(), 0..9)) {
            let mut cuts = cuts;
            cuts.extend([0, TEXT.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut got = Vec::new();
            for cut in cuts.windows(2) {
                got.extend(parser.take(&TEXT.as_bytes()[cut[0]..cut[1]]).unwrap());
            }
            prop_assert_eq!(got, frames());
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Parser::default().take(&bytes).is_ok());
        }
    }
}
