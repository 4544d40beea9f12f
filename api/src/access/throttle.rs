//! Failed tries are slowed: per address, and all together. Pure.
//!
//! A few failures are free. From then on each one closes the door for a time that doubles up to a longest, and whoever knocks meanwhile
//! is told when to come back. Only time forgives: if a success did, whoever has a token could guess at others in between. Addresses are
//! remembered in a table of fixed size; of IPv6 the /64, which is what one customer gets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Addresses remembered at a time.
const MOST: usize = 4096;

/// How patient the door is.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// Failures without consequence.
    free: u32,
    /// First time the door is closed for.
    first: Duration,
    /// Longest time.
    longest: Duration,
    /// Without a failure for so long: as if there had been none.
    forgets: Duration,
}

const ADDRESS: Rule = Rule {
    free: 10,
    first: Duration::from_secs(1),
    longest: Duration::from_secs(300),
    forgets: Duration::from_secs(900),
};

/// Shorter, because here the failures of one are paid by all who fail.
const ALL: Rule = Rule {
    free: 500,
    first: Duration::from_millis(100),
    longest: Duration::from_secs(5),
    forgets: Duration::from_secs(60),
};

#[derive(Debug, Clone, Copy)]
struct Tries {
    failures: u32,
    last: Instant,
    open_at: Instant,
}

impl Tries {
    fn new(now: Instant) -> Self {
        Self { failures: 0, last: now, open_at: now }
    }

    fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.open_at.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    fn failed(&mut self, rule: &Rule, now: Instant) {
        if self.forgotten(rule, now) {
            *self = Self::new(now);
        }
        if self.wait(now).is_some() {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = now;
        if let Some(doublings) = self.failures.checked_sub(rule.free + 1) {
            let wait = rule.first.saturating_mul(1_u32 << doublings.min(20)).min(rule.longest);
            self.open_at = now + wait;
        }
    }

    fn forgotten(&self, rule: &Rule, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= rule.forgets
    }
}

/// Who failed how often.
#[derive(Debug)]
pub struct Throttle {
    addresses: HashMap<IpAddr, Tries>,
    all: Tries,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(now: Instant) -> Self {
        Self { addresses: HashMap::new(), all: Tries::new(now) }
    }

    /// How long a client at this address must wait before a failed try of it is looked at again.
    pub fn wait(&self, from: IpAddr, now: Instant) -> Option<Duration> {
        let own = self.addresses.get(&household(from)).and_then(|tries| tries.wait(now));
        own.max(self.all.wait(now))
    }

    /// A try from there failed; for how long that closes the door to it. While it is closed nothing is counted: knocking does not
    /// lengthen the wait.
    pub fn failed(&mut self, from: IpAddr, now: Instant) -> Option<Duration> {
        let from = household(from);
        if !self.addresses.contains_key(&from) && self.addresses.len() >= MOST {
            self.make_room(now);
        }
        let tries = self.addresses.entry(from).or_insert_with(|| Tries::new(now));
        tries.failed(&ADDRESS, now);
        self.all.failed(&ALL, now);
        tries.wait(now)
    }

    /// Addresses in the table.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Forgets what time has forgiven, else the quarter that failed longest ago: rarely, so that a flood from many addresses costs
    /// each try the same little.
    fn make_room(&mut self, now: Instant) {
        self.addresses.retain(|_, tries| !tries.forgotten(&ADDRESS, now));
        if self.addresses.len() < MOST {
            return;
        }
        let mut times: Vec<Instant> = self.addresses.values().map(|tries| tries.last).collect();
        let (_, oldest, _) = times.select_nth_unstable(MOST / 4);
        let oldest = *oldest;
        self.addresses.retain(|_, tries| tries.last > oldest);
    }
}

/// The address one client cannot easily change.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => {
                let [a, b, c, d, ..] = six.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_few_are_free_then_each_waits_twice_as_long() {
        let mut now = Instant::now();
        let (mut throttle, from) = (Throttle::new(now), ip("10.0.0.1"));
        for _ in 0..ADDRESS.free {
            assert_eq!(throttle.wait(from, now), None);
            throttle.failed(from, now);
        }
        assert_eq!(throttle.wait(from, now), None);
        let mut waits = Vec::new();
        for _ in 0..11 {
            throttle.failed(from, now);
            // knocking at a closed door changes nothing
            throttle.failed(from, now);
            let wait = throttle.wait(from, now).unwrap();
            waits.push(wait.as_secs());
            assert_eq!(throttle.wait(ip("10.0.0.2"), now), None);
            now += wait;
            assert_eq!(throttle.wait(from, now), None);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        now += ADDRESS.forgets;
        throttle.failed(from, now);
        assert_eq!(throttle.wait(from, now), None, "forgiven");
    }

    #[test]
    fn one_household_is_one_address() {
        assert_eq!(household(ip("2001:db8:1:2:3::4")), household(ip("2001:db8:1:2:ffff::9")));
        assert_ne!(household(ip("2001:db8:1:2::4")), household(ip("2001:db8:1:3::4")));
        assert_eq!(household(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
    }

    #[test]
    fn many_addresses_together_are_slowed_and_the_table_stays_small() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        for n in 0..200_000_u32 {
            throttle.failed(IpAddr::V4(n.into()), now);
            assert!(throttle.len() <= MOST);
        }
        assert!(throttle.wait(ip("9.9.9.9"), now).is_some());
        assert_eq!(throttle.wait(ip("9.9.9.9"), now + ALL.longest), None);
    }

    proptest! {
        /// Whatever an address does, the tries that were looked at stay within what the rule grants.
        #[test]
        fn tries_are_bounded(steps in prop::collection::vec((0_u64..400_000, 1_u8..4), 1..400)) {
            let start = Instant::now();
            let (mut throttle, from, mut now) = (Throttle::new(start), ip("10.0.0.1"), start);
            let (mut looked_at, mut rested) = (0_u64, 1_u64);
            for (pause, tries) in steps {
                let pause = Duration::from_millis(pause);
                if pause >= Duration::from_secs(300) {
                    rested += 1;
                }
                now += pause;
                for _ in 0..tries {
                    match throttle.wait(from, now) {
                        Some(wait) => prop_assert!(wait <= ADDRESS.longest),
                        None => {
                            looked_at += 1;
                            throttle.failed(from, now);
                        }
                    }
                }
            }
            let seconds = (now - start).as_secs();
            // free ones after each rest of 900 s, at most 9 on the way up, then one in 300 s
            let granted = (seconds / 900 + 1) * u64::from(ADDRESS.free + 9) + seconds / 300 + rested;
            prop_assert!(looked_at <= granted, "{} > {}", looked_at, granted);
        }
    }
}
