//! Which host of the list is in turn. Pure.
//!
//! One that works is kept. One that fails gives its turn to the next; the first of the list is tried again now and then, since that is where
//! the lines are wanted.

use std::time::{Duration, Instant};

/// FAILED in a row before another host is tried.
const PATIENCE: u32 = 3;

/// The list's state.
#[derive(Debug)]
pub(super) struct Hosts {
    many: usize,
    current: usize,
    full: u32,
    /// When the first is to be tried again.
    prefer: Instant,
    every: Duration,
}

impl Hosts {
    pub(super) fn new(many: usize, now: Instant, every: Duration) -> Self {
        Self { many, current: 0, full: 0, prefer: now + every, every }
    }

    /// The one in turn.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// All of them, the one in turn first.
    pub(super) fn round(&self) -> impl Iterator<Item = usize> + use<> {
        let (many, first) = (self.many, self.current);
        (0..many).map(move |n| (first + n) % many)
    }

    /// This one is connected.
    pub(super) fn serves(&mut self, at: usize, now: Instant) {
        if at != self.current || at == 0 {
            self.prefer = now + self.every;
        }
        self.current = at;
        self.full = 0;
    }

    /// It took events.
    pub(super) fn worked(&mut self) {
        self.full = 0;
    }

    /// It is full. Whether to leave it: another one may have room.
    pub(super) fn full(&mut self) -> bool {
        self.full += 1;
        self.many > 1 && self.full >= PATIENCE
    }

    /// It failed: the next is in turn.
    pub(super) fn next(&mut self) {
        self.current = (self.current + 1) % self.many.max(1);
        self.full = 0;
    }

    /// Whether to try the first one now, though another serves.
    pub(super) fn prefers(&mut self, now: Instant) -> bool {
        let due = self.current != 0 && now >= self.prefer;
        if due {
            self.prefer = now + self.every;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVERY: Duration = Duration::from_secs(60);

    #[test]
    fn what_works_is_kept_and_the_first_is_tried_again() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut hosts = Hosts::new(3, start, EVERY);
        hosts.serves(0, at(0));
        assert!(!hosts.prefers(at(100)), "it serves");
        hosts.next();
        assert_eq!(hosts.round().collect::<Vec<_>>(), [1, 2, 0]);
        hosts.serves(2, at(100));
        assert!(!hosts.prefers(at(159)));
        assert!(hosts.prefers(at(160)) && !hosts.prefers(at(161)) && hosts.prefers(at(220)));
        hosts.serves(0, at(221));
        assert_eq!(hosts.current(), 0);
    }

    #[test]
    fn a_full_host_is_left_after_three_times_if_there_is_another() {
        let now = Instant::now();
        let (mut one, mut two) = (Hosts::new(1, now, EVERY), Hosts::new(2, now, EVERY));
        assert!((0..10).all(|_| !one.full()));
        assert!(!two.full() && !two.full());
        two.worked();
        assert!(!two.full() && !two.full() && two.full());
        two.next();
        assert!(!two.full());
    }

    proptest! {
        #[test]
        fn a_round_has_each_host_once(many in 0..6usize, turns in 0..20usize) {
            let mut hosts = Hosts::new(many, Instant::now(), EVERY);
            (0..turns).for_each(|_| hosts.next());
            let mut round: Vec<_> = hosts.round().collect();
            prop_assert!(round.first().is_none_or(|first| *first == hosts.current()));
            round.sort_unstable();
            prop_assert_eq!(round, (0..many).collect::<Vec<_>>());
        }
    }
}
