//! Metrics into Graphite, tick by tick: of each app on this node, and of the node.

use crate::config::Config;
use crate::overview::{App, Overview, Sources};
use common::carbon::Carbon;
use common::ids::NodeName;
use common::metric::{Batch, Name, Namer, Value};
use common::tick::{Now, Ticker};
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
        }
    }

    /// Until the stop.
    pub async fn run(self, stop: CancellationToken) {
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
            self.write(&self.sources.overview(), &mut batch);
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

    fn write(&self, now: &Overview, batch: &mut Batch) {
        let node = self.node.component();
        for (id, app) in &now.apps {
            let series = self.namer.app(id);
            each(app, |name, value| {
                batch.push(&series, Name("nodes.", &node, &format!(".{name}")), value);
                if self.alone {
                    batch.push(&series, Name::from(name), value);
                }
            });
        }
        let series = self.namer.node(&self.node);
        batch.push(&series, Name::from("log.volumes"), Value::Int(now.volumes));
        let files = now.apps.values().map(|app| app.files).sum();
        batch.push(&series, Name::from("log.files"), Value::Int(files));
    }
}

/// One app's metrics.
fn each(app: &App, mut emit: impl FnMut(&str, Value)) {
    let (gaps, bytes) = app.all_gaps();
    emit("log.files", Value::Int(app.files));
    emit("log.gaps_total", Value::Int(gaps));
    emit("log.gap_bytes_total", Value::Int(bytes));
}
