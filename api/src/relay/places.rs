//! How far each file of an instance was read, so that a new connection goes on exactly there. Pure.

use super::frame::Peek;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// As many files as a log-agent's stream has; beyond, a file begins anew.
const FILES: usize = 64;

/// The places by source.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Places(BTreeMap<String, (u64, u64)>);

impl Places {
    /// A frame went to the viewer.
    pub fn told(&mut self, frame: &Peek) {
        let at = match frame.kind.as_str() {
            "lines" => frame.next,
            "gap" => frame.to,
            "hello" => frame.offset,
            "truncated" => 0,
            "deleted" => {
                self.0.remove(&frame.source);
                return;
            }
            _ => return,
        };
        // an agent's word, which goes into a URL
        let source = &frame.source;
        let plain =
            (1..=64).contains(&source.len()) && source.bytes().all(|b| b.is_ascii_alphanumeric());
        if plain && (self.0.len() < FILES || self.0.contains_key(source)) {
            self.0.insert(source.clone(), (frame.generation, at));
        }
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As parameters, each with a `&` before it.
    pub fn parameters(&self) -> String {
        let mut out = String::new();
        for (source, (generation, at)) in &self.0 {
            // writing to a string does not fail
            write!(out, "&from={source}.{generation}.{at}").ok();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: &str, source: &str, generation: u64, at: u64) -> Peek {
        let text = format!(
            r#"{{"type":"{kind}","source":"{source}","generation":{generation},"offset":{at},"next":{at},"to":{at}}}"#
        );
        crate::relay::frame::peek(&text).unwrap()
    }

    #[test]
    fn the_last_frame_of_each_file_counts() {
        let mut places = Places::default();
        assert!(places.is_empty());
        for told in [
            frame("hello", "a1", 0, 10),
            frame("lines", "a1", 0, 30),
            frame("hello", "b2", 3, 0),
            frame("gap", "b2", 3, 99),
            frame("hello", "c3", 0, 5),
            frame("deleted", "c3", 0, 0),
            frame("hello", "x&y", 0, 5),
            frame("end", "d4", 0, 5),
        ] {
            places.told(&told);
        }
        assert_eq!(places.parameters(), "&from=a1.0.30&from=b2.3.99");
        places.told(&frame("truncated", "a1", 1, 7));
        assert!(places.parameters().starts_with("&from=a1.1.0&"));
        for n in 0..100 {
            places.told(&frame("hello", &format!("f{n}"), 0, 0));
        }
        assert_eq!(places.parameters().matches("from=").count(), FILES);
    }
}
