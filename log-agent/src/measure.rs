//! Metrics into Graphite, tick by tick: of each app on this node, and of the node.

use crate::config::Config;
use crate::overview::{App, Overview, Sources};
use common::carbon::Carbon;
use common::ids::{AppId, NodeName};
use common::metric::{Batch, Name, Namer, Value};
use common::tick::{Now, Ticker};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Makes them.
pub struct Measure {
    sources: Sources,
    carbon: Carbon,
    namer: Namer,
    node: NodeName,
    alone: bool,
    interval: Duration,
    /// What was shipped of each app at the tick before, and when that was.
    before: (Instant, HashMap<AppId, (u64, u64)>),
}

impl Measure {
    /// Ready to run.
    pub fn new(config: &Config, sources: Sources, carbon: Carbon, namer: Namer) -> Self {
        Self {
            sources,
            carbon,
            namer,
            node: config.node.name.clone(),
            alone: config.alone,
            interval: config.log_agent.interval,
            before: (Instant::now(), HashMap::new()),
        }
    }

    /// Until the stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let begun = Instant::now();
        let mut ticker = Ticker::new(self.interval);
        let mut batch = Batch::default();
        loop {
            let wait = ticker.wait(Now::read(begun));
            if !wait.is_zero() {
                // up to the next millisecond: a little late stands in its slot, a little early does not
                let wait = tokio::time::sleep(wait + Duration::from_millis(1));
                if stop.run_until_cancelled(wait).await.is_none() {
                    return;
                }
                continue;
            }
            batch.restart(ticker.begin(Now::read(begun)).timestamp);
            let now = self.sources.overview();
            self.write(&now, &mut batch, Instant::now());
            let carbon = self.carbon.clone();
            // it waits for the disk
            let submitted = tokio::task::spawn_blocking(move || {
                carbon.submit(&batch);
                batch
            });
            let Ok(back) = submitted.await else {
                tracing::error!("the spool of metrics broke: a bug, see the log above");
                return;
            };
            batch = back;
        }
    }

    fn write(&mut self, now: &Overview, batch: &mut Batch, at: Instant) {
        let node = self.node.component();
        let elapsed = at.duration_since(self.before.0);
        let mut counted = HashMap::with_capacity(now.apps.len());
        for (id, app) in &now.apps {
            let series = self.namer.app(id);
            let before = self.before.1.get(id).map(|before| (*before, elapsed));
            each(app, before, |name, value| {
                batch.push(&series, Name("nodes.", &node, &format!(".{name}")), value);
                if self.alone {
                    batch.push(&series, Name::from(name), value);
                }
            });
            if let Some(shipped) = &app.shipped {
                counted.insert(id.clone(), (shipped.bytes, shipped.lines));
            }
        }
        self.before = (at, counted);
        let series = self.namer.node(&self.node);
        whole(now, |name, value| batch.push(&series, Name::from(name), value));
        let carbon = self.carbon.status();
        let dropped =
            carbon.dropped_at_cap_points + carbon.dropped_disk_points + carbon.damaged_points;
        let mut own = |name: &str, value| batch.push(&series, Name::from(name), Value::Int(value));
        own("log_agent.spool_points", carbon.waiting_points);
        own("log_agent.points_dropped_total", dropped);
    }
}

/// Bytes and lines shipped at the tick before, and the time since then.
type Before = ((u64, u64), Duration);

/// One app's metrics.
fn each(app: &App, before: Option<Before>, mut emit: impl FnMut(&str, Value)) {
    let (gaps, bytes) = app.all_gaps();
    emit("log.files", Value::Int(app.files));
    emit("log.viewers", Value::Int(app.viewers));
    emit("log.gaps_total", Value::Int(gaps));
    emit("log.gap_bytes_total", Value::Int(bytes));
    let Some(shipped) = &app.shipped else { return };
    emit("log.bytes_total", Value::Int(shipped.bytes));
    emit("log.lines_total", Value::Int(shipped.lines));
    if let Some(((bytes, lines), elapsed)) = before {
        emit("log.bytes_per_second", rate(shipped.bytes, bytes, elapsed));
        emit("log.lines_per_second", rate(shipped.lines, lines, elapsed));
    }
    emit("log.lag_bytes", Value::Int(shipped.lag_bytes));
    emit("log.lag_seconds", seconds(shipped.oldest.unwrap_or_default()));
    emit("log.skipped_bytes_total", Value::Int(shipped.skipped_bytes));
    emit("log.duplicates_possible_total", Value::Int(shipped.duplicates_possible));
    emit("log.quarantined_total", Value::Int(shipped.quarantined));
}

/// The node's metrics.
fn whole(now: &Overview, mut emit: impl FnMut(&str, Value)) {
    emit("log.volumes", Value::Int(now.volumes));
    emit("log.files", Value::Int(now.files()));
    emit("log.viewers", Value::Int(now.live.viewers as u64));
    emit("log.viewer_bytes_total", Value::Int(now.live.bytes));
    emit("log.freed_bytes_total", Value::Int(now.retention.bytes_freed));
    let Some(shipping) = &now.shipping else { return };
    let (bytes, oldest) = now.lag();
    emit("log.lag_bytes", Value::Int(bytes));
    emit("log.lag_seconds", seconds(oldest));
    let sink = &shipping.sink;
    emit("log.sink.up", Value::Int(sink.works.into()));
    emit("log.sink.batches_total", Value::Int(sink.batches));
    emit("log.sink.failovers_total", Value::Int(sink.failovers));
    let failures = sink.failures;
    for (kind, count) in [
        ("full", failures.full),
        ("lost", failures.lost),
        ("refused", failures.refused),
        ("fault", failures.fault),
    ] {
        emit(&format!("log.sink.{kind}_total"), Value::Int(count));
    }
}

/// A counter that fell began anew: it gives no rate, which is said by a value that is not finite.
fn rate(now: u64, before: u64, elapsed: Duration) -> Value {
    let more = now.checked_sub(before).map(Value::Int).map_or(f64::NAN, Value::as_f64);
    Value::Float(more / elapsed.as_secs_f64())
}

fn seconds(duration: Duration) -> Value {
    Value::Milli(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ship::{AppStatus, Status};
    use std::collections::BTreeSet;

    fn documented(heading: &str) -> BTreeSet<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, part) = text.split_once(heading).unwrap();
        let part = part.split("\nOf the node").next().unwrap().to_owned();
        let rows = part.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        rows.map(str::to_owned).collect()
    }

    #[test]
    fn every_metric_is_in_its_table_and_no_other() {
        let app = App { shipped: Some(AppStatus::default()), ..App::default() };
        let mut names = BTreeSet::new();
        each(&app, Some(((0, 0), Duration::from_secs(1))), |name, _| {
            names.insert(name.to_owned());
        });
        assert_eq!(names, documented("\n## Logs\n"));
        let mut names = BTreeSet::from(
            ["log_agent.spool_points", "log_agent.points_dropped_total"].map(str::to_owned),
        );
        let now = Overview { shipping: Some(Status::default()), ..Overview::default() };
        whole(&now, |name, _| {
            names.insert(name.to_owned());
        });
        assert_eq!(names, documented("\nOf the node, below"));
    }

    #[test]
    fn a_counter_that_fell_gives_no_rate() {
        assert_eq!(rate(30, 10, Duration::from_secs(10)), Value::Float(2.0));
        assert!(!rate(5, 10, Duration::from_secs(10)).as_f64().is_finite());
    }
}
