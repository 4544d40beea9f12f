//! How long to wait before trying again: 1 s doubling to 30 s, with full jitter (contracts.md section 1).
//!
//! Full jitter (anything from nothing up to the ceiling) spreads the clients of one server that came back; they all lost it at the
//! same moment. The randomness is an argument, so whatever waits can be tested without luck; [`random`] is where it comes from.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The ceiling after the first failure.
pub const FIRST: Duration = Duration::from_secs(1);
/// The ceiling after many.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row and says how long to wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// One more failure: how long to wait now, `random` spread over all of `u32`.
    pub fn failed(&mut self, random: u32) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.failures.min(5)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// It worked: the next failure waits shortly again.
    pub fn worked(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// A random number from the standard library's hasher keys: no dependency, and spread well enough for jitter.
pub fn random() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0_u8).to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_to_the_ceiling_and_starts_again() {
        let mut backoff = Backoff::default();
        let longest: Vec<u64> = (0..8).map(|_| backoff.failed(u32::MAX).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(backoff.failures(), 8);
        backoff.worked();
        assert_eq!(backoff.failed(u32::MAX), FIRST);
        assert_eq!(backoff.failed(0), Duration::ZERO);
    }

    #[test]
    fn random_numbers_differ() {
        let drawn: std::collections::HashSet<u32> = (0..64).map(|_| random()).collect();
        assert!(drawn.len() > 60);
    }

    proptest! {
        #[test]
        fn never_longer_than_the_ceiling(failures in any::<u32>(), random in any::<u32>()) {
            let wait = Backoff { failures }.failed(random);
            prop_assert!(wait <= LONGEST);
        }
    }
}
