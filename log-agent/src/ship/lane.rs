//! Whose turn is it? Pure.
//!
//! Deficit round robin by bytes, in two levels: instances in turn, and each instance's files in turn. A turn is [`TURN`] bytes of an
//! instance: from one file, or from many small ones. Whoever has data waits for one turn of each other instance at most, so one that floods
//! costs the others one turn, however many files it floods. What a turn took too much is taken from the next.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Bytes of a turn.
pub const TURN: u64 = 256 * 1_024;
/// A file that is only looked at costs that much of a turn: a crowd of empty ones must not be free.
const LOOK: u64 = 4 * 1_024;

/// The groups (instances) and keys (files) that have something to read.
#[derive(Debug)]
pub struct Turns<G, K> {
    /// In the order of their turns; each one once.
    waiting: VecDeque<G>,
    groups: HashMap<G, Group<K>>,
    /// The one whose turn it is, and how much of it is left.
    current: Option<(G, u64)>,
    /// The file whose turn it is was named again since: what was read of it may be older than that.
    again: bool,
}

#[derive(Debug)]
struct Group<K> {
    keys: VecDeque<K>,
    members: HashSet<K>,
    /// What its last turn took too much.
    owed: u64,
}

impl<G: Clone + Eq + Hash, K: Copy + Eq + Hash> Default for Turns<G, K> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), groups: HashMap::new(), current: None, again: false }
    }
}

impl<G: Clone + Eq + Hash, K: Copy + Eq + Hash> Turns<G, K> {
    /// A file has something to read. It is in line once, however often it is named.
    pub fn wake(&mut self, group: &G, key: K) {
        if let Some(of) = self.groups.get_mut(group) {
            if of.members.insert(key) {
                of.keys.push_back(key);
            } else if of.keys.front() == Some(&key) {
                let current = self.current.as_ref();
                self.again |= current.is_some_and(|(current, _)| current == group);
            }
            return;
        }
        let group_of_one = Group { keys: [key].into(), members: [key].into(), owed: 0 };
        self.groups.insert(group.clone(), group_of_one);
        self.waiting.push_back(group.clone());
    }

    /// Nobody has anything to read.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The file to read from now; to be told with [`Self::took`] what was read before the next one is asked for.
    pub fn turn(&mut self) -> Option<K> {
        while self.current.is_none() {
            let group = self.waiting.pop_front()?;
            // gone, or its turn goes to what it took too much
            let Some(of) = self.groups.get_mut(&group) else { continue };
            let owed = of.owed;
            of.owed = owed.saturating_sub(TURN);
            match TURN.checked_sub(owed).filter(|left| *left > 0) {
                Some(left) => self.current = Some((group, left)),
                None => self.waiting.push_back(group),
            }
        }
        let (group, _) = self.current.as_ref()?;
        self.groups.get(group)?.keys.front().copied()
    }

    /// So many bytes were read from the file that [`Self::turn`] gave, and it has `more` or not.
    pub fn took(&mut self, bytes: u64, more: bool) {
        let more = std::mem::take(&mut self.again) || more;
        let Some((group, left)) = self.current.take() else { return };
        let Some(of) = self.groups.get_mut(&group) else { return };
        if let Some(key) = of.keys.pop_front() {
            if more {
                of.keys.push_back(key);
            } else {
                of.members.remove(&key);
            }
        }
        let cost = bytes.max(LOOK);
        if of.keys.is_empty() {
            // an instance that is silent saves nothing up and owes nothing
            self.groups.remove(&group);
        } else if cost < left {
            self.current = Some((group, left - cost));
        } else {
            of.owed += cost - left;
            self.waiting.push_back(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_flood_of_many_files_costs_the_others_one_turn() {
        let mut turns = Turns::default();
        (0..1_000).for_each(|file| turns.wake(&"flood", file));
        turns.wake(&"quiet", 5_000);
        let mut before = 0;
        while let Some(file) = turns.turn() {
            if file == 5_000 {
                break;
            }
            before += 100_000;
            turns.took(100_000, true);
        }
        assert!(before <= TURN + 100_000, "{before}");
        turns.took(80, false);
        // the flooder goes on alone
        assert_eq!(turns.turn(), Some(3));
    }

    #[test]
    fn a_file_is_in_line_once_and_gone_when_it_has_no_more() {
        let mut turns = Turns::default();
        turns.wake(&1, 'a');
        turns.wake(&1, 'a');
        assert_eq!(turns.turn(), Some('a'));
        turns.took(0, false);
        assert_eq!(turns.turn(), None);
        assert!(turns.is_empty());
        turns.wake(&1, 'a');
        assert_eq!(turns.turn(), Some('a'));
    }

    #[test]
    fn a_file_named_while_it_is_read_is_read_again() {
        let mut turns = Turns::default();
        turns.wake(&1, 'a');
        turns.wake(&1, 'b');
        assert_eq!(turns.turn(), Some('a'));
        turns.wake(&1, 'a');
        turns.wake(&1, 'b');
        // what was read was read before that
        turns.took(10, false);
        assert_eq!(turns.turn(), Some('b'));
        turns.took(10, false);
        assert_eq!(turns.turn(), Some('a'));
        turns.took(0, false);
        assert!(turns.is_empty());
    }

    #[test]
    fn many_small_files_share_one_turn() {
        let mut turns = Turns::default();
        (0..10).for_each(|file| turns.wake(&"many", file));
        turns.wake(&"other", 99);
        for file in 0..10 {
            assert_eq!(turns.turn(), Some(file));
            turns.took(200, false);
        }
        assert_eq!(turns.turn(), Some(99));
    }

    proptest! {
        /// While an instance has data, each other one gets at most one turn (and what one read is over it) before it is served.
        #[test]
        fn nobody_waits_more_than_one_turn_of_each_other(
            reads in prop::collection::vec((0u64..400_000, prop::bool::weighted(0.8)), 1..400),
            files in prop::collection::vec((0u8..5, 0u16..40), 1..60),
        ) {
            const LARGEST: u64 = 400_000;
            let mut turns = Turns::default();
            for (group, file) in &files {
                turns.wake(group, (*group, *file));
            }
            let mut waiting: BTreeMap<u8, BTreeMap<u8, u64>> =
                files.iter().map(|(group, _)| (*group, BTreeMap::new())).collect();
            let mut total: BTreeMap<u8, u64> = BTreeMap::new();
            for (bytes, more) in reads {
                let Some((group, _)) = turns.turn() else { break };
                turns.took(bytes, more);
                waiting.insert(group, BTreeMap::new());
                for (who, others) in &mut waiting {
                    if *who != group && turns.groups.contains_key(who) {
                        let of_other = others.entry(group).or_default();
                        *of_other += bytes.max(LOOK);
                        // whoever owes passes its turn: then the others have two
                        prop_assert!(*of_other <= 2 * TURN + LARGEST, "{who} waits: {others:?}");
                    }
                }
                if !turns.groups.contains_key(&group) {
                    waiting.remove(&group);
                }
                *total.entry(group).or_default() += bytes.max(LOOK);
            }
        }

        /// Who always has data gets the same as every other who has.
        #[test]
        fn those_who_have_data_get_equal_shares(sizes in prop::collection::vec(1u64..300_000, 2..6)) {
            let mut turns = Turns::default();
            for group in 0..sizes.len() {
                turns.wake(&group, group);
            }
            let mut got = vec![0u64; sizes.len()];
            for _ in 0..5_000 {
                let group = turns.turn().unwrap();
                got[group] += sizes[group].max(LOOK);
                turns.took(sizes[group], true);
            }
            let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
            prop_assert!(most - least <= 2 * TURN + 600_000, "{got:?}");
        }
    }
}
