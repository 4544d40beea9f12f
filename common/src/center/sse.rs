//! Server-Sent Events: bytes in, events out. Pure, for any server's dialect.
//!
//! As the HTML standard reads them: lines end with LF, CR LF or CR, a blank line ends an event, several `data:` lines are joined with LF, an
//! `id:` stays until the next one, an event without data is none, unknown fields and comments are passed over. How the stream is cut into
//! pieces makes no difference. Memory is bounded: an event larger than the cap is dropped whole and said ([`Item::TooLarge`]).

use std::collections::VecDeque;
use std::time::Duration;

/// Longest name and id kept, in bytes.
const MAX_WORD: usize = 1024;

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event.
    Event(Frame),
    /// The server asks for this pause before a reconnect.
    Retry(Duration),
    /// An event was larger than the cap, and is lost.
    TooLarge,
}

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The last `id:` of the stream so far; empty if there was none.
    pub id: String,
    /// Its type; empty means `message`.
    pub event: String,
    /// Its data.
    pub data: String,
}

/// The parser's state.
#[derive(Debug)]
pub struct Parser {
    cap: usize,
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// Nothing has been read: a byte order mark may come.
    begun: bool,
    id: String,
    event: String,
    data: Vec<u8>,
    /// The event under way has data, or lost some.
    has_data: bool,
    /// The event under way is over the cap.
    over: bool,
    ready: VecDeque<Item>,
}

impl Parser {
    /// Events whose lines, or whose data as text, have more than `cap` bytes are dropped.
    pub fn new(cap: usize) -> Self {
        Self {
            cap,
            line: Vec::new(),
            after_cr: false,
            begun: false,
            id: String::new(),
            event: String::new(),
            data: Vec::new(),
            has_data: false,
            over: false,
            ready: VecDeque::new(),
        }
    }

    /// Takes more of the stream. Take everything with [`Parser::next`] before the next piece.
    pub fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_cr) && piece[0] == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let Some(end) = piece.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                self.gather(piece);
                return;
            };
            self.gather(&piece[..end]);
            self.after_cr = piece[end] == b'\r';
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.take_line(&line);
            // the buffer is used again
            self.line = line;
            self.line.clear();
        }
    }

    /// The next thing that is complete.
    #[expect(clippy::should_implement_trait, reason = "none means: push more, not: the end")]
    pub fn next(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// Bytes kept for what is not complete yet.
    pub fn held(&self) -> usize {
        self.line.len() + self.data.len()
    }

    fn gather(&mut self, bytes: &[u8]) {
        if self.held() + bytes.len() > self.cap {
            // what is left of the line keeps it from looking blank
            self.over = true;
            self.data = Vec::new();
            self.line = vec![b':'];
        } else if !self.over || self.line.is_empty() {
            // of an event that is lost only whether its lines are blank is of interest
            let wanted = if self.over { &bytes[..bytes.len().min(1)] } else { bytes };
            self.line.extend_from_slice(wanted);
        }
    }

    fn take_line(&mut self, line: &[u8]) {
        let first = !std::mem::replace(&mut self.begun, true);
        let line = match line.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if first => rest,
            _ => line,
        };
        if line.is_empty() {
            return self.dispatch();
        }
        if self.over {
            return;
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => self.event = word(value),
            b"id" if !value.contains(&0) => self.id = word(value),
            b"retry" => {
                let digits = value.iter().all(u8::is_ascii_digit);
                let ms = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                if let Some(ms) = ms.filter(|_| digits) {
                    self.ready.push_back(Item::Retry(Duration::from_millis(ms)));
                }
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        let had_data = std::mem::take(&mut self.has_data);
        if std::mem::take(&mut self.over) {
            self.ready.push_back(Item::TooLarge);
        } else if had_data {
            let data = String::from_utf8(data)
                .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
            // each byte that is no text becomes three
            self.ready.push_back(if data.len() > self.cap {
                Item::TooLarge
            } else {
                Item::Event(Frame { id: self.id.clone(), event, data })
            });
        }
    }
}

fn word(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[..value.len().min(MAX_WORD)]).into_owned()
}

#[cfg(test)]
mod tests;
