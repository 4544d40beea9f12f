//! When a viewer is too slow, and how much of the processor its filter may take. Pure: the clock is an argument.

use std::time::{Duration, Instant};

/// So many bytes further behind than ever before is too far.
pub const FAR: u64 = 4 << 20;
/// A viewer that had caught up may be behind by more than this,
pub const NEAR: u64 = 256 << 10;
/// for so long.
pub const LONG: Duration = Duration::from_secs(5);

/// How far a viewer is behind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lag {
    /// The closest it has been; None before it began.
    least: Option<u64>,
    /// Since when it is behind by more than [`NEAR`], having caught up before.
    since: Option<Instant>,
    caught_up: bool,
}

impl Lag {
    /// Whether a viewer `behind` the end by so many bytes is to be taken to the end. A backlog that is read on is never too far, however
    /// long it is: only falling back is.
    pub fn too_far(&mut self, behind: u64, now: Instant) -> bool {
        let least = self.least.map_or(behind, |least| least.min(behind));
        self.least = Some(least);
        if behind <= NEAR {
            self.caught_up = true;
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let long = self.caught_up && now.duration_since(since) >= LONG;
        long || behind > least.saturating_add(FAR)
    }

    /// It was taken to the end, or stood still by its own wish: the time until now does not count.
    pub fn forgive(&mut self) {
        self.since = None;
    }
}

/// Share of a core that a viewer's filter may take.
const SHARE: f64 = 0.2;
/// What it may take at once.
const AT_ONCE: f64 = 0.5;

/// A viewer's time on the processor.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Seconds left; below zero it waits.
    left: f64,
    at: Instant,
}

impl Budget {
    /// Full.
    pub fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, at: now }
    }

    /// Counts what was taken.
    pub fn spend(&mut self, taken: Duration) {
        self.left -= taken.as_secs_f64();
    }

    /// How long to wait before taking more.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.left = (self.left + since * SHARE).min(AT_ONCE);
        if self.left >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64((-self.left / SHARE).min(60.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_backlog_is_no_slowness() {
        let (mut lag, now) = (Lag::default(), Instant::now());
        for behind in (0..100).rev().map(|n| n * (100 << 20)) {
            assert!(!lag.too_far(behind, now + LONG * 100));
        }
        // caught up, then a burst that is read within the time
        assert!(!lag.too_far(FAR - 1, now));
        assert!(!lag.too_far(FAR - 1, now + LONG / 2));
        assert!(!lag.too_far(0, now + LONG));
        // fell back
        assert!(lag.too_far(FAR + 1, now));
        lag.forgive();
        assert!(!lag.too_far(NEAR + 1, now));
        assert!(lag.too_far(NEAR + 1, now + LONG));
    }

    proptest! {
        /// Whatever the writer does, a viewer is never further behind than its closest plus [`FAR`] without being taken to the end.
        #[test]
        fn never_further_behind(steps in prop::collection::vec((0u64..8 << 20, 0u64..8 << 20), 1..60)) {
            let (mut lag, now) = (Lag::default(), Instant::now());
            let (mut behind, mut least) = (0u64, u64::MAX);
            for (written, read) in steps {
                behind = (behind + written).saturating_sub(read);
                least = least.min(behind);
                if lag.too_far(behind, now) {
                    prop_assert!(behind > least + FAR);
                    behind = 0;
                    lag.forgive();
                }
                prop_assert!(behind <= least + FAR);
            }
        }

        #[test]
        fn no_more_than_its_share(spent in prop::collection::vec(0u64..300, 1..50)) {
            let begun = Instant::now();
            let (mut budget, mut now, mut total) = (Budget::new(begun), begun, 0.0);
            for ms in spent {
                now += budget.wait(now);
                // rounding: a nanosecond more
                now += budget.wait(now) + Duration::from_nanos(1);
                let taken = Duration::from_millis(ms);
                budget.spend(taken);
                total += taken.as_secs_f64();
                let allowed = AT_ONCE + 0.3 + SHARE * now.duration_since(begun).as_secs_f64() + 0.001;
                prop_assert!(total <= allowed, "{total} {allowed}");
            }
        }
    }
}
