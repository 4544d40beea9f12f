//! Kills by the out-of-memory killer, and limit hits on v2.
//!
//! v1: `memory.oom_control` (`oom_kill` since Linux 4.13). v2: `memory.events`, which counts the whole subtree; it also holds the
//! limit hits. Both counters die with their cgroup.

use super::text::{Flaws, flat};
use crate::sample::{Field, Figures};

/// v1 `memory.oom_control`.
pub fn control_v1(text: &[u8], out: &mut Figures) -> Flaws {
    let wanted = |key: &[u8]| (key == b"oom_kill").then_some(());
    flat(text, wanted, |(), kills| out.set(Field::OomKills, kills))
}

/// Counters of v2 `memory.events`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Events {
    /// Times usage was brought back below `memory.high`.
    pub high: Option<u64>,
    /// Times usage was about to go beyond `memory.max`.
    pub max: Option<u64>,
    /// Processes killed.
    pub oom_kill: Option<u64>,
}

impl Events {
    /// Times usage hit a limit, soft or hard.
    pub fn limit_hits(self) -> Option<u64> {
        self.high?.checked_add(self.max?)
    }
}

/// v2 `memory.events`.
pub fn events_v2(text: &[u8]) -> (Events, Flaws) {
    enum Key {
        High,
        Max,
        OomKill,
    }
    let mut events = Events::default();
    let wanted = |key: &[u8]| match key {
        b"high" => Some(Key::High),
        b"max" => Some(Key::Max),
        b"oom_kill" => Some(Key::OomKill),
        _ => None,
    };
    let flaws = flat(text, wanted, |key, value| match key {
        Key::High => events.high = Some(value),
        Key::Max => events.max = Some(value),
        Key::OomKill => events.oom_kill = Some(value),
    });
    (events, flaws)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn v1() {
        let mut out = Figures::default();
        assert_eq!(
            control_v1(b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", &mut out),
            Flaws::NONE
        );
        assert_eq!(out.get(Field::OomKills), Some(3));
        // before 4.13 there is no counter
        let mut old = Figures::default();
        assert_eq!(control_v1(b"oom_kill_disable 0\nunder_oom 0\n", &mut old), Flaws::NONE);
        assert_eq!(old.get(Field::OomKills), None);
        assert_eq!(control_v1(b"oom_kill x\n", &mut old).wrong, 1);
    }

    #[test]
    fn v2() {
        let text = b"low 0\nhigh 5\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n";
        let (events, flaws) = events_v2(text);
        assert_eq!((events.oom_kill, events.limit_hits(), flaws), (Some(1), Some(12), Flaws::NONE));
        // half a sum would be a lie
        let (events, flaws) = events_v2(b"high ?\nmax 7\noom_kill 1\n");
        assert_eq!((events.oom_kill, events.limit_hits(), flaws.wrong), (Some(1), None, 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (events, _) = events_v2(&text);
            prop_assert!(events.limit_hits().is_none_or(|hits| hits >= events.max.unwrap_or(0)));
            let flaws = control_v1(&text, &mut Figures::default());
            prop_assert!(text.ends_with(b"\n") || flaws.wrong > 0);
        }

        #[test]
        fn round_trips(high in 0u64..1 << 60, max in 0u64..1 << 60, kills in 0u64..1 << 60) {
            let text = format!("low 0\nhigh {high}\nmax {max}\noom 9\noom_kill {kills}\n");
            let (events, _) = events_v2(text.as_bytes());
            prop_assert_eq!(events, Events { high: Some(high), max: Some(max), oom_kill: Some(kills) });
        }
    }
}
