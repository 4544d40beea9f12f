//! How long has the oldest byte waited that is not acknowledged yet? Pure.
//!
//! A file's lines say nothing we could read about when they were written. So it is remembered how long a file was when: at most a sample a
//! second, and sixteen in all; with many, every second one is forgotten.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const LEAST: Duration = Duration::from_secs(1);
const MOST: usize = 16;

/// The lengths a file had that are not acknowledged.
#[derive(Debug, Default)]
pub struct Age {
    samples: VecDeque<(u64, Instant)>,
    last: Option<(u64, Instant)>,
}

impl Age {
    /// It is `len` bytes long, and was acknowledged up to `acknowledged`.
    pub fn grew(&mut self, len: u64, acknowledged: u64, now: Instant) {
        if len <= acknowledged || self.last.is_some_and(|(last, _)| len <= last) {
            return;
        }
        self.last = Some((len, now));
        if self.samples.back().is_some_and(|(_, at)| now.duration_since(*at) < LEAST) {
            return;
        }
        if self.samples.len() == MOST {
            let mut nth = 0;
            self.samples.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
        }
        self.samples.push_back((len, now));
    }

    /// It was acknowledged so far.
    pub fn acknowledged(&mut self, to: u64) {
        while self.samples.front().is_some_and(|(len, _)| *len <= to) {
            self.samples.pop_front();
        }
        self.last = self.last.filter(|(len, _)| *len > to);
        if let (true, Some(last)) = (self.samples.is_empty(), self.last) {
            self.samples.push_back(last);
        }
        if self.samples.is_empty() {
            self.samples.shrink_to(0);
        }
    }

    /// It begins again at its first byte.
    pub fn restarted(&mut self) {
        *self = Self::default();
    }

    /// Since when its oldest byte waits.
    pub fn waits_since(&self) -> Option<Instant> {
        self.samples.front().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_the_age_of_what_waits_and_not_of_what_was_there_before() {
        let (mut age, start) = (Age::default(), Instant::now());
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(age.waits_since(), None);
        age.grew(100, 100, at(0));
        assert_eq!(age.waits_since(), None, "acknowledged already");
        for second in 1..1_000 {
            age.grew(100 + second, 100, at(second));
        }
        assert_eq!(age.waits_since(), Some(at(1)));
        assert!(age.samples.len() <= MOST);
        age.acknowledged(100 + 998);
        assert_eq!(age.waits_since(), Some(at(999)));
        age.acknowledged(100 + 999);
        assert_eq!(age.waits_since(), None);
    }

    proptest! {
        /// It waits exactly while something is not acknowledged, and never looks younger than by what samples leave out.
        #[test]
        fn it_tells_whether_something_waits(steps in prop::collection::vec((1u64..50, 0u64..60, 0u64..3_000), 1..80)) {
            let (mut age, start) = (Age::default(), Instant::now());
            let (mut len, mut to, mut ms) = (0, 0, 0);
            for (more, acknowledged, after) in steps {
                ms += after;
                len += more;
                age.grew(len, to, start + Duration::from_millis(ms));
                prop_assert!(age.waits_since().is_some());
                to = len.min(to + acknowledged);
                age.acknowledged(to);
                prop_assert_eq!(age.waits_since().is_some(), to < len);
            }
        }
    }
}
