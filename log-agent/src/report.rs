//! The report of this log-agent to the centre: whose logs are here, how far they are shipped, whether lines are taken.
//!
//! Files that come or go are told within a second, the state of neighbours and a loss of another kind or instance within ten. Numbers
//! alone are told anew once a minute, so that most reports are a digest; what was shipped of an app is counted over that minute.

mod window;

use crate::overview::{Overview, Sources};
use common::api_types::{AgentState, LogAgentFacts, LogInstanceFact, Report, SinkFact};
use common::center::Door;
use common::docker::Engine;
use serde_json::Value;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use window::Window;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// How long a file that comes or goes waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// Between two tellings of numbers alone, and two looks whether this host has another address.
const NUMBERS: Duration = Duration::from_secs(60);
/// Most instances told of, and most apps; the centre takes 4 MiB.
const MOST: usize = 4_000;

/// Makes reports of one node.
pub struct Reporter {
    sources: Sources,
    dc: String,
    door: Door,
    own: Option<IpAddr>,
    window: Window,
}

impl Reporter {
    /// Ready to run.
    pub fn new(sources: Sources, dc: &str, door: Door) -> Self {
        let own = door.own_address();
        let window = Window::new(Instant::now());
        Self { sources, dc: dc.to_owned(), door, own, window }
    }

    /// The report, now.
    pub fn report(&self) -> Report {
        self.of(&self.sources.overview())
    }

    fn of(&self, now: &Overview) -> Report {
        let note = note(now);
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: self.door.reached(self.own),
            tls: self.door.tls,
            dc: self.dc.clone(),
            state: if note.is_empty() { AgentState::Running } else { AgentState::Degraded },
            note,
            // texts and numbers: nothing of it can fail to print
            facts: serde_json::to_value(facts(now, &self.window)).unwrap_or_default(),
        }
    }

    /// Keeps `out` up to date until the stop.
    pub async fn run(mut self, out: watch::Sender<Report>, stop: CancellationToken) {
        let mut set = self.sources.files.subscribe();
        let mut turns = interval(LOOK);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
            let (now, at) = (self.sources.overview(), Instant::now());
            let due = self.window.age(at) >= NUMBERS;
            if due {
                self.own = self.door.own_address();
                self.window.turn(&now.apps, at);
            }
            let report = self.of(&now);
            out.send_if_modified(|before| {
                let news = if due { *before != report } else { bare(before) != bare(&report) };
                if news {
                    *before = report;
                }
                news
            });
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
    if let Some(facts) = report.facts.as_object_mut() {
        facts.remove("apps");
        facts.remove("window_seconds");
    }
    let losses = report.facts.get_mut("losses").and_then(|list| list.as_array_mut());
    for loss in losses.into_iter().flatten().filter_map(|loss| loss.as_object_mut()) {
        loss.remove("at");
        loss.remove("file");
        let reasons = loss.get_mut("reasons").and_then(|reasons| reasons.as_object_mut());
        reasons.into_iter().flat_map(|r| r.values_mut()).for_each(|lost| *lost = Value::Null);
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

fn facts(now: &Overview, window: &Window) -> LogAgentFacts {
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
    LogAgentFacts {
        sink,
        instances: instances.collect(),
        left_out: left_out as u64,
        apps: window.facts(&now.apps).take(MOST).collect(),
        window_seconds: window.seconds(),
        losses: now.losses.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overview::Instance;
    use crate::ship::{Status, sink};
    use crate::volume::InstanceKey;
    use common::api_types::{LogLossFact, Lost};
    use common::ids::{AppId, InstanceId};
    use common::moment::Moment;

    fn key(app: &str, id: &str) -> InstanceKey {
        InstanceKey { app: AppId::new(app), id: InstanceId::new(id) }
    }

    fn report(now: &Overview) -> Report {
        Report {
            version: String::new(),
            address: String::new(),
            tls: false,
            dc: String::new(),
            state: AgentState::Running,
            note: note(now),
            facts: serde_json::to_value(facts(now, &Window::new(Instant::now()))).unwrap(),
        }
    }

    #[test]
    fn numbers_alone_are_no_news_but_a_file_is() {
        let mut now = Overview::default();
        now.instances
            .insert(key("shop", "a"), Instance { files: 1, bytes: 5, ..Instance::default() });
        let first = report(&now);
        let change = |now: &mut Overview, change: fn(&mut Instance)| {
            change(now.instances.get_mut(&key("shop", "a")).unwrap());
            report(now)
        };
        let grown = change(&mut now, |instance| (instance.bytes, instance.lag_bytes) = (9, 4));
        assert!(first != grown && bare(&first) == bare(&grown));
        let another = change(&mut now, |instance| instance.files = 2);
        assert_ne!(bare(&grown), bare(&another));
        let ended = change(&mut now, |instance| instance.ended_at = Some(Moment::from_unix_ms(1)));
        assert_ne!(bare(&another), bare(&ended));
    }

    #[test]
    fn a_loss_is_news_and_that_it_grew_is_a_number() {
        let none = report(&Overview::default());
        let losing = |reasons: &[(&str, u64)]| {
            let lost = |gaps| Lost { gaps, bytes: gaps };
            let reasons = reasons.iter().map(|(reason, n)| ((*reason).to_owned(), lost(*n)));
            let fact = LogLossFact {
                app: AppId::new("shop"),
                instance: InstanceId::new("a"),
                since: Moment::from_unix_ms(1),
                at: Moment::from_unix_ms(reasons.len() as u64),
                file: "app.log".into(),
                reasons: reasons.collect(),
            };
            report(&Overview { losses: vec![fact], ..Overview::default() })
        };
        let (first, more) = (losing(&[("quota", 1)]), losing(&[("quota", 2)]));
        assert_ne!(bare(&none), bare(&first));
        assert!(first != more && bare(&first) == bare(&more));
        assert_ne!(bare(&more), bare(&losing(&[("quota", 2), ("closed", 1)])));
    }

    #[test]
    fn those_that_run_are_told_first_and_in_order() {
        let mut now = Overview::default();
        for n in 0..MOST {
            let ended_at = Some(Moment::from_unix_ms(1));
            let instance = Instance { ended_at, ..Instance::default() };
            now.instances.insert(key("a", &format!("{n:05}")), instance);
        }
        now.instances.insert(key("z", "runs"), Instance::default());
        let facts = facts(&now, &Window::new(Instant::now()));
        assert_eq!((facts.instances.len(), facts.left_out), (MOST, 1));
        assert_eq!(facts.instances.last().unwrap().app.as_str(), "z");
    }

    #[test]
    fn what_is_missing_is_said_in_words_that_stay() {
        assert_eq!(note(&Overview::default()), "");
        let sink = sink::Status {
            peer: "f1:4141".into(),
            last_failure: Some("f1:4141: refused".into()),
            ..sink::Status::default()
        };
        let shipping = Status { sink, failures: 3, ..Status::default() };
        let now = Overview {
            engine: Some(Engine::Hung),
            graphite_away: true,
            shipping: Some(shipping),
            ..Overview::default()
        };
        let said = note(&now);
        assert!(said.contains("Docker hangs") && said.contains("f1:4141 takes no lines"), "{said}");
        let sink = facts(&now, &Window::new(Instant::now())).sink.unwrap();
        assert_eq!((sink.kind.as_str(), sink.failure.as_str()), ("flume", "f1:4141: refused"));
        assert!(!said.contains("refused"), "{said}");
    }
}
