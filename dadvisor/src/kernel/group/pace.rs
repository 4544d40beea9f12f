//! How often a file may be read that was slow: `memory.stat` of a host with many dead cgroups has taken seconds.

use std::time::{Duration, Instant};

const SLOW: Duration = Duration::from_millis(20);

/// So many times its cost a slow file is left alone: it then takes at most 2 % of a core.
const REST: u32 = 50;

/// When a file may be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace(Option<Instant>);

impl Pace {
    /// Whether it may be read now.
    pub(super) fn is_due(self, now: Instant) -> bool {
        self.0.is_none_or(|until| now >= until)
    }

    /// It was read, which took this long.
    pub(super) fn took(&mut self, cost: Duration, now: Instant) {
        self.0 = if cost > SLOW { now.checked_add(cost * REST) } else { None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_reads_rest() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert!(pace.is_due(start));
        pace.took(SLOW, start);
        assert!(pace.is_due(start));
        let cost = Duration::from_millis(100);
        pace.took(cost, start);
        assert!(!pace.is_due(start + cost * 49));
        assert!(pace.is_due(start + cost * 50));
        pace.took(Duration::from_millis(1), start);
        assert!(pace.is_due(start));
    }
}
