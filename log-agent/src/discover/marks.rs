//! The places a generation was seen to reach: by them a copy that was cut short is recognised. Pure.
//!
//! A writer goes on while `copytruncate` copies, and what was shipped by the time of the truncation may be more than the copy has. Then the
//! mark of what was acknowledged says nothing, and an earlier one must. The marks are few, and the closer together the nearer the end.

use crate::identity::Mark;

/// Most marks.
const MOST: usize = 32;

/// Marks of one generation, in the order of their offsets.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks(Vec<Mark>);

impl Marks {
    /// Adds the place it reaches now.
    pub(super) fn add(&mut self, mark: Mark) {
        if mark.offset == 0 || self.0.last().is_some_and(|last| last.offset >= mark.offset) {
            return;
        }
        if self.0.len() == MOST {
            // every second one of the older half
            let mut at = 0;
            self.0.retain(|_| {
                at += 1;
                at > MOST / 2 || at % 2 == 1
            });
        }
        self.0.push(mark);
    }

    /// Those not behind `len`, the last first.
    pub(super) fn within(&self, len: u64) -> impl Iterator<Item = &Mark> {
        self.0.iter().rev().filter(move |mark| mark.offset <= len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_kept_and_of_the_older_ever_fewer() {
        let mut marks = Marks::default();
        for offset in 0..1_000 {
            marks.add(Mark { offset, tail: 0 });
            marks.add(Mark { offset, tail: 0 });
        }
        let kept: Vec<u64> = marks.within(u64::MAX).map(|m| m.offset).collect();
        assert!(kept.len() <= MOST && kept.is_sorted_by(|a, b| a > b), "{kept:?}");
        assert_eq!(kept[..15], (985..1_000).rev().collect::<Vec<_>>());
        assert!(kept.last().is_some_and(|oldest| *oldest < 500), "{kept:?}");
        assert!(marks.within(700).all(|m| m.offset <= 700));
    }
}
