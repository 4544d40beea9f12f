//! What is counted per app, into Graphite: `<prefix>.<dc>.app.<app>.all.instances.{running,healthy,unhealthy,staging,wanted}`,
//! `...all.oom_kills_total` and `...all.log.{bytes_per_second,lines_per_second,lag_bytes}`, every 10 s, on the marks of the wall clock. An app
//! without instances is 0, not absent; `wanted` is absent where nobody says, and `log` where no node ships.
//!
//! One process of several writes, by lease. What Graphite does not take waits in a spool of this daemon's own, with its timestamps.

pub mod count;
mod kills;
#[cfg(test)]
mod tests;

use crate::centre::{self, Centre, Lease};
use crate::nodes::{Nodes, Shipped, rows};
use crate::world::World;
use common::api_types::AppSpec;
use common::carbon::{self, Carbon};
use common::config::Graphite;
use common::ids::AppId;
use common::logging::Episode;
use common::metric::{Batch, Name, Namer, Series, Value};
use kills::Kills;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Between two marks.
const EVERY: u64 = 10;
/// Events read at once while counting kills.
const PAGE: u32 = 1_000;
/// Key in `meta`.
const KILLS: &str = "figures.oom_kills";

/// Counted since the start, for `/metrics`.
#[derive(Debug, Default)]
pub struct Counts {
    /// Points handed to the spool.
    pub points: AtomicU64,
    /// Points refused because a name is too long.
    pub refused: AtomicU64,
    /// Marks that passed without figures, since the process was late.
    pub missed: AtomicU64,
}

/// The writer of figures. Clones are the same one.
#[derive(Clone)]
pub struct Figures {
    centre: Centre,
    nodes: Nodes,
    lease: Lease,
    carbon: Carbon,
    namers: Namers,
    counts: Arc<Counts>,
}

impl Figures {
    /// Opens the spool in `state`. None where no Graphite is configured.
    pub fn open(
        centre: Centre,
        nodes: Nodes,
        graphite: &Graphite,
        state: &Path,
    ) -> Result<Option<Self>, carbon::Error> {
        if graphite.carbon.is_empty() {
            return Ok(None);
        }
        let settings = graphite.carbon(state, Duration::from_secs(1));
        Ok(Some(Self {
            lease: centre.lease("figures"),
            centre,
            nodes,
            carbon: Carbon::open(settings)?,
            namers: Namers::new(graphite),
            counts: Arc::default(),
        }))
    }

    /// Writes figures until the stop, then sends what waits, as far as Graphite takes it at once.
    pub async fn run(self, stop: CancellationToken) {
        let sending = tokio::spawn({
            let (carbon, stop) = (self.carbon.clone(), stop.clone());
            async move { carbon.run(stop).await }
        });
        let mut kept = Kept::new();
        let mut last = 0;
        loop {
            let (mark, wait) = next_mark(SystemTime::now());
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
            if last > 0 && mark > last + EVERY {
                let missed = (mark - last) / EVERY - 1;
                self.counts.missed.fetch_add(missed, Ordering::Relaxed);
            }
            // a clock that went back writes the same mark again, and the newer figure counts
            last = mark;
            if self.lease.held() {
                self.write(&mut kept, mark).await;
            } else {
                // whoever writes now counts on; what it saved is read when it is this one's turn again
                kept.loaded = None;
            }
        }
        if sending.await.is_err() {
            tracing::error!("the sender of figures ended by itself: a bug, see the log above");
        }
    }

    /// The figures of one mark.
    async fn write(&self, kept: &mut Kept, mark: u64) {
        match self.count_kills(kept).await {
            Ok(()) => kept.counting.recovered(),
            // figures go on; the kills are counted when the store answers again
            Err(error) => kept.counting.failed(&error),
        }
        let apps = self.centre.read(counted);
        let shipped = self.nodes.shipped();
        let mut batch = Batch::default();
        batch.restart(mark);
        print(&mut batch, &self.namers, &apps, kept.loaded.as_ref(), &shipped);
        self.counts.points.fetch_add(batch.points.into(), Ordering::Relaxed);
        self.counts.refused.fetch_add(batch.refused.into(), Ordering::Relaxed);
        let carbon = self.carbon.clone();
        // it waits for the disk
        if tokio::task::spawn_blocking(move || carbon.submit(&batch)).await.is_err() {
            tracing::error!("the spool of figures ended by itself: a bug, see the log above");
        }
    }

    /// Takes in the kills since the last time, and saves the totals if there were any.
    async fn count_kills(&self, kept: &mut Kept) -> Result<(), centre::Error> {
        let store = self.centre.store();
        let kills = match &mut kept.loaded {
            Some(kills) => kills,
            None => {
                let saved = rows::meta(store, KILLS).await?;
                let read = saved.and_then(|text| serde_json::from_str(&text).ok());
                kept.loaded.insert(read.unwrap_or_default())
            }
        };
        let mut news = false;
        while kills.seq < self.centre.head().seq {
            let events = match self.centre.events_after(kills.seq, PAGE).await {
                Err(centre::Error::TooOld { oldest }) => {
                    tracing::warn!(
                        from = kills.seq,
                        to = oldest,
                        "OOM kills of events that are not kept any more are not counted"
                    );
                    kills.seq = oldest.saturating_sub(1).max(kills.seq + 1);
                    continue;
                }
                other => other?,
            };
            if events.is_empty() {
                break;
            }
            for event in &events {
                news |= kills.take(event);
            }
        }
        if news || kept.saved.elapsed() >= SAVE_PLACE {
            let deleted = |app: &_| self.centre.read(|world| world.app(app).is_some());
            kills.keep(deleted);
            let text = serde_json::to_string(kills).unwrap_or_default();
            rows::set_meta(store, KILLS, text).await?;
            kept.saved = std::time::Instant::now();
        }
        Ok(())
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How sending goes.
    pub fn status(&self) -> carbon::Status {
        self.carbon.status()
    }
}

/// How often the place in the events is saved though nobody was killed: so that it does not fall out of what is kept.
const SAVE_PLACE: Duration = Duration::from_secs(600);

/// What is kept between two marks.
struct Kept {
    /// None while it is not read from the store.
    loaded: Option<Kills>,
    saved: std::time::Instant,
    counting: Episode,
}

impl Kept {
    fn new() -> Self {
        Self {
            loaded: None,
            saved: std::time::Instant::now(),
            counting: Episode::new("counting OOM kills"),
        }
    }
}

/// Names of series, by data centre.
#[derive(Clone)]
struct Namers {
    prefix: String,
    style: common::metric::Style,
}

impl Namers {
    fn new(graphite: &Graphite) -> Self {
        Self { prefix: graphite.prefix.clone(), style: graphite.style }
    }

    fn app(&self, dc: &str, app: &AppId) -> Series {
        Namer::new(&self.prefix, dc, self.style).app(app)
    }
}

/// Every app with its counts, the app shared.
fn counted(world: &World) -> Vec<(Arc<AppSpec>, Vec<common::api_types::AppDc>)> {
    world.apps().map(|app| (Arc::clone(app), count::app(world, app))).collect()
}

/// One mark's points.
fn print(
    batch: &mut Batch,
    namers: &Namers,
    apps: &[(Arc<AppSpec>, Vec<common::api_types::AppDc>)],
    kills: Option<&Kills>,
    shipped: &BTreeMap<String, BTreeMap<AppId, Shipped>>,
) {
    let mut totals: HashMap<(&str, &str), u64> = HashMap::new();
    for (app, dc, total) in kills.into_iter().flat_map(Kills::all) {
        totals.insert((app.as_str(), dc), total);
    }
    for (app, lines) in apps {
        for (dc, sum) in count::by_dc(lines) {
            let series = namers.app(dc, &app.id);
            let figures = [
                ("instances.running", Some(sum.running)),
                ("instances.healthy", Some(sum.healthy)),
                ("instances.unhealthy", Some(sum.unhealthy)),
                ("instances.staging", Some(sum.staging)),
                ("instances.wanted", sum.wanted),
            ];
            for (name, figure) in figures {
                if let Some(figure) = figure {
                    batch.push(&series, Name::from(name), Value::Int(figure.into()));
                }
            }
            // a total that could not be read is unknown, not 0
            if kills.is_some() {
                let total = totals.get(&(app.id.as_str(), dc)).copied().unwrap_or(0);
                batch.push(&series, Name::from("oom_kills_total"), Value::Int(total));
            }
            if let Some(shipped) = shipped.get(dc).and_then(|apps| apps.get(&app.id)) {
                batch.push(&series, Name::from("log.lag_bytes"), Value::Int(shipped.lag_bytes));
                if let Some((bytes, lines)) = shipped.rates {
                    batch.push(&series, Name::from("log.bytes_per_second"), Value::Milli(bytes));
                    batch.push(&series, Name::from("log.lines_per_second"), Value::Milli(lines));
                }
            }
        }
    }
}

/// The next multiple of 10 s, in Unix seconds, and how long until then.
fn next_mark(now: SystemTime) -> (u64, Duration) {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mark = (now.as_secs() / EVERY + 1) * EVERY;
    (mark, Duration::from_secs(mark).saturating_sub(now))
}
