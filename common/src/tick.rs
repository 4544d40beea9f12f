//! When to take a pass. Pure: both clocks are arguments, read by [`Now::read`].
//!
//! Passes stand on multiples of the interval of the wall clock (whisper's slots), all containers of a pass get that one timestamp, and
//! what lies between two passes is measured by the monotonic clock. A wall clock that steps moves the ticks with it and is counted;
//! rates do not notice.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the Unix epoch.
    pub wall: Duration,
    /// Since some fixed moment; never steps.
    pub mono: Duration,
}

impl Now {
    /// Both clocks now; the monotonic one counts from `begun`.
    pub fn read(begun: Instant) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall, mono: begun.elapsed() }
    }
}

/// A pass about to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Unix seconds, a multiple of the interval: the timestamp of every point of the pass.
    pub timestamp: u64,
    /// Ticks that passed without a pass since the last one (it took too long, or the machine slept).
    pub missed: u64,
    /// How far the wall clock stepped since the last pass, in milliseconds; 0 for the usual drift.
    pub stepped_ms: i64,
}

/// Decides when the next pass is due.
#[derive(Debug)]
pub struct Ticker {
    interval: Duration,
    last: Option<Now>,
}

impl Ticker {
    /// `interval` is a whole number of seconds, at least one.
    pub fn new(interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_secs(1)), last: None }
    }

    /// How long to wait. Never longer than one interval, whatever the clock did. The first pass is due at once.
    pub fn wait(&self, now: Now) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let into_slot = rem(now.wall, self.interval);
        let same_slot = now.wall.saturating_sub(into_slot)
            == last.wall.saturating_sub(rem(last.wall, self.interval));
        if same_slot {
            return self.interval.saturating_sub(into_slot);
        }
        // another slot than the last pass's: due, unless the clock stepped and the last pass was just now
        let since = now.mono.saturating_sub(last.mono);
        if since * 2 < self.interval && self.step(last, now) != 0 {
            return self.interval.saturating_sub(into_slot);
        }
        Duration::ZERO
    }

    /// Starts the pass that [`Ticker::wait`] said is due.
    pub fn begin(&mut self, now: Now) -> Tick {
        let timestamp = now.wall.saturating_sub(rem(now.wall, self.interval)).as_secs();
        let (missed, stepped_ms) = match self.last {
            None => (0, 0),
            Some(last) => {
                let slots = |at: Duration| at.as_millis() / self.interval.as_millis();
                let stepped = self.step(last, now);
                let gone = if stepped == 0 {
                    slots(now.wall).saturating_sub(slots(last.wall))
                } else {
                    (now.mono.saturating_sub(last.mono)).as_millis() / self.interval.as_millis()
                };
                (u64::try_from(gone.saturating_sub(1)).unwrap_or(u64::MAX), stepped)
            }
        };
        self.last = Some(now);
        Tick { timestamp, missed, stepped_ms }
    }

    /// Difference between what the wall clock shows and what it should show after the time that really passed.
    fn step(&self, last: Now, now: Now) -> i64 {
        let expected = last.wall + now.mono.saturating_sub(last.mono);
        let apart = now.wall.abs_diff(expected);
        if apart < Duration::from_secs(1).max(self.interval / 4) {
            return 0;
        }
        let ms = i64::try_from(apart.as_millis()).unwrap_or(i64::MAX);
        if now.wall >= expected { ms } else { -ms }
    }
}

fn rem(at: Duration, interval: Duration) -> Duration {
    let nanos = at.as_nanos() % interval.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN: Duration = Duration::from_secs(10);

    fn at(wall_ms: u64, mono_ms: u64) -> Now {
        Now { wall: Duration::from_millis(wall_ms), mono: Duration::from_millis(mono_ms) }
    }

    #[test]
    fn first_pass_at_once_then_on_the_slots() {
        let mut ticker = Ticker::new(TEN);
        let start = at(1_795_392_003_400, 0);
        assert_eq!(ticker.wait(start), Duration::ZERO);
        assert_eq!(
            ticker.begin(start),
            Tick { timestamp: 1_795_392_000, missed: 0, stepped_ms: 0 }
        );
        assert_eq!(ticker.wait(start), Duration::from_millis(6_600));
        let second = at(1_795_392_010_001, 6_601);
        assert_eq!(ticker.wait(second), Duration::ZERO);
        assert_eq!(
            ticker.begin(second),
            Tick { timestamp: 1_795_392_010, missed: 0, stepped_ms: 0 }
        );
    }

    #[test]
    fn a_pass_that_took_too_long_is_counted() {
        let mut ticker = Ticker::new(TEN);
        ticker.begin(at(100_000, 0));
        assert_eq!(
            ticker.begin(at(135_000, 35_000)),
            Tick { timestamp: 130, missed: 2, stepped_ms: 0 }
        );
    }

    #[test]
    fn a_step_forward_moves_the_ticks_and_misses_none() {
        let mut ticker = Ticker::new(TEN);
        ticker.begin(at(100_000, 0));
        // an hour ahead, one second later: no second pass right after the first
        assert_eq!(ticker.wait(at(3_701_000, 1_000)), Duration::from_secs(9));
        let tick = ticker.begin(at(3_710_000, 10_000));
        assert_eq!(tick, Tick { timestamp: 3_710, missed: 0, stepped_ms: 3_600_000 });
    }

    #[test]
    fn a_step_back_moves_the_ticks_too() {
        let mut ticker = Ticker::new(TEN);
        ticker.begin(at(3_700_000, 0));
        assert_eq!(ticker.wait(at(101_000, 1_000)), Duration::from_secs(9));
        assert_eq!(
            ticker.begin(at(110_000, 10_000)),
            Tick { timestamp: 110, missed: 0, stepped_ms: -3_600_000 }
        );
    }

    proptest! {
        /// Whatever the wall clock does, a pass comes at least once in two intervals and never twice within a quarter of one.
        #[test]
        fn passes_keep_coming(steps in proptest::collection::vec((-100_000i64..100_000, 0u64..5_000), 1..60)) {
            let mut ticker = Ticker::new(TEN);
            let (mut wall, mut mono, mut last) = (1_000_000_000_i64, 0_u64, None::<u64>);
            for (step, work) in steps {
                // sleep as told, with one clock step somewhere inside, until a pass is due
                for turn in 0..10 {
                    let wait = ticker.wait(at(u64::try_from(wall).unwrap(), mono));
                    prop_assert!(wait <= TEN);
                    if wait.is_zero() { break; }
                    prop_assert!(turn < 9);
                    let ms = u64::try_from(wait.as_millis()).unwrap() + 1;
                    wall += i64::try_from(ms).unwrap() + if turn == 0 { step } else { 0 };
                    mono += ms;
                }
                if let Some(last) = last {
                    prop_assert!(mono - last <= 25_000 + work, "{} ms without a pass", mono - last);
                }
                let tick = ticker.begin(at(u64::try_from(wall).unwrap(), mono));
                prop_assert_eq!(tick.timestamp % 10, 0);
                last = Some(mono);
                wall += i64::try_from(work).unwrap();
                mono += work;
            }
        }
    }
}
