//! Marathon's Server-Sent Events: bytes in whatever pieces they come, the data of each event out. Pure.
//!
//! A line ends with CR, LF or CR LF, also when the two come in two reads, as Marathon's heartbeat (a bare CR LF) does. Only `data:` is
//! read: the type stands in the JSON as well, and before 0.11 nowhere else. An event that is too large is dropped whole and told of.

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The data of one event.
    Event(Vec<u8>),
    /// There was one with more data than is borne.
    TooLarge,
}

/// The state between two reads. Holds at most one event of the largest size, and one line.
#[derive(Debug)]
pub struct Frames {
    longest: usize,
    line: Vec<u8>,
    /// The line is longer than any that could be used; the rest of it is not kept.
    overlong: bool,
    data: Vec<u8>,
    /// A `data:` line was seen since the last event.
    begun: bool,
    too_large: bool,
    /// The last byte was a CR: an LF right after it belongs to it.
    after_cr: bool,
}

impl Frames {
    /// For events with at most `longest` bytes of data.
    pub fn new(longest: usize) -> Self {
        Self {
            longest,
            line: Vec::new(),
            overlong: false,
            data: Vec::new(),
            begun: false,
            too_large: false,
            after_cr: false,
        }
    }

    /// Takes in a read and hands out every event that it completes.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) {
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|b| matches!(b, b'\r' | b'\n'));
            self.extend(&bytes[..end.unwrap_or(bytes.len())]);
            let Some(end) = end else { return };
            self.after_cr = bytes[end] == b'\r';
            self.end_line(&mut each);
            bytes = &bytes[end + 1..];
        }
    }

    fn extend(&mut self, part: &[u8]) {
        // the field's name, its colon and the space do not count
        self.overlong |= self.line.len() + part.len() > self.longest + b"data: ".len();
        if self.overlong {
            self.line.clear();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, each: &mut impl FnMut(Frame)) {
        if std::mem::take(&mut self.overlong) {
            self.begun = true;
            self.too_large = true;
        } else if self.line.is_empty() {
            self.end_event(each);
        } else if let Some(value) = self.line.strip_prefix(b"data:") {
            if self.begun {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            self.begun = true;
            self.too_large |= self.data.len() > self.longest;
        }
        if self.too_large {
            self.data.clear();
        }
        self.line.clear();
    }

    fn end_event(&mut self, each: &mut impl FnMut(Frame)) {
        let data = std::mem::take(&mut self.data);
        let begun = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.too_large) {
            each(Frame::TooLarge);
        } else if begun {
            each(Frame::Event(data));
        }
    }
}

#[cfg(test)]
mod tests;
