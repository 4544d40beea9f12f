//! Counts what arrived of numbered lines ([`super::writers`]): what is missing, what came more than once, what came out of order.

use super::writers::{Rotation, Written};
use std::collections::BTreeMap;

/// What arrived.
#[derive(Debug, Default)]
pub struct Tally {
    seen: BTreeMap<u32, Seen>,
    /// Lines that came before.
    pub repeated: u64,
    /// Lines that came after a later one of the same generation, and not before.
    pub out_of_order: u64,
    /// Lines no writer wrote.
    pub foreign: u64,
}

#[derive(Debug, Default)]
struct Seen {
    serials: Bits,
    /// The highest serial of each generation.
    heads: BTreeMap<u64, u64>,
}

/// A set of serials that are dense.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Whether it was there already.
    fn insert(&mut self, n: u64) -> bool {
        let Ok(word) = usize::try_from(n / 64) else { return false };
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let bit = 1 << (n % 64);
        let was = self.0[word];
        self.0[word] = was | bit;
        was & bit != 0
    }

    fn contains(&self, n: u64) -> bool {
        let word = usize::try_from(n / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word & (1 << (n % 64)) != 0)
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

/// What was written and never came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Of files rotated by rename.
    pub renamed: u64,
    /// Of files that were copied and truncated.
    pub copied: u64,
}

impl Tally {
    /// A line that arrived, without its LF.
    pub fn line(&mut self, line: &[u8]) {
        let Some((writer, generation, serial)) = parsed(line) else {
            self.foreign += 1;
            return;
        };
        let seen = self.seen.entry(writer).or_default();
        if seen.serials.insert(serial) {
            self.repeated += 1;
            return;
        }
        let head = seen.heads.entry(generation).or_insert(serial);
        if serial < *head {
            self.out_of_order += 1;
        }
        *head = serial.max(*head);
    }

    /// Different lines so far.
    pub fn lines(&self) -> u64 {
        self.seen.values().map(|seen| seen.serials.len()).sum()
    }

    /// What is missing of what was written.
    pub fn lost(&self, written: &[Written]) -> Lost {
        let mut lost = Lost::default();
        for writer in written {
            let came = self.seen.get(&writer.writer).map_or(0, |seen| seen.serials.len());
            let missing = writer.lines.saturating_sub(came);
            match writer.rotation {
                Rotation::Rename => lost.renamed += missing,
                Rotation::CopyTruncate => lost.copied += missing,
            }
        }
        lost
    }

    /// The first runs of serials that are missing, `(writer, first, last)`, for a person who looks for the cause.
    pub fn missing(&self, written: &[Written], most: usize) -> Vec<(u32, u64, u64)> {
        let mut runs: Vec<(u32, u64, u64)> = Vec::new();
        for writer in written {
            let seen = self.seen.get(&writer.writer);
            for n in (0..writer.lines).filter(|n| !seen.is_some_and(|s| s.serials.contains(*n))) {
                if let Some((_, _, last)) =
                    runs.last_mut().filter(|(of, _, last)| *of == writer.writer && *last + 1 == n)
                {
                    *last = n;
                } else if runs.len() == most {
                    return runs;
                } else {
                    runs.push((writer.writer, n, n));
                }
            }
        }
        runs
    }
}

fn parsed(line: &[u8]) -> Option<(u32, u64, u64)> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split(' ');
    let mut word = |mark: char| words.next()?.strip_prefix(mark);
    let writer = word('w')?.parse().ok()?;
    let generation = word('g')?.parse().ok()?;
    let serial = word('s')?.parse().ok()?;
    Some((writer, generation, serial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::writers::line;

    fn came(serials: &[u64]) -> Tally {
        let mut tally = Tally::default();
        for serial in serials {
            let mut bytes = Vec::new();
            line(7, serial / 100, *serial, 60, &mut bytes);
            assert_eq!(bytes.len(), 60);
            tally.line(bytes.strip_suffix(b"\n").unwrap());
        }
        tally
    }

    #[test]
    fn what_is_missing_repeated_or_late_is_counted() {
        let written = [Written { writer: 7, lines: 6, rotation: Rotation::Rename, rotations: 0 }];
        let tally = came(&[0, 1, 3, 2, 3, 5]);
        assert_eq!((tally.repeated, tally.out_of_order, tally.foreign), (1, 1, 0));
        assert_eq!(tally.lost(&written), Lost { renamed: 1, copied: 0 });
        assert_eq!(tally.missing(&written, 10), [(7, 4, 4)]);
        // another generation has an order of its own
        assert_eq!(came(&[100, 1]).out_of_order, 0);
        let mut tally = Tally::default();
        tally.line(b"something else");
        assert_eq!(tally.foreign, 1);
    }
}
