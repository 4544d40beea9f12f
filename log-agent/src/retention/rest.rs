//! Volumes that need no look: nothing can be to do in them that was not at the last one. Pure, but for asking directories.
//!
//! A look costs a system call for every file. It is spared while the volume's directories are as they were (nothing was made, renamed or removed),
//! the follower follows the same files in the same state, what those have grown by still has room below the quota, and no older generation has
//! become older than `keep`; but for no longer than five minutes, since what nobody follows may grow, too.

use super::plan::{Item, Rules, Standing};
use crate::beneath::Root;
use crate::name::FileName;
use crate::source::Tally;
use std::time::{Duration, Instant};

/// A look is good for so long.
const LONGEST: Duration = Duration::from_secs(300);

/// A directory as it was when it was listed.
#[derive(Debug)]
pub(super) struct Listed {
    /// None for the volume's own.
    pub(super) name: Option<FileName>,
    pub(super) ino: u64,
    /// Its last change.
    pub(super) changed_ns: i128,
}

/// What the follower knew before a look began: what comes later counts as come since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    at: Instant,
    moves: u64,
    on_disk: u64,
}

/// Until when a volume needs no look.
#[derive(Debug)]
pub(super) struct Rest {
    known: Known,
    dev: u64,
    directories: Vec<Listed>,
    /// So much more its followed files may have on the disk.
    room: u64,
    /// When the next file is older than `keep`, in nanoseconds since 1970.
    due_ns: i128,
}

impl Known {
    pub(super) fn of(tally: &Tally, at: Instant) -> Self {
        Self { at, moves: tally.moves(), on_disk: tally.on_disk() }
    }
}

impl Rest {
    /// After a look that found nothing to do and left nothing out.
    pub(super) fn new(
        known: Known,
        dev: u64,
        directories: Vec<Listed>,
        items: &[Item],
        rules: &Rules,
    ) -> Self {
        let total = items.iter().fold(0u64, |sum, item| sum.saturating_add(item.on_disk));
        let keep = i128::try_from(rules.keep.as_nanos()).unwrap_or(i128::MAX);
        let older = items.iter().filter(|item| item.standing != Standing::Stays);
        let due = older.map(|item| item.changed_ns.saturating_add(keep)).min();
        Self {
            known,
            dev,
            directories,
            room: rules.quota.saturating_sub(total),
            due_ns: due.unwrap_or(i128::MAX),
        }
    }

    /// Whether nothing is to do yet, by what the follower knows now.
    pub(super) fn goes_on(&self, now: &Known, now_ns: i128) -> bool {
        now.at.duration_since(self.known.at) < LONGEST
            && now.moves == self.known.moves
            && now.on_disk.saturating_sub(self.known.on_disk) <= self.room
            && now_ns < self.due_ns
    }

    /// Whether the directories are as they were.
    pub(super) fn is_as_listed(&self, root: &Root) -> bool {
        root.dev() == self.dev
            && self.directories.iter().all(|listed| {
                let held = root.hold(listed.name.as_ref());
                let now = held.and_then(|held| held.ino_and_change());
                now.is_ok_and(|now| now == (listed.ino, listed.changed_ns))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    #[test]
    fn it_ends_by_time_by_age_by_growth_and_by_what_the_follower_sees() {
        let item = |standing, age: i128| Item { on_disk: 100, changed_ns: age * SECOND, standing };
        let items =
            [item(Standing::Stays, 1), item(Standing::Unsafe, 50), item(Standing::Safe, 40)];
        let rules = Rules { keep: Duration::from_secs(10), quota: 1_000 };
        let known = Known { at: Instant::now(), moves: 7, on_disk: 250 };
        let rest = Rest::new(known, 1, Vec::new(), &items, &rules);
        let at = |seconds| known.at + Duration::from_secs(seconds);
        assert!(rest.goes_on(&known, 50 * SECOND - 1));
        assert!(!rest.goes_on(&known, 50 * SECOND), "older than keep");
        assert!(rest.goes_on(&Known { at: at(299), ..known }, 0));
        assert!(!rest.goes_on(&Known { at: at(300), ..known }, 0));
        assert!(!rest.goes_on(&Known { moves: 8, ..known }, 0));
        assert!(rest.goes_on(&Known { on_disk: 950, ..known }, 0));
        assert!(!rest.goes_on(&Known { on_disk: 951, ..known }, 0));
        assert!(rest.goes_on(&Known { on_disk: 0, ..known }, 0), "it shrank");
        let none = Rest::new(known, 1, Vec::new(), &items[..1], &rules);
        assert!(none.goes_on(&known, i128::MAX - 1), "nothing ever is to go by age");
    }
}
