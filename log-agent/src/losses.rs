//! What was lost to shipping, for the centre, which tells everybody: an account for each instance that only grows.
//!
//! A report tells all of it each time, so that one that is missed costs nothing and one that is repeated tells nothing twice. It is kept
//! on disk and read again at the start: what was lost while the centre was away, or by the stop itself, is told later. An account whose last
//! loss is longer ago than a day is forgotten, and when there are too many the one whose last loss is longest ago.

mod keeper;

pub use keeper::Keeper;

use crate::files::Why;
use crate::volume::InstanceKey;
use common::api_types::{LogLossFact, Lost, MOST_LOSSES};
use common::moment::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an account is told after its last loss.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// The accounts.
#[derive(Debug, Default)]
pub struct Losses {
    by: BTreeMap<InstanceKey, LogLossFact>,
    revision: u64,
}

impl Losses {
    /// Goes on with what was kept.
    pub fn new(kept: Vec<LogLossFact>) -> Self {
        let key =
            |fact: &LogLossFact| InstanceKey { id: fact.instance.clone(), app: fact.app.clone() };
        let by = kept.into_iter().take(MOST_LOSSES).map(|fact| (key(&fact), fact)).collect();
        Self { by, revision: 0 }
    }

    /// Bytes of a file that nobody will ship any more.
    pub fn enter(&mut self, of: &InstanceKey, why: Why, bytes: u64, file: String, now: Moment) {
        self.revision += 1;
        self.by.retain(|_, fact| now.since(fact.at) < KEPT);
        if self.by.len() >= MOST_LOSSES && !self.by.contains_key(of) {
            let oldest = self.by.iter().min_by_key(|(_, fact)| fact.at).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.by.remove(&key));
        }
        let account = self.by.entry(of.clone()).or_insert_with(|| LogLossFact {
            app: of.app.clone(),
            instance: of.id.clone(),
            since: now,
            at: now,
            file: String::new(),
            reasons: BTreeMap::new(),
        });
        account.at = account.at.max(now);
        account.file = file;
        let lost = account.reasons.entry(why.reason().to_owned()).or_default();
        *lost = lost.and(Lost { gaps: 1, bytes });
    }

    /// Every account, by app and instance.
    pub fn all(&self, now: Moment) -> Vec<LogLossFact> {
        let latest = self.by.values().filter(|fact| now.since(fact.at) < KEPT);
        let mut all: Vec<_> = latest.cloned().collect();
        all.sort_by(|a, b| (&a.app, &a.instance).cmp(&(&b.app, &b.instance)));
        all
    }

    /// Grows with every loss.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::{AppId, InstanceId};

    fn key(id: &str) -> InstanceKey {
        InstanceKey { id: InstanceId::new(id), app: AppId::new("web") }
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_unix_ms(seconds * 1_000)
    }

    #[test]
    fn an_account_grows_until_it_is_forgotten_and_then_begins_anew() {
        let mut losses = Losses::default();
        losses.enter(&key("a"), Why::Quota, 100, "app.log.2".into(), at(10));
        losses.enter(&key("a"), Why::Quota, 50, "app.log.1".into(), at(20));
        losses.enter(&key("a"), Why::Truncated, 1, "x".into(), at(15));
        let all = losses.all(at(30));
        assert_eq!((all.len(), losses.revision()), (1, 3));
        assert_eq!((all[0].since, all[0].at, all[0].file.as_str()), (at(10), at(20), "x"));
        assert_eq!(all[0].reasons["quota"], Lost { gaps: 2, bytes: 150 });
        assert_eq!(all[0].reasons["truncated"], Lost { gaps: 1, bytes: 1 });
        // the agent ends and starts again
        let mut losses = Losses::new(all.clone());
        assert_eq!(losses.all(at(30)), all);
        let day = at(20).after(KEPT);
        assert!(losses.all(day).is_empty());
        losses.enter(&key("a"), Why::Closed, 7, "y".into(), day);
        let again = losses.all(day);
        assert_eq!((again[0].since, again[0].reasons.len()), (day, 1));
        assert_eq!(again[0].beyond(&all).unwrap().bytes, 7);
    }

    #[test]
    fn of_too_many_the_oldest_is_forgotten() {
        let mut losses = Losses::default();
        for n in 0..=MOST_LOSSES {
            let when = if n == 7 { 1 } else { 10 };
            losses.enter(&key(&format!("{n:05}")), Why::Quota, 1, String::new(), at(when));
        }
        let all = losses.all(at(10));
        assert_eq!(all.len(), MOST_LOSSES);
        assert!(all.iter().all(|fact| fact.instance.as_str() != "00007"));
    }
}
