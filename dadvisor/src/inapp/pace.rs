//! How often a page that keeps failing is asked for. Pure: the clock is an argument.

use super::error::Error;
use super::target::Kind;
use super::{Container, Failed};
use common::logging::Episode;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// Pages that fail, by container.
#[derive(Debug, Default)]
pub(super) struct Paces(HashMap<(String, Kind), Failing>);

#[derive(Debug)]
struct Failing {
    /// The run it failed in: another process is another try.
    pid: Option<u32>,
    not_before: Instant,
    failed: Failed,
    asking: Episode,
}

/// After the first failure the next tick asks again; then 20 s, doubling.
fn pause(times: u32) -> Duration {
    match times {
        0 | 1 => Duration::ZERO,
        _ => LONGEST.min(Duration::from_secs(10 << times.saturating_sub(1).min(6))),
    }
}

impl Paces {
    /// Forgets every container not in `ids`.
    pub fn keep<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        if !self.0.is_empty() {
            let ids: HashSet<&str> = ids.collect();
            self.0.retain(|(id, _), _| ids.contains(id.as_str()));
        }
    }

    /// The last failure, if it is too early to ask again.
    pub fn paused(
        &self,
        (id, pid): (&str, Option<u32>),
        kind: Kind,
        now: Instant,
    ) -> Option<Failed> {
        let failing = self.0.get(&(id.to_owned(), kind))?;
        let paused = failing.pid == pid && now < failing.not_before;
        paused.then(|| Failed { paused: true, ..failing.failed.clone() })
    }

    /// A page was read.
    pub fn succeeded(&mut self, container: &Container, kind: Kind) {
        if let Some(mut failing) = self.0.remove(&(container.id.clone(), kind)) {
            failing.asking.recovered();
        }
    }

    /// A page was not read. Logged when it starts, not each time.
    pub fn failed(
        &mut self,
        container: &Container,
        kind: Kind,
        error: Error,
        now: Instant,
    ) -> Failed {
        let key = (container.id.clone(), kind);
        let before = self.0.remove(&key).filter(|failing| failing.pid == container.pid);
        let (times_before, mut asking) = match before {
            Some(before) => (before.failed.times, before.asking),
            None => (0, episode(container, kind)),
        };
        asking.failed(&error);
        let counts = error.counts_for_pause();
        let times = times_before.saturating_add(u32::from(counts)).max(1);
        let pause = if counts { pause(times) } else { Duration::ZERO };
        let failed = Failed { kind, error: Arc::new(error), times, paused: false };
        let not_before = now.checked_add(pause).unwrap_or(now);
        let failing = Failing { pid: container.pid, not_before, failed: failed.clone(), asking };
        self.0.insert(key, failing);
        failed
    }
}

fn episode(container: &Container, kind: Kind) -> Episode {
    let (label, name, app) = (kind.label(), &container.name, &container.app);
    Episode::new(format!("{label} of container {name} of app {app}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inapp::tests::container;

    #[test]
    fn pauses_grow_to_five_minutes() {
        let pauses: Vec<u64> = (0..8).map(|times| pause(times).as_secs()).collect();
        assert_eq!(pauses, [0, 0, 20, 40, 80, 160, 300, 300]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }

    #[test]
    fn a_new_run_is_asked_at_once_and_success_forgets() {
        let mut paces = Paces::default();
        let mut c = container("a", Some(7), &[]);
        let now = Instant::now();
        let paused = |paces: &Paces, pid, now| paces.paused(("a", pid), Kind::Nginx, now);
        assert_eq!(paces.failed(&c, Kind::Nginx, Error::Status(500), now).times, 1);
        assert!(paused(&paces, Some(7), now).is_none());
        assert_eq!(paces.failed(&c, Kind::Nginx, Error::Status(500), now).times, 2);
        let kept = paused(&paces, Some(7), now + Duration::from_secs(19)).unwrap();
        assert!(kept.paused && kept.times == 2);
        assert!(paused(&paces, Some(7), now + Duration::from_secs(20)).is_none());
        assert!(paused(&paces, Some(8), now).is_none());
        c.pid = Some(8);
        assert_eq!(paces.failed(&c, Kind::Nginx, Error::Status(500), now).times, 1);
        // lack of time is not the app's fault
        assert_eq!(paces.failed(&c, Kind::Nginx, Error::NoTime, now).times, 1);
        assert!(paused(&paces, Some(8), now).is_none());
        paces.succeeded(&c, Kind::Nginx);
        assert!(paces.0.is_empty());
        paces.failed(&c, Kind::Nginx, Error::NoTime, now);
        paces.keep(["b"].into_iter());
        assert!(paces.0.is_empty());
    }
}
