//! When to list again, and what. Pure: the clock is an argument.
//!
//! One fetch at a time. The whole list at least every [`EVERY`]; a few dirty apps one by one, many by a list. Marathon is never asked to work
//! more than a tenth of the time for lists that events cause: after a list that took a second, the next such one waits ten.

use super::ledger::{CONFIRM_AFTER, Dirty};
use common::backoff::Backoff;
use common::ids::AppId;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The whole list, whatever the events say: streams were seen that stayed open and told nothing.
pub const EVERY: Duration = Duration::from_secs(60);
/// The same without a stream.
pub const POLL: Duration = Duration::from_secs(10);
/// Events come in groups; the first one waits for the rest.
const SETTLE: Duration = Duration::from_millis(100);
/// An app is not fetched more often than this.
const APP_EVERY: Duration = Duration::from_secs(1);
/// More dirty apps than this: one list is less work for Marathon.
const MOST_APPS: usize = 16;
/// Shortest and longest time between lists that events cause.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The whole list.
    List,
    /// One app.
    App(AppId),
    /// Nothing before then.
    At(Instant),
}

/// When what was fetched last, and how long that took.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    listed: Option<Instant>,
    took: Duration,
    /// When each app was last fetched by itself, since the last list.
    apps: HashMap<AppId, Instant>,
    /// When something became dirty.
    soiled: Option<Instant>,
    not_before: Option<Instant>,
    failures: Backoff,
}

impl Pace {
    /// Of a new connection: a list is due at once, then at least this often.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            listed: None,
            took: Duration::ZERO,
            apps: HashMap::new(),
            soiled: None,
            not_before: None,
            failures: Backoff::default(),
        }
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures.failures()
    }

    /// What to do, if no fetch is under way. `held`: the last list lacked too much, and the next one is to say whether that is so.
    pub fn due(&mut self, now: Instant, dirty: &Dirty, held: bool) -> Due {
        if dirty.is_clean() {
            self.soiled = None;
        } else {
            self.soiled.get_or_insert(now);
        }
        let (when, app) = self.next(now, dirty, held);
        match self.not_before.map_or(when, |limit| when.max(limit)) {
            later if later > now => Due::At(later),
            _ => app.map_or(Due::List, Due::App),
        }
    }

    fn next(&self, now: Instant, dirty: &Dirty, held: bool) -> (Instant, Option<AppId>) {
        let Some(listed) = self.listed else { return (now, None) };
        if held {
            return (listed + CONFIRM_AFTER, None);
        }
        let periodic = listed + self.every;
        let Some(soiled) = self.soiled.filter(|_| now < periodic) else { return (periodic, None) };
        if dirty.all || dirty.apps.len() > MOST_APPS {
            let gap = (self.took * 10).clamp(SHORTEST, LONGEST);
            return ((soiled + SETTLE).max(listed + gap).min(periodic), None);
        }
        let ready = |app: &AppId| {
            let rested = self.apps.get(app).map(|fetched| *fetched + APP_EVERY);
            rested.unwrap_or(soiled + SETTLE).max(soiled + SETTLE)
        };
        let first = dirty.apps.iter().min_by_key(|app| ready(app));
        match first.map(|app| (ready(app), app)) {
            Some((when, app)) if when < periodic => (when, Some(app.clone())),
            _ => (periodic, None),
        }
    }

    /// A list was taken in.
    pub fn listed(&mut self, asked: Instant, now: Instant) {
        self.listed = Some(now);
        self.took = now - asked;
        self.apps.clear();
        self.soiled = None;
        self.worked();
    }

    /// An app was.
    pub fn listed_app(&mut self, app: AppId, now: Instant) {
        self.apps.insert(app, now);
        self.worked();
    }

    fn worked(&mut self) {
        self.failures.worked();
        self.not_before = None;
    }

    /// The fetch failed.
    pub fn failed(&mut self, now: Instant, random: u32) {
        self.not_before = Some(now + wait(&mut self.failures, random));
    }
}

/// How long to wait after one more failure: 1 s to a minute, doubling, with jitter.
pub fn wait(failures: &mut Backoff, random: u32) -> Duration {
    (failures.failed(random) * 2).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
