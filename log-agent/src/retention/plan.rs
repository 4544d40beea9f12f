//! What of one log volume is removed now. Pure: the clock is an argument.
//!
//! - By age: an older generation of a log that is safe elsewhere and was not changed for `keep`.
//! - By quota, while the volume has more bytes on the disk: older generations, the oldest change first; those that are safe elsewhere
//!   before any that is not. What is removed unsafe is lost, and said so.
//! - Never a file that may be written yet, and never one that was changed a moment ago, whatever its name.
//!
//! The age is that of the inode's change: the time of modification is its owner's to set.

use std::time::Duration;

/// A file that was changed so lately may have a writer that has not heard of its new name.
pub const QUIET: Duration = Duration::from_secs(30);

/// What may be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An older generation, whole in Flume or wherever it goes, or not meant to go anywhere.
    Safe,
    /// An older generation that has bytes nobody has acknowledged.
    Unsafe,
    /// It may be written yet, or is no log: it stays.
    Stays,
}

/// A file of the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Bytes it has on the disk.
    pub on_disk: u64,
    /// Last change of its inode, nanoseconds since 1970.
    pub changed_ns: i128,
    /// What may be done with it.
    pub standing: Standing,
}

/// The operator's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long older generations stay.
    pub keep: Duration,
    /// Most bytes of a volume on the disk.
    pub quota: u64,
}

/// Why a file is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// It is older than `keep`.
    Age,
    /// The volume is above its quota.
    Quota,
}

/// A file to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// Its place in the list.
    pub item: usize,
    /// Why.
    pub why: Why,
    /// It has bytes that are nowhere else.
    pub lost: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub removals: Vec<Removal>,
    /// Bytes that the volume is above its quota afterwards, since nothing else may go.
    pub over: u64,
}

/// Makes the plan; what was changed within `quiet` stays.
pub fn plan(items: &[Item], rules: &Rules, quiet: Duration, now_ns: i128) -> Plan {
    let older_than = |item: &Item, age: Duration| {
        let age = i128::try_from(age.as_nanos()).unwrap_or(i128::MAX);
        now_ns.saturating_sub(item.changed_ns) >= age
    };
    let mut total = items.iter().fold(0u64, |sum, item| sum.saturating_add(item.on_disk));
    let mut oldest: Vec<(usize, &Item)> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.standing != Standing::Stays && older_than(item, quiet))
        .collect();
    oldest.sort_by_key(|(at, item)| (item.standing == Standing::Unsafe, item.changed_ns, *at));
    let mut removals = Vec::new();
    for (at, item) in oldest {
        let lost = item.standing == Standing::Unsafe;
        let why = if !lost && older_than(item, rules.keep) {
            Why::Age
        // what has no bytes frees none
        } else if total > rules.quota && item.on_disk > 0 {
            Why::Quota
        } else {
            continue;
        };
        total = total.saturating_sub(item.on_disk);
        removals.push(Removal { item: at, why, lost });
    }
    Plan { removals, over: total.saturating_sub(rules.quota) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Safe, Stays, Unsafe};
    use proptest::prelude::*;

    const SECOND: i128 = 1_000_000_000;
    const NOW: i128 = 1_000_000 * SECOND;

    fn item(standing: Standing, on_disk: u64, age: i128) -> Item {
        Item { on_disk, changed_ns: NOW - age * SECOND, standing }
    }

    fn planned(items: &[Item], keep: u64, quota: u64) -> (Vec<(usize, Why, bool)>, u64) {
        let rules = Rules { keep: Duration::from_secs(keep), quota };
        let Plan { removals, over } = plan(items, &rules, QUIET, NOW);
        (removals.into_iter().map(|r| (r.item, r.why, r.lost)).collect(), over)
    }

    #[test]
    fn by_age_only_what_is_safe_and_older() {
        let items =
            [item(Safe, 1, 100), item(Safe, 1, 99), item(Unsafe, 1, 500), item(Stays, 1, 500)];
        assert_eq!(planned(&items, 100, 10), (vec![(0, Why::Age, false)], 0));
    }

    #[test]
    fn by_quota_the_oldest_first_and_unsafe_ones_last() {
        let items = [
            item(Unsafe, 10, 900),
            item(Safe, 10, 50),
            item(Safe, 10, 60),
            item(Stays, 10, 999),
            item(Safe, 10, 5),
        ];
        assert_eq!(planned(&items, 1_000, 40), (vec![(2, Why::Quota, false)], 0));
        let (removed, over) = planned(&items, 1_000, 25);
        let wanted = vec![(2, Why::Quota, false), (1, Why::Quota, false), (0, Why::Quota, true)];
        assert_eq!((removed, over), (wanted, 0));
        assert_eq!(planned(&items, 1_000, 0).1, 20, "the written one and the fresh one stay");
    }

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let standing = prop_oneof![Just(Safe), Just(Unsafe), Just(Stays)];
        let item = (standing, 0u64..50, -5i128..200).prop_map(|(s, n, age)| item(s, n, age));
        prop::collection::vec(item, 0..12)
    }

    proptest! {
        #[test]
        fn what_must_stay_stays_and_no_more_goes_than_must(
            items in items(), keep in 0u64..200, quota in 0u64..300,
        ) {
            let rules = Rules { keep: Duration::from_secs(keep), quota };
            let Plan { removals, over } = plan(&items, &rules, QUIET, NOW);
            let age = |i: usize| NOW - items[i].changed_ns;
            let quiet = |i: usize| age(i) >= 30 * SECOND;
            let mut total: u64 = items.iter().map(|i| i.on_disk).sum();
            let mut gone = vec![false; items.len()];
            for removal in &removals {
                let i = removal.item;
                prop_assert!(!std::mem::replace(&mut gone[i], true), "twice");
                prop_assert!(items[i].standing != Stays && quiet(i));
                prop_assert_eq!(removal.lost, items[i].standing == Unsafe);
                match removal.why {
                    Why::Age => prop_assert!(!removal.lost && age(i) >= i128::from(keep) * SECOND),
                    Why::Quota => prop_assert!(total > quota, "nothing was above"),
                }
                total -= items[i].on_disk;
            }
            prop_assert_eq!(over, total.saturating_sub(quota));
            for (i, item) in items.iter().enumerate().filter(|(i, _)| !gone[*i] && quiet(*i)) {
                // what is above its age is gone, and above the quota everything is that may go
                prop_assert!(item.standing != Safe || age(i) < i128::from(keep) * SECOND);
                prop_assert!(over == 0 || item.standing == Stays || item.on_disk == 0);
                // nothing that is safe outlives what is lost, unless it frees nothing
                if item.standing == Safe && item.on_disk > 0 {
                    prop_assert!(!removals.iter().any(|r| r.lost));
                }
            }
            let order: Vec<_> =
                removals.iter().map(|r| (r.lost, items[r.item].changed_ns)).collect();
            prop_assert!(order.is_sorted());
        }
    }
}
