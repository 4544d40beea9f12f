//! Lines that belong together, shipped as one event: a Java stack trace, or whatever a regex says begins. Pure.
//!
//! For shipping only: viewers see lines. What is joined lies together in the file, so an event is a range of it and nothing is copied. A
//! cursor stands between events only, so there is no state to remember. Bounded: above [`JOINED`] bytes an event ends and the next line
//! begins another. Pieces of cut lines are never joined. The last event of what was read may go on: it waits for the line that begins the
//! next one, or for time.

use crate::lines::{Lines, Part, Piece};
use regex::bytes::Regex;

/// Longest joined event, in bytes.
pub const JOINED: usize = 64 * 1_024;

/// What begins an event.
#[derive(Debug, Clone)]
pub enum Multiline {
    /// Every line but what looks like the rest of a stack trace.
    Java,
    /// Every line that matches.
    Start(Regex),
}

/// What it does follows from its text alone.
impl PartialEq for Multiline {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Java, Self::Java) => true,
            (Self::Start(one), Self::Start(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Eq for Multiline {}

impl Multiline {
    /// `java`, or a regex that matches the first line of an event.
    pub fn parse(text: &str) -> Result<Self, regex::Error> {
        match text {
            "java" => Ok(Self::Java),
            // bounded, and the engine is linear
            regex => {
                regex::bytes::RegexBuilder::new(regex).size_limit(1 << 20).build().map(Self::Start)
            }
        }
    }

    /// Whether a line begins an event.
    pub fn begins(&self, line: &[u8]) -> bool {
        match self {
            Self::Java => !continues_java(line),
            Self::Start(regex) => regex.is_match(line),
        }
    }
}

/// Indented, a cause, or the name of an exception: loggers put the message on the line before.
fn continues_java(line: &[u8]) -> bool {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return true;
    }
    if line.starts_with(b"Caused by:") || line.starts_with(b"Suppressed:") {
        return true;
    }
    let end = line
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || b"._$".contains(b)))
        .unwrap_or(line.len());
    let (class, rest) = line.split_at(end);
    let thrown = [&b"Exception"[..], b"Error", b"Throwable"].iter().any(|e| class.ends_with(e));
    thrown && class.contains(&b'.') && matches!(rest.first(), None | Some(b':' | b'\r'))
}

/// The complete events of a buffer, in order; each [`Piece`] is one or more lines.
#[derive(Debug)]
pub struct Groups<'a> {
    bytes: &'a [u8],
    lines: Lines<'a>,
    rule: &'a Multiline,
    /// May go on.
    open: Option<Piece>,
    /// To be given next.
    next: Option<Piece>,
}

impl<'a> Groups<'a> {
    /// As [`Lines::new`], from the beginning of an event.
    pub fn new(bytes: &'a [u8], within: bool, rule: &'a Multiline) -> Self {
        Self { bytes, lines: Lines::new(bytes, within), rule, open: None, next: None }
    }

    /// The event that may go on, if no line comes for a while. To be asked after the last complete one.
    pub fn open(&mut self) -> Option<Piece> {
        self.open.take()
    }

    /// After that, what is left without LF: see [`Lines::rest`].
    pub fn rest(&mut self, ended: bool) -> Option<Piece> {
        self.lines.rest(ended)
    }
}

impl Iterator for Groups<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let Some(piece) = self.next.take() {
            return Some(piece);
        }
        loop {
            let line = self.lines.next()?;
            if line.part != Part::Whole {
                return match self.open.take() {
                    Some(open) => {
                        self.next = Some(line);
                        Some(open)
                    }
                    None => Some(line),
                };
            }
            match &mut self.open {
                Some(open)
                    if line.end - open.start <= JOINED
                        && !self.rule.begins(&self.bytes[line.start..line.end]) =>
                {
                    (open.end, open.next) = (line.end, line.next);
                }
                open => {
                    if let Some(closed) = open.replace(line) {
                        return Some(closed);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(text: &str, rule: &Multiline) -> (Vec<String>, Option<String>) {
        let mut groups = Groups::new(text.as_bytes(), false, rule);
        let of = |p: Piece| text[p.start..p.end].to_owned();
        let closed = groups.by_ref().map(of).collect();
        (closed, groups.open().map(of))
    }

    #[test]
    fn a_java_stack_trace_is_one_event() {
        let trace = "12:00 ERROR it failed\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException\n\tat d\n\t... 3 more";
        let text = format!("12:00 INFO one\n{trace}\n12:01 INFO two\nError: no class\n");
        let (closed, open) = events(&text, &Multiline::Java);
        assert_eq!(closed, ["12:00 INFO one", trace, "12:01 INFO two"]);
        assert_eq!(open.as_deref(), Some("Error: no class"));
    }

    #[test]
    fn a_regex_says_what_begins() {
        let rule = Multiline::parse(r"^\d{4}-").unwrap();
        let (closed, open) = events("rest of before\n2026-1\n a\nb\n2026-2\n", &rule);
        assert_eq!(closed, ["rest of before", "2026-1\n a\nb"]);
        assert_eq!(open.as_deref(), Some("2026-2"));
        assert!(Multiline::parse("(").is_err());
        assert!(Multiline::parse(r"\w{5000}{50}").is_err(), "bounded");
    }

    #[test]
    fn an_event_is_bounded_and_cut_lines_stand_alone() {
        let text = format!("begin\n{}", " more\n".repeat(30_000));
        let (closed, _) = events(&text, &Multiline::Java);
        assert!(closed.len() == 2 && closed.iter().all(|e| e.len() <= JOINED));
        let long = format!("a\n{}\n b\n", "x".repeat(crate::lines::LONGEST + 5));
        let mut groups = Groups::new(long.as_bytes(), false, &Multiline::Java);
        let parts: Vec<Part> = groups.by_ref().map(|p| p.part).collect();
        assert_eq!(parts, [Part::Whole, Part::First, Part::Last]);
        assert_eq!(groups.open().map(|p| p.part), Some(Part::Whole));
    }

    proptest! {
        /// Events cover the bytes without a hole, whatever they are, and reading again from any of them gives the same.
        #[test]
        fn nothing_is_lost_between_events(
            lines in prop::collection::vec("[ \ta-b]{0,4}(Caused by:)?", 0..30), from in any::<prop::sample::Index>(),
        ) {
            let text = lines.iter().map(|l| format!("{l}\n")).collect::<String>();
            let all = |from: usize| {
                let mut groups = Groups::new(&text.as_bytes()[from..], false, &Multiline::Java);
                let mut pieces: Vec<(usize, usize, usize)> = Vec::new();
                while let Some(p) = groups.next().or_else(|| groups.open()) {
                    pieces.push((p.start + from, p.end + from, p.next + from));
                }
                pieces
            };
            let pieces = all(0);
            let mut at = 0;
            for (start, end, next) in &pieces {
                prop_assert_eq!(*start, at);
                prop_assert_eq!(*end + 1, *next);
                at = *next;
            }
            prop_assert_eq!(at, text.len());
            if !pieces.is_empty() {
                let again = from.index(pieces.len());
                prop_assert_eq!(all(pieces[again].0), pieces[again..].to_vec());
            }
        }
    }
}
