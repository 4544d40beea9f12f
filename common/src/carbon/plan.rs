//! What to do next: send, to whom, or wait, until when. Pure: the clock (time since the start) and the randomness are arguments.
//!
//! Destinations are tried in order until one answers; only when all of a round failed is there a wait, with back-off. While one
//! that is not the first is in use, those before it are probed now and then. A chunk of `n` points keeps the next one
//! waiting until `n / rate` after its start, so a backlog drains at that rate, and a single fresh batch is never held up. What
//! arrives after nothing waited is held back by `splay`, so that a fleet with aligned ticks does not reach carbon in one instant.

use super::Settings;
use crate::backoff::Backoff;
use std::time::Duration;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for something to send or something to happen, at most until the time given.
    Wait(Option<Duration>),
    /// See whether a destination before this one answers.
    Probe(usize),
    /// Send a chunk to this destination.
    Deliver(usize),
}

/// The plan. See the module.
#[derive(Debug)]
pub(super) struct Plan {
    destinations: usize,
    rate: u32,
    splay: Duration,
    probe_every: Duration,
    current: usize,
    failed_in_round: usize,
    backoff: Backoff,
    not_before: Duration,
    probe_at: Duration,
    idle: bool,
    /// Nothing has arrived yet. The first batch of a process is not held back: a fleet does not start in one instant.
    first: bool,
}

impl Plan {
    /// For these settings; their `splay` is this process's own.
    pub fn new(settings: &Settings) -> Self {
        Self {
            destinations: settings.destinations.len(),
            rate: settings.drain_rate,
            splay: settings.splay,
            probe_every: settings.probe_every,
            current: 0,
            failed_in_round: 0,
            backoff: Backoff::default(),
            not_before: Duration::ZERO,
            probe_at: Duration::ZERO,
            idle: true,
            first: true,
        }
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Duration, waiting: bool) -> Step {
        if !waiting || self.destinations == 0 {
            self.idle = true;
            return Step::Wait(None);
        }
        let (idle, first) = (std::mem::take(&mut self.idle), std::mem::take(&mut self.first));
        if idle && !first {
            self.not_before = self.not_before.max(now + self.splay);
        }
        if now < self.not_before {
            Step::Wait(Some(self.not_before))
        } else if self.current > 0 && now >= self.probe_at {
            Step::Probe(self.current)
        } else {
            Step::Deliver(self.current)
        }
    }

    /// A chunk whose sending began at `began` was acknowledged.
    pub fn delivered(&mut self, began: Duration, points: u64) {
        self.backoff.worked();
        self.failed_in_round = 0;
        if self.rate > 0 {
            let nanos = points.saturating_mul(1_000_000_000) / u64::from(self.rate);
            self.not_before = began + Duration::from_nanos(nanos);
        }
    }

    /// The current destination failed. Returns whether all have, in which case the next attempt waits.
    pub fn failed(&mut self, now: Duration, random: u32) -> bool {
        self.failed_in_round += 1;
        if self.failed_in_round < self.destinations {
            self.use_destination((self.current + 1) % self.destinations, now);
            return false;
        }
        self.failed_in_round = 0;
        self.use_destination(0, now);
        self.not_before = now + self.backoff.failed(random);
        true
    }

    /// The probe found this destination, or none.
    pub fn probed(&mut self, now: Duration, found: Option<usize>) {
        self.use_destination(found.unwrap_or(self.current), now);
    }

    fn use_destination(&mut self, destination: usize, now: Duration) {
        self.current = destination;
        self.probe_at = now + self.probe_every;
    }

    /// The end is near: what waits is tried at once, and no faster or slower than it is taken.
    pub fn hurry(&mut self) {
        (self.rate, self.splay, self.not_before) = (0, Duration::ZERO, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PROBE_EVERY: Duration = Duration::from_secs(60);

    fn plan(destinations: usize, drain_rate: u32, splay: Duration) -> Plan {
        let names = vec!["carbon:2003".to_owned(); destinations];
        Plan::new(&Settings { drain_rate, splay, ..Settings::new(names, "spool".into()) })
    }

    #[test]
    fn a_fresh_batch_goes_at_once_and_a_backlog_is_paced() {
        let mut plan = plan(1, 50_000, Duration::ZERO);
        assert_eq!(plan.next(SECOND, false), Step::Wait(None));
        assert_eq!(plan.next(SECOND, true), Step::Deliver(0));
        plan.delivered(SECOND, 10_000);
        let gate = SECOND + Duration::from_millis(200);
        assert_eq!(plan.next(SECOND, true), Step::Wait(Some(gate)));
        assert_eq!(plan.next(gate, true), Step::Deliver(0));
    }

    #[test]
    fn fails_over_in_order_waits_after_a_round_and_goes_back() {
        let mut plan = plan(3, 0, Duration::ZERO);
        assert_eq!(plan.next(SECOND, true), Step::Deliver(0));
        assert!(!plan.failed(SECOND, 0));
        assert_eq!(plan.next(SECOND, true), Step::Deliver(1));
        assert!(!plan.failed(SECOND, 0));
        assert_eq!(plan.next(SECOND, true), Step::Deliver(2));
        assert!(plan.failed(SECOND, u32::MAX));
        assert_eq!(plan.next(SECOND, true), Step::Wait(Some(2 * SECOND)));
        assert_eq!(plan.next(2 * SECOND, true), Step::Deliver(0));
        assert!(!plan.failed(2 * SECOND, 0));
        plan.delivered(2 * SECOND, 1);
        assert_eq!(plan.next(3 * SECOND, true), Step::Deliver(1));
        let later = 2 * SECOND + PROBE_EVERY;
        assert_eq!(plan.next(later, true), Step::Probe(1));
        plan.probed(later, None);
        assert_eq!(plan.next(later, true), Step::Deliver(1));
        assert_eq!(plan.next(later + PROBE_EVERY, true), Step::Probe(1));
        plan.probed(later + PROBE_EVERY, Some(0));
        assert_eq!(plan.next(later + PROBE_EVERY, true), Step::Deliver(0));
    }

    #[test]
    fn what_arrives_after_a_pause_is_held_back_by_the_splay_but_not_at_the_end() {
        let mut plan = plan(1, 0, 3 * SECOND);
        assert_eq!(plan.next(Duration::ZERO, false), Step::Wait(None));
        assert_eq!(plan.next(Duration::ZERO, true), Step::Deliver(0), "the first of all");
        assert_eq!(plan.next(Duration::ZERO, false), Step::Wait(None));
        assert_eq!(plan.next(SECOND, true), Step::Wait(Some(4 * SECOND)));
        assert_eq!(plan.next(2 * SECOND, true), Step::Wait(Some(4 * SECOND)));
        assert_eq!(plan.next(4 * SECOND, true), Step::Deliver(0));
        assert_eq!(plan.next(5 * SECOND, true), Step::Deliver(0));
        assert_eq!(plan.next(6 * SECOND, false), Step::Wait(None));
        assert_eq!(plan.next(7 * SECOND, true), Step::Wait(Some(10 * SECOND)));
        plan.hurry();
        assert_eq!(plan.next(7 * SECOND, true), Step::Deliver(0));
    }

    proptest! {
        /// Whatever fails, whenever: every destination is tried before a wait, and no wait while something is to be sent is endless.
        #[test]
        fn always_tries_again(
            destinations in 1_usize..5,
            outcomes in prop::collection::vec((any::<bool>(), any::<u32>(), 0_u64..90_000), 1..200),
        ) {
            let mut plan = plan(destinations, 50_000, SECOND);
            let (mut now, mut tried) = (Duration::ZERO, Vec::new());
            for (works, random, millis) in outcomes {
                match plan.next(now, true) {
                    Step::Wait(until) => {
                        let until = until.expect("an endless wait while something is to be sent");
                        prop_assert!(until > now && until <= now + crate::backoff::LONGEST);
                        now = until;
                    }
                    Step::Probe(current) => {
                        prop_assert!(current > 0);
                        plan.probed(now, works.then_some(current - 1));
                        tried.clear();
                    }
                    Step::Deliver(d) if works => {
                        prop_assert!(d < destinations);
                        plan.delivered(now, 10_000);
                        now += Duration::from_millis(millis);
                        tried.clear();
                    }
                    Step::Deliver(d) => {
                        prop_assert!(!tried.contains(&d), "{} tried twice in a round", d);
                        tried.push(d);
                        if plan.failed(now, random) {
                            prop_assert_eq!(tried.len(), destinations);
                            tried.clear();
                        }
                    }
                }
            }
        }
    }
}
