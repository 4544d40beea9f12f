//! When may the journal forget a file that is not followed?
//!
//! Not at once: a volume may be away for a while, or found late after a start. So after a day, and the oldest before that when there are
//! many: a file whose inode is used again has its entry replaced anyway.

use super::journal::Journal;
use crate::files::Files;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Files are remembered for so long after they were last followed.
const KEPT: Duration = Duration::from_secs(86_400);
/// More of them than this are not.
const MOST: usize = 4_096;
/// Between two looks at what is forgotten by now.
const EVERY: Duration = Duration::from_secs(60);
/// Which files are followed is looked at when that may have changed, and anyway after so long.
const ANYWAY: Duration = Duration::from_secs(3_600);

/// Since when files are not followed, by device and inode.
#[derive(Debug, Default)]
pub(super) struct Forget {
    gone: HashMap<(u64, u64), Instant>,
    next: Option<Instant>,
    /// The set of files at the last look at it, by its number, and when that was.
    seen: Option<(u64, Instant)>,
}

impl Forget {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    pub(super) fn run(&mut self, journal: &Journal, files: &Files, set: u64, now: Instant) {
        self.next = Some(now + EVERY);
        if self.seen.is_none_or(|(seen, at)| seen != set || now.duration_since(at) >= ANYWAY) {
            self.seen = Some((set, now));
            self.look(journal, files, now);
        }
        let forgotten = self.forgotten(now);
        if !forgotten.is_empty() {
            journal.retain(|known| !forgotten.contains(&(known.identity.dev, known.identity.ino)));
            self.gone.retain(|key, _| !forgotten.contains(key));
        }
    }

    /// Looks which files are not followed.
    fn look(&mut self, journal: &Journal, files: &Files, now: Instant) {
        let followed: HashSet<(u64, u64)> = files
            .all()
            .iter()
            .map(|source| source.identity())
            .map(|identity| (identity.dev, identity.ino))
            .collect();
        let mut gone = HashMap::new();
        journal.retain(|known| {
            let key = (known.identity.dev, known.identity.ino);
            if !followed.contains(&key) {
                gone.insert(key, self.gone.get(&key).copied().unwrap_or(now));
            }
            true
        });
        self.gone = gone;
    }

    /// Those that are to be forgotten now.
    fn forgotten(&self, now: Instant) -> HashSet<(u64, u64)> {
        let mut oldest: Vec<_> = self.gone.iter().map(|(key, since)| (*since, *key)).collect();
        oldest.sort_unstable();
        let too_many = oldest.len().saturating_sub(MOST);
        let old = |(nth, (since, _)): &(usize, (Instant, _))| {
            *nth < too_many || now.duration_since(*since) >= KEPT
        };
        oldest.into_iter().enumerate().filter(old).map(|(_, (_, key))| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_forgotten_a_day_after_it_was_last_followed_and_the_oldest_of_many_before() {
        let start = Instant::now();
        let mut forget = Forget::default();
        forget.gone.insert((1, 1), start);
        forget.gone.insert((1, 2), start + KEPT / 2);
        assert!(forget.forgotten(start + KEPT / 2).is_empty());
        assert_eq!(forget.forgotten(start + KEPT), HashSet::from([(1, 1)]));
        for ino in 3..u64::try_from(MOST).unwrap() + 2 {
            forget.gone.insert((1, ino), start + KEPT / 2);
        }
        assert_eq!(forget.forgotten(start + KEPT / 2), HashSet::from([(1, 1)]));
    }
}
