//! What to do after a failure, and how long to wait before. Pure; the randomness is an argument.
//!
//! Full jitter, since all agents lost the same peer at the same moment. Nothing is given up but a single event that fails alone again and
//! again while the sink takes others; where it takes none, an event is put aside after minutes only, so that a sink that fails at
//! everything costs time and not lines.

use super::sink::Failure;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
/// Longest ceiling while a peer is full, cannot be reached, and does not understand.
const FULL: Duration = Duration::from_secs(5);
const LOST: Duration = Duration::from_secs(30);
const REFUSED: Duration = Duration::from_secs(60);
/// Faults at the same events before they are sent one by one.
const FAULTS: u32 = 3;
/// Faults of an event alone before it is put aside, if the sink took another before; and if it took none.
const ALONE: u32 = 3;
const ALONE_AT_ALL: u32 = 12;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send again after a pause; how many at once is decided elsewhere.
    Wait(Duration),
    /// Put the single event aside.
    PutAside,
}

/// Failures in a row.
#[derive(Debug, Default)]
pub struct Retry {
    failures: u32,
    faults: u32,
    one_by_one: bool,
    alone: u32,
    /// The sink took an event since one was put aside.
    took: bool,
}

impl Retry {
    /// Other events than before.
    pub fn begin(&mut self) {
        (self.faults, self.one_by_one, self.alone, self.took) = (0, false, 0, false);
    }

    /// Whether events go one by one.
    pub fn one_by_one(&self) -> bool {
        self.one_by_one
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Events were acknowledged.
    pub fn passed(&mut self) {
        (self.failures, self.faults, self.alone, self.took) = (0, 0, 0, true);
    }

    /// Events were not, `events` of them; `random` is spread over all of `u32`.
    pub fn failed(&mut self, failure: &Failure, events: usize, random: u32) -> Next {
        let before = self.failures;
        self.failures = before.saturating_add(1);
        let share = f64::from(random) / f64::from(u32::MAX);
        let grown = |longest: Duration| FIRST.saturating_mul(1 << before.min(10)).min(longest);
        let wait = match failure {
            // never at once: a client that hammers fills its peer's log
            Failure::Full { .. } => FIRST + (grown(FULL) - FIRST).mul_f64(share),
            Failure::Lost { .. } => grown(LOST).mul_f64(share),
            Failure::Refused { .. } => REFUSED.mul_f64(0.5 + share / 2.0),
            Failure::Fault { .. } => {
                if self.fault(events) {
                    return Next::PutAside;
                }
                grown(LOST).mul_f64(share)
            }
        };
        Next::Wait(wait)
    }

    /// Whether the event is to be put aside.
    fn fault(&mut self, events: usize) -> bool {
        if events > 1 {
            self.faults += 1;
            self.one_by_one |= self.faults >= FAULTS;
            return false;
        }
        self.alone += 1;
        if self.alone < if self.took { ALONE } else { ALONE_AT_ALL } {
            return false;
        }
        (self.alone, self.took, self.failures) = (0, false, 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault() -> Failure {
        Failure::Fault { cause: "no".into() }
    }

    fn full() -> Failure {
        Failure::Full { cause: "full".into() }
    }

    fn lost() -> Failure {
        Failure::Lost { cause: "gone".into(), doubtful: true }
    }

    #[test]
    fn one_poison_event_is_put_aside_and_nothing_else() {
        let mut retry = Retry::default();
        retry.begin();
        for _ in 0..3 {
            assert!(!retry.one_by_one());
            assert!(matches!(retry.failed(&fault(), 10, 0), Next::Wait(_)));
        }
        assert!(retry.one_by_one());
        retry.passed();
        assert!(retry.one_by_one(), "to the end of this batch");
        assert!(matches!(retry.failed(&fault(), 1, 0), Next::Wait(_)));
        assert!(matches!(retry.failed(&fault(), 1, 0), Next::Wait(_)));
        assert_eq!(retry.failed(&fault(), 1, 0), Next::PutAside);
        retry.begin();
        assert!(!retry.one_by_one());
    }

    #[test]
    fn a_sink_that_fails_at_everything_costs_time_and_not_lines() {
        let mut retry = Retry::default();
        retry.begin();
        retry.passed();
        let (mut aside, mut waited) = (0, Duration::ZERO);
        while waited < Duration::from_secs(600) {
            match retry.failed(&fault(), 1, u32::MAX / 2) {
                Next::PutAside => aside += 1,
                Next::Wait(wait) => waited += wait,
            }
        }
        assert!(aside <= 12, "{aside} in ten minutes");
    }

    proptest! {
        #[test]
        fn pauses_are_bounded_and_short_again_after_a_success(
            failures in prop::collection::vec(0u8..3, 1..60), random in any::<u32>(),
        ) {
            let mut retry = Retry::default();
            for kind in failures {
                let (failure, least, most) = match kind {
                    0 => (full(), FIRST, FULL),
                    1 => (lost(), Duration::ZERO, LOST),
                    _ => (Failure::Refused { cause: "tls".into() }, REFUSED / 2, REFUSED),
                };
                let Next::Wait(wait) = retry.failed(&failure, 5, random) else { panic!("put aside") };
                prop_assert!(least <= wait && wait <= most, "{wait:?}");
            }
            retry.passed();
            let Next::Wait(wait) = retry.failed(&lost(), 5, random) else { panic!("put aside") };
            prop_assert!(wait <= FIRST);
        }
    }
}
