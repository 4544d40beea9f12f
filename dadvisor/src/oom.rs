//! OOM kills that outlive their container: a count per app that only rises.
//!
//! The kernel's counter dies with the cgroup, the engine's event may be one for several kills, and either may come first. So each run
//! of a container is credited with the larger of the two, and what that adds is added to the app, for good. Pure; the caller saves
//! and loads the totals.

pub mod totals;

use common::ids::AppId;
use std::collections::{BTreeMap, HashMap};

/// One run (incarnation) of a container.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    /// The cgroup's inode; None before its first reading.
    inode: Option<u64>,
    /// The kernel's counter when first seen: kills before our time are not ours to count.
    base: u64,
    kernel: u64,
    events: u64,
    credited: u64,
}

impl Run {
    fn settle(&mut self) -> u64 {
        let owed = self.kernel.max(self.events);
        let added = owed.saturating_sub(self.credited);
        self.credited = owed.max(self.credited);
        added
    }
}

/// A container: its run now, the one before, and the kills in all its runs.
#[derive(Debug, Default)]
struct Runs {
    runs: [Run; 2],
    kills: u64,
}

/// The counts.
#[derive(Debug, Default)]
pub struct Ledger {
    totals: BTreeMap<AppId, u64>,
    runs: HashMap<String, Runs>,
    /// A container has more kills than [`Ledger::take_kills`] last told.
    news: bool,
}

impl Ledger {
    /// Starts from totals saved earlier.
    pub fn with_totals(totals: BTreeMap<AppId, u64>) -> Self {
        Self { totals, ..Self::default() }
    }

    /// Kills by container, of those that are here and have any; None if there were none since the last call.
    pub fn take_kills(&mut self) -> Option<BTreeMap<String, u64>> {
        let killed =
            |(id, runs): (&String, &Runs)| (runs.kills > 0).then(|| (id.clone(), runs.kills));
        std::mem::take(&mut self.news).then(|| self.runs.iter().filter_map(killed).collect())
    }

    /// Kills per app since the totals were first kept.
    pub fn totals(&self) -> &BTreeMap<AppId, u64> {
        &self.totals
    }

    /// The kernel's counter of a container, read in a pass. `fresh`: this run began while we watched, so its counter began at 0.
    /// Answers how many kills were news.
    pub fn kernel(
        &mut self,
        app: &AppId,
        container: &str,
        inode: u64,
        counter: u64,
        fresh: bool,
    ) -> u64 {
        let Runs { runs: [run, before], kills } = self.runs(container);
        if run.inode.is_some_and(|known| known != inode) {
            *before = std::mem::take(run);
        }
        if run.inode.is_none() {
            run.inode = Some(inode);
            run.base = if fresh { 0 } else { counter };
        }
        run.kernel = run.kernel.max(counter.saturating_sub(run.base));
        let added = run.settle();
        *kills += added;
        self.add(app, added)
    }

    /// The engine says that the kernel killed a process of this container. `late`: the run it speaks of has ended and another one has
    /// already been read. Answers how many kills were news.
    pub fn event(&mut self, app: &AppId, container: &str, late: bool) -> u64 {
        let Runs { runs: [run, before], kills } = self.runs(container);
        let run = if late { before } else { run };
        run.events += 1;
        let added = run.settle();
        *kills += added;
        self.add(app, added)
    }

    /// Forgets the containers that are gone; their apps' totals stay.
    pub fn keep(&mut self, here: impl Fn(&str) -> bool) {
        self.runs.retain(|id, _| here(id));
    }

    fn runs(&mut self, container: &str) -> &mut Runs {
        self.runs.entry(container.to_owned()).or_default()
    }

    fn add(&mut self, app: &AppId, kills: u64) -> u64 {
        if kills > 0 {
            self.news = true;
            *self.totals.entry(app.clone()).or_default() += kills;
        }
        kills
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn app() -> AppId {
        AppId::new("shop/web")
    }

    #[test]
    fn the_event_and_the_counter_are_one_kill() {
        for counter_first in [true, false] {
            let mut ledger = Ledger::default();
            ledger.kernel(&app(), "c", 7, 0, true);
            if counter_first {
                assert_eq!(ledger.kernel(&app(), "c", 7, 1, true), 1);
                assert_eq!(ledger.event(&app(), "c", false), 0);
            } else {
                assert_eq!(ledger.event(&app(), "c", false), 1);
                assert_eq!(ledger.kernel(&app(), "c", 7, 1, true), 0);
            }
            assert_eq!(ledger.totals()[&app()], 1);
        }
    }

    #[test]
    fn kills_before_our_time_do_not_count_and_restarts_do_not_either() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.kernel(&app(), "c", 7, 5, false), 0);
        assert_eq!(ledger.kernel(&app(), "c", 7, 6, false), 1);
        assert_eq!(ledger.kernel(&app(), "c", 8, 0, true), 0);
        assert_eq!(
            ledger.event(&app(), "c", true),
            0,
            "the kill of the run before that its counter showed"
        );
        assert_eq!(ledger.event(&app(), "c", true), 1, "one more that it never showed");
        assert_eq!(ledger.take_kills(), Some([("c".to_owned(), 2)].into()));
        assert_eq!(ledger.take_kills(), None, "told already");
        ledger.keep(|_| false);
        assert_eq!(ledger.totals()[&app()], 2);
    }

    #[test]
    fn a_late_event_of_a_counted_kill_is_no_news() {
        let mut ledger = Ledger::default();
        ledger.kernel(&app(), "c", 7, 0, true);
        assert_eq!(ledger.kernel(&app(), "c", 7, 1, true), 1);
        ledger.kernel(&app(), "c", 8, 0, true);
        assert_eq!(ledger.event(&app(), "c", true), 0);
    }

    proptest! {
        #[test]
        fn totals_only_rise_and_never_exceed_what_was_told(steps in proptest::collection::vec((0u8..3, 0u64..4, any::<bool>()), 0..60)) {
            let mut ledger = Ledger::default();
            let (mut last, mut told) = (0, 0);
            for (kind, n, flag) in steps {
                told += match kind {
                    0 => { ledger.event(&app(), "c", flag); 1 }
                    _ => { ledger.kernel(&app(), "c", n, n, flag); n }
                };
                let total = ledger.totals().get(&app()).copied().unwrap_or(0);
                prop_assert!(total >= last && total <= told);
                last = total;
            }
        }
    }
}
