//! The report of this log-agent to the centre: whose logs are here, how far they are shipped, whether lines are taken.
//!
//! Files that come or go are told within a second, the state of neighbours within ten. Numbers alone are told anew once a minute, so that
//! most reports are a digest.

use crate::overview::{Overview, Sources};
use common::api_types::{AgentState, LogAgentFacts, LogInstanceFact, Report, SinkFact};
use common::center::Door;
use common::docker::Engine;
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// How long a file that comes or goes waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// Between two tellings of numbers alone, and two looks whether this host has another address.
const NUMBERS: Duration = Duration::from_secs(60);
/// Most instances told of; the centre takes 4 MiB.
const MOST: usize = 4_000;

/// Makes reports of one node.
pub struct Reporter {
    sources: Sources,
    dc: String,
    door: Door,
    own: Option<IpAddr>,
}

impl Reporter {
    /// Ready to run.
    pub fn new(sources: Sources, dc: &str, door: Door) -> Self {
        let own = door.own_address();
        Self { sources, dc: dc.to_owned(), door, own }
    }

    /// The report, now.
    pub fn report(&self) -> Report {
        let now = self.sources.overview();
        let note = note(&now);
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: self.door.reached(self.own),
            tls: self.door.tls,
            dc: self.dc.clone(),
            state: if note.is_empty() { AgentState::Running } else { AgentState::Degraded },
            note,
            // texts and numbers: nothing of it can fail to print
            facts: serde_json::to_value(facts(&now)).unwrap_or_default(),
        }
    }

    /// Keeps `out` up to date until the stop.
    pub async fn run(mut self, out: watch::Sender<Report>, stop: CancellationToken) {
        let mut set = self.sources.files.subscribe();
        let mut turns = interval(LOOK);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Instant::now();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = turns.tick() => {}
                Ok(()) = set.changed() => {
                    // many come together
                    if stop.run_until_cancelled(sleep(GATHER)).await.is_none() {
                        return;
                    }
                    set.mark_unchanged();
                }
            }
            let due = told.elapsed() >= NUMBERS;
            if due {
                self.own = self.door.own_address();
            }
            let report = self.report();
            let news = out.send_if_modified(|before| {
                let news = if due { *before != report } else { bare(before) != bare(&report) };
                if news {
                    *before = report;
                }
                news
            });
            if news || due {
                told = Instant::now();
            }
        }
    }
}

/// A report without its numbers.
fn bare(report: &Report) -> Report {
    let mut report = report.clone();
    let instances = report.facts.get_mut("instances").and_then(|list| list.as_array_mut());
    for instance in instances.into_iter().flatten().filter_map(|i| i.as_object_mut()) {
        instance.remove("bytes");
        instance.remove("lag_bytes");
    }
    report
}

/// What is missing, in words that stay the same while it is.
fn note(now: &Overview) -> String {
    let mut parts = Vec::new();
    match &now.engine {
        Some(Engine::Gone { .. }) => parts.push("Docker is away; containers as last known".into()),
        Some(Engine::Hung) => parts.push("Docker hangs; containers as last known".into()),
        Some(Engine::Unknown | Engine::Up { .. }) | None => {}
    }
    if let Some(shipping) = now.shipping.as_ref().filter(|shipping| shipping.failures > 0) {
        parts.push(format!("{} takes no lines; they wait in their files", shipping.sink.peer));
    }
    if now.faulty > 0 {
        parts.push(format!("{} log volumes cannot be read", now.faulty));
    }
    if now.graphite_away {
        parts.push("Graphite is away; metrics wait on disk".to_owned());
    }
    parts.join("; ")
}

fn facts(now: &Overview) -> LogAgentFacts {
    let sink = now.shipping.as_ref().map(|shipping| {
        let sink = &shipping.sink;
        let failure = sink.last_failure.clone().filter(|_| !sink.works).unwrap_or_default();
        let kind = if sink.peer.starts_with('/') { "dir" } else { "flume" };
        SinkFact { kind: kind.to_owned(), peer: sink.peer.clone(), works: sink.works, failure }
    });
    // those that run first: an ended one is missed less
    let mut all: Vec<_> = now.instances.iter().collect();
    all.sort_by_key(|(_, instance)| instance.ended_at.is_some());
    let left_out = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    all.sort_by_key(|(key, _)| (&key.app, &key.id));
    let instances = all.into_iter().map(|(key, instance)| LogInstanceFact {
        app: key.app.clone(),
        instance: key.id.clone(),
        ended_at: instance.ended_at,
        files: instance.files,
        bytes: instance.bytes,
        lag_bytes: instance.lag_bytes,
    });
    LogAgentFacts { sink, instances: instances.collect(), left_out: left_out as u64 }
}
