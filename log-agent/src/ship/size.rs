//! How many events in one request? Pure.
//!
//! A sink that says it is full may have no room, or take smaller requests only (Flume's `transactionCapacity`, 100 by default): its
//! answer does not tell. So a refusal halves the request, success makes it a tenth larger, and between a size that passed and a larger one
//! that did not the best is found by halving the distance. When a size is refused that passed before, there is no room and what was learnt is
//! forgotten; and what was learnt is doubted now and then, seldom while it proves true.

use std::time::{Duration, Instant};

/// First doubt in a size that was refused, and the longest time without.
const FIRST_DOUBT: Duration = Duration::from_secs(5);
const LAST_DOUBT: Duration = Duration::from_secs(320);

/// The size of a request.
#[derive(Debug, Clone)]
pub struct Size {
    now: usize,
    most: usize,
    /// The largest that passed since something was refused.
    passed: usize,
    /// The smallest that was refused, though smaller ones passed.
    refused: Option<Refused>,
    doubt: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Refused {
    size: usize,
    until: Instant,
}

impl Size {
    /// At most so many events, and so many at first.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { now: most, most, passed: 0, refused: None, doubt: FIRST_DOUBT }
    }

    /// Events in the next request.
    pub fn get(&self) -> usize {
        self.now
    }

    /// So many passed.
    pub fn passed(&mut self, events: usize, now: Instant) {
        self.passed = self.passed.max(events);
        if self.refused.is_some_and(|refused| refused.until <= now || events >= refused.size) {
            self.refused = None;
        }
        // a request that was not full says nothing about a fuller one
        if events < self.now {
            return;
        }
        let grown = self.now + (self.now / 10).max(1);
        self.now = match self.refused {
            Some(refused) => grown.min((self.passed + refused.size) / 2).max(self.now),
            None => grown,
        }
        .min(self.most);
        if self.refused.is_none() && self.now == self.most {
            self.doubt = FIRST_DOUBT;
        }
    }

    /// So many were refused.
    pub fn refused(&mut self, events: usize, now: Instant) {
        if events <= self.passed || events <= 1 {
            // it has no room
            (self.refused, self.passed) = (None, 0);
            self.now = (events / 2).max(1);
            return;
        }
        if self.refused.is_none() {
            let until = now + self.doubt;
            self.doubt = (self.doubt * 2).min(LAST_DOUBT);
            self.refused = Some(Refused { size: events, until });
        }
        if let Some(refused) = &mut self.refused {
            refused.size = refused.size.min(events);
        }
        self.now = (events / 2).max(self.passed).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A sink with a limit, asked for so many requests one a millisecond; how many it refused, and the events that passed.
    fn run(size: &mut Size, limit: usize, requests: u64, start: Instant) -> (u64, usize) {
        let (mut refused, mut passed) = (0, 0);
        for ms in 0..requests {
            let (events, now) = (size.get(), start + Duration::from_millis(ms));
            if events <= limit {
                size.passed(events, now);
                passed += events;
            } else {
                size.refused(events, now);
                refused += 1;
            }
        }
        (refused, passed)
    }

    #[test]
    fn a_transaction_capacity_of_100_just_works() {
        let mut size = Size::new(1_000);
        let (refused, passed) = run(&mut size, 100, 4_000, Instant::now());
        assert!(refused <= 8, "{refused}");
        assert!(passed > 4_000 * 98, "{passed}");
        assert_eq!(size.get(), 100);
        // asked again later, ever more seldom
        let start = Instant::now() + Duration::from_secs(10);
        let (refused, _) = run(&mut size, 100, 600_000, start);
        assert!(refused < 80, "{refused}");
    }

    #[test]
    fn a_sink_without_room_leaves_no_trace() {
        let (mut size, start) = (Size::new(1_000), Instant::now());
        size.passed(1_000, start);
        assert_eq!(run(&mut size, 0, 100, start), (100, 0));
        assert_eq!(size.get(), 1);
        run(&mut size, 1_000, 100, start);
        assert_eq!(size.get(), 1_000);
        // full from the start, and room comes when it is half way down
        let mut size = Size::new(1_000);
        run(&mut size, 0, 3, start);
        run(&mut size, 1_000, 8_000, start);
        assert_eq!(size.get(), 1_000);
    }

    proptest! {
        #[test]
        fn it_is_never_nothing_and_never_too_much(
            most in 1usize..2_000,
            answers in prop::collection::vec((any::<bool>(), 0u64..100_000, 0.0f64..=1.0), 0..200),
        ) {
            let (mut size, start) = (Size::new(most), Instant::now());
            for (ok, ms, share) in answers {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a small number")]
                let events = ((size.get() as f64 * share) as usize).max(1);
                let now = start + Duration::from_millis(ms);
                if ok { size.passed(events, now) } else { size.refused(events, now) }
                prop_assert!((1..=most).contains(&size.get()));
            }
        }

        /// Whatever happened before, a sink's limit is found.
        #[test]
        fn a_limit_is_found(limit in 1usize..2_000, past in prop::collection::vec(0usize..2_000, 0..5)) {
            let (mut size, mut start) = (Size::new(1_000), Instant::now());
            for limit in past {
                run(&mut size, limit, 30, start);
                start += Duration::from_secs(1);
            }
            start += Duration::from_secs(1_000);
            run(&mut size, limit, 3_000, start);
            let (_, passed) = run(&mut size, limit, 1_000, start + Duration::from_secs(3));
            prop_assert!(passed >= 1_000 * limit.min(1_000) * 8 / 10, "{passed} {size:?}");
        }
    }
}
