//! The report of this dadvisor to the centre, kept up to date: made anew when something happened, never because time passed.
//!
//! What the engine tells goes on to the collector from here, whether the centre is there or not; a collector that is slow is not waited
//! for, and what it misses is counted.

mod host;

pub use host::here;

use crate::discover::watch::Seen;
use crate::facts::Facts;
use common::api_types::{AgentState, NodeFacts, Report};
use common::carbon::Carbon;
use common::center::Door;
use common::docker::{self, Engine, Event};
use common::logging::Episode;
use common::moment::Moment;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

/// Longest time something waits for what happens together with it: a list and the end that made it shorter.
const GATHER: Duration = Duration::from_millis(50);
/// How often it is looked whether an end is too old to be told, and whether this host has another address.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Where news comes from and goes to.
pub struct Sources {
    /// Who is here.
    pub seen: watch::Receiver<Seen>,
    /// OOM kills by container.
    pub kills: watch::Receiver<Arc<BTreeMap<String, u64>>>,
    /// What the engine tells.
    pub events: mpsc::Receiver<Event>,
    /// The collector, which wants to know that too.
    pub onward: mpsc::Sender<Event>,
    /// Where an event is counted that it has no room for.
    pub docker_stats: Arc<docker::Stats>,
    /// Passes taken: a moment to look at carbon.
    pub passed: watch::Receiver<u64>,
    /// Takes metrics, or not.
    pub carbon: Carbon,
}

/// Makes reports of one node.
pub struct Reporter {
    sources: Sources,
    facts: Facts,
    host: NodeFacts,
    dc: String,
    /// The HTTP side.
    door: Door,
    graphite_away: bool,
    /// Since when something has happened that is not in the report.
    dirty: Option<Instant>,
    telling: Episode,
}

impl Reporter {
    /// With what is known at the start. `host` is what does not change about this host.
    pub fn new(sources: Sources, dc: &str, host: NodeFacts, door: Door) -> Self {
        let mut reporter = Self {
            sources,
            facts: Facts::default(),
            host,
            dc: dc.to_owned(),
            door,
            graphite_away: false,
            dirty: None,
            telling: Episode::new("container events for the collector"),
        };
        reporter.find_address();
        reporter
    }

    /// The report, now.
    pub fn report(&self) -> Report {
        let note = self.note();
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: self.door.reached(self.host.address.parse().ok()),
            tls: self.door.tls,
            dc: self.dc.clone(),
            state: if note.is_empty() { AgentState::Running } else { AgentState::Degraded },
            note,
            // texts and numbers: nothing of it can fail to print
            facts: serde_json::to_value(self.facts.told(&self.host)).unwrap_or_default(),
        }
    }

    /// Keeps `out` up to date until the stop.
    pub async fn run(mut self, out: watch::Sender<Report>, stop: CancellationToken) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.dirty.map(|since| since + GATHER);
            let sources = &mut self.sources;
            let news = tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = sources.seen.changed() => {
                    self.facts.see(sources.seen.borrow_and_update().clone());
                    true
                }
                Ok(()) = sources.kills.changed() => {
                    self.facts.count(Arc::clone(&sources.kills.borrow_and_update()));
                    true
                }
                Some(event) = sources.events.recv() => self.heard(event),
                Ok(()) = sources.passed.changed() => {
                    let away = sources.carbon.status().sending.failing_since_ms.is_some();
                    away != std::mem::replace(&mut self.graphite_away, away)
                }
                _ = look.tick() => self.facts.expire(Moment::now()) | self.find_address(),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.publish(&out);
                    false
                }
            };
            if news {
                self.dirty.get_or_insert_with(Instant::now);
            }
        }
    }

    fn publish(&mut self, out: &watch::Sender<Report>) {
        self.dirty = None;
        let report = self.report();
        out.send_if_modified(|before| {
            let modified = *before != report;
            *before = report;
            modified
        });
    }

    /// True if it makes another report.
    fn heard(&mut self, event: Event) -> bool {
        let news = self.facts.hear(&event, Moment::now());
        match self.sources.onward.try_send(event) {
            Ok(()) => self.telling.recovered(),
            Err(_) => {
                self.sources.docker_stats.events_dropped.fetch_add(1, Relaxed);
                self.telling.failed(&"some are dropped, passes take too long");
            }
        }
        news
    }

    /// What is missing, in words that stay the same while it is.
    fn note(&self) -> String {
        let docker = match self.facts.engine() {
            Engine::Gone { .. } => Some("Docker is away; containers as last known"),
            Engine::Hung => Some("Docker hangs; containers as last known"),
            Engine::Unknown | Engine::Up { .. } => None,
        };
        let graphite = self.graphite_away.then_some("Graphite is away; metrics wait on disk");
        let parts: Vec<&str> = docker.into_iter().chain(graphite).collect();
        parts.join("; ")
    }

    /// True if it is another one than before.
    fn find_address(&mut self) -> bool {
        let found = self.door.own_address().map(|ip| ip.to_string()).unwrap_or_default();
        let modified = found != self.host.address;
        self.host.address = found;
        modified
    }
}

#[cfg(test)]
mod tests;
