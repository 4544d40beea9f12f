//! What was shipped of each app in the last whole window: the counts that are told. Pure; the clock is an argument.

use crate::overview::App;
use common::api_types::LogAppFact;
use common::ids::AppId;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Bytes and events acknowledged.
type Counts = (u64, u64);

/// The window that runs, and what the one before counted.
#[derive(Debug)]
pub(super) struct Window {
    begun: Instant,
    /// Since the start of the agent, as this window began.
    totals: HashMap<AppId, Counts>,
    counted: HashMap<AppId, Counts>,
    length: Duration,
}

impl Window {
    /// The first one, before which nothing was counted.
    pub fn new(at: Instant) -> Self {
        let (totals, counted) = (HashMap::new(), HashMap::new());
        Self { begun: at, totals, counted, length: Duration::ZERO }
    }

    /// How long it has run.
    pub fn age(&self, at: Instant) -> Duration {
        at.duration_since(self.begun)
    }

    /// Ends it, and begins the next.
    pub fn turn(&mut self, apps: &BTreeMap<AppId, App>, at: Instant) {
        let mut totals = HashMap::with_capacity(apps.len());
        self.counted.clear();
        for (id, app) in apps {
            let Some(shipped) = &app.shipped else { continue };
            let (bytes, lines) = (shipped.bytes, shipped.lines);
            totals.insert(id.clone(), (bytes, lines));
            // counters begin with the agent and are never forgotten: one that was not there stood at 0
            let before = self.totals.get(id).copied().unwrap_or_default();
            if let (Some(bytes), Some(lines)) =
                (bytes.checked_sub(before.0), lines.checked_sub(before.1))
            {
                self.counted.insert(id.clone(), (bytes, lines));
            }
        }
        self.length = self.age(at);
        self.totals = totals;
        self.begun = at;
    }

    /// How long the last whole one was. Whole seconds, so that a window in which nothing happened is told like the one before.
    pub fn seconds(&self) -> u64 {
        (self.length + Duration::from_millis(500)).as_secs()
    }

    /// What is told of these apps.
    pub fn facts<'a>(
        &'a self,
        apps: &'a BTreeMap<AppId, App>,
    ) -> impl Iterator<Item = LogAppFact> + 'a {
        apps.iter().filter_map(|(id, app)| {
            let lag_bytes = app.shipped.as_ref()?.lag_bytes;
            let (bytes, lines) = self.counted.get(id).copied().unzip();
            Some(LogAppFact { app: id.clone(), lag_bytes, bytes, lines })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ship::AppStatus;

    fn app(bytes: u64, lines: u64, lag_bytes: u64) -> App {
        let shipped = AppStatus { bytes, lines, lag_bytes, ..AppStatus::default() };
        App { shipped: Some(shipped), ..App::default() }
    }

    fn told(window: &Window, apps: &BTreeMap<AppId, App>) -> Vec<(u64, Option<u64>, Option<u64>)> {
        window.facts(apps).map(|fact| (fact.lag_bytes, fact.bytes, fact.lines)).collect()
    }

    #[test]
    fn counts_are_of_a_whole_window_and_lag_is_of_now() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut window = Window::new(begin);
        let id = AppId::new("shop");
        let mut apps = BTreeMap::from([(id.clone(), app(100, 10, 7))]);
        // not shipped: nothing to tell
        apps.insert(AppId::new("unshipped"), App::default());
        assert_eq!((told(&window, &apps), window.seconds()), (vec![(7, None, None)], 0));
        window.turn(&apps, at(60));
        assert_eq!(told(&window, &apps), [(7, Some(100), Some(10))]);
        apps.insert(id.clone(), app(160, 13, 5));
        window.turn(&apps, at(120) + Duration::from_millis(3));
        apps.insert(id.clone(), app(170, 14, 4));
        assert_eq!((told(&window, &apps), window.seconds()), (vec![(4, Some(60), Some(3))], 60));
        assert_eq!(window.age(at(130)), Duration::from_millis(9_997));
        apps.insert(AppId::new("came"), app(2, 1, 0));
        assert_eq!(told(&window, &apps), [(0, None, None), (4, Some(60), Some(3))]);
        window.turn(&apps, at(180));
        assert_eq!(told(&window, &apps), [(0, Some(2), Some(1)), (4, Some(10), Some(1))]);
    }
}
