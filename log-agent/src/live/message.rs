//! The frames as bytes. Pure.
//!
//! Rare frames go through serde; `lines` is written straight from the file's bytes, once for all viewers of the same place. Raw text is
//! data: what JSON cannot carry (bytes that are no UTF-8) is replaced and marked, everything else passes unchanged. The text form is for
//! terminals: there what would act on one is shown instead, unless the raw bytes are asked for.

mod text;

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use common::api_types::live::{Frame, Of, Told};
use common::moment::Moment;
use std::fmt::Write as _;

/// How frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// For WebSocket.
    Json,
    /// For terminals: controls are shown, colours stay.
    Text,
    /// The bytes as they are.
    Raw,
}

/// A frame, written; clones share the bytes.
#[derive(Debug, Clone)]
pub enum Encoded {
    /// One JSON text.
    Json(Utf8Bytes),
    /// Text, with its line ends.
    Text(Bytes),
}

impl Encoded {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Json(text) => text.as_str().as_bytes(),
            Self::Text(text) => text,
        }
    }
}

/// A frame that is not `lines`, in this form; None if it has nothing to say to a terminal.
pub fn encode(told: &Told, form: Form) -> Option<Encoded> {
    match form {
        // names and numbers in structs: nothing of it can fail to print
        Form::Json => Some(Encoded::Json(serde_json::to_string(told).unwrap_or_default().into())),
        Form::Text | Form::Raw => {
            text::note(&told.frame).map(|note| Encoded::Text(note.into_bytes().into()))
        }
    }
}

/// Where a frame of lines lies in its file.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The first byte it stands for.
    pub offset: u64,
    /// Behind the last.
    pub next: u64,
    /// When it was read.
    pub time: Moment,
    /// The first line goes on with the last one of this source.
    pub continues: bool,
    /// The last line is not complete.
    pub open: bool,
}

/// A frame of lines that is being written.
#[derive(Debug)]
pub struct LinesFrame {
    form: Form,
    out: Vec<u8>,
    lines: u32,
    replaced: Vec<u32>,
}

impl LinesFrame {
    /// An empty one. `room`: bytes of text that are expected.
    pub fn new(of: &Of, form: Form, room: usize) -> Self {
        let mut out = Vec::with_capacity(room + room / 8 + 256);
        if form == Form::Json {
            out.extend_from_slice(b"{\"type\":\"lines\",\"source\":");
            string(&mut out, of.source.as_bytes());
            out.extend_from_slice(b",\"file\":");
            string(&mut out, of.file.as_bytes());
            out.extend_from_slice(
                format!(",\"generation\":{},\"lines\":[", of.generation).as_bytes(),
            );
        }
        Self { form, out, lines: 0, replaced: Vec::new() }
    }

    /// Adds a line, without its end.
    pub fn push(&mut self, line: &[u8]) {
        match self.form {
            Form::Json => {
                if self.lines > 0 {
                    self.out.push(b',');
                }
                if string(&mut self.out, line) {
                    self.replaced.push(self.lines);
                }
            }
            Form::Text => {
                text::plain(&mut self.out, line);
                self.out.push(b'\n');
            }
            Form::Raw => {
                self.out.extend_from_slice(line);
                self.out.push(b'\n');
            }
        }
        self.lines += 1;
    }

    /// How many lines it has.
    pub fn lines(&self) -> u32 {
        self.lines
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether it has no line.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The frame.
    pub fn finish(mut self, span: &Span) -> Encoded {
        if self.form != Form::Json {
            if span.open && self.lines > 0 {
                self.out.pop();
            }
            return Encoded::Text(self.out.into());
        }
        let mut rest = format!(
            "],\"offset\":{},\"next\":{},\"time\":\"{}\"",
            span.offset, span.next, span.time
        );
        if !self.replaced.is_empty() {
            // a list of numbers
            let list: Vec<String> = self.replaced.iter().map(u32::to_string).collect();
            // writing to a string does not fail
            write!(rest, ",\"replaced\":[{}]", list.join(",")).ok();
        }
        if span.continues {
            rest.push_str(",\"continues\":true");
        }
        if span.open {
            rest.push_str(",\"open\":true");
        }
        rest.push('}');
        self.out.extend_from_slice(rest.as_bytes());
        // everything that was put in is UTF-8: the check costs little and needs no unsafe
        let text = String::from_utf8(self.out).unwrap_or_default();
        Encoded::Json(text.into())
    }
}

/// What a byte becomes in a JSON string: 0 itself, `u` a number, else a letter behind a backslash.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = b'u';
        at += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Writes bytes as a JSON string; whether some of them are no UTF-8.
fn string(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    out.push(b'"');
    let mut replaced = false;
    if let Ok(text) = std::str::from_utf8(bytes) {
        escape(out, text.as_bytes());
    } else {
        replaced = true;
        for chunk in bytes.utf8_chunks() {
            escape(out, chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    out.push(b'"');
    replaced
}

fn escape(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| ESCAPES[usize::from(*b)] != 0) {
        out.extend_from_slice(&rest[..at]);
        let byte = rest[at];
        match ESCAPES[usize::from(byte)] {
            b'u' => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// A frame that is about no instance, or whose instance the connection says.
pub fn bare(frame: Frame) -> Told {
    Told { instance: None, frame }
}

#[cfg(test)]
mod tests;
