//! How far each file was read, so that a new connection to the same agent goes on exactly there. Pure.

use common::api_types::live::{Frame, Of};
use std::collections::BTreeMap;

/// As many files as a stream has.
const FILES: usize = 64;

/// The places by source.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Places(BTreeMap<String, (u64, u64)>);

impl Places {
    /// A frame was shown.
    pub fn told(&mut self, frame: &Frame) {
        match frame {
            Frame::Hello { of, offset, .. } => self.set(of, *offset),
            Frame::Lines { of, next, .. } => self.set(of, *next),
            Frame::Gap { of, to, .. } => self.set(of, *to),
            Frame::Truncated { of } => self.set(of, 0),
            Frame::Deleted { of } => {
                self.0.remove(&of.source);
            }
            _ => {}
        }
    }

    fn set(&mut self, of: &Of, at: u64) {
        if self.0.len() < FILES || self.0.contains_key(&of.source) {
            self.0.insert(of.source.clone(), (of.generation, at));
        }
    }

    /// As values of `from`.
    pub fn each(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(source, (generation, at))| format!("{source}.{generation}.{at}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frame_of_each_file_counts() {
        let of = |source: &str| Of { source: source.into(), file: "f".into(), generation: 1 };
        let mut places = Places::default();
        let gap = |source, to| Frame::Gap {
            of: of(source),
            from: 0,
            to,
            bytes: to,
            lines: None,
            why: "slow".into(),
        };
        for frame in [
            gap("a", 5),
            gap("b", 7),
            Frame::Deleted { of: of("a") },
            Frame::Truncated { of: of("c") },
        ] {
            places.told(&frame);
        }
        assert_eq!(places.each().collect::<Vec<_>>(), ["b.1.7", "c.1.0"]);
    }
}
