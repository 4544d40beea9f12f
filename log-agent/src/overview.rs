//! How everything is, at one moment: what `/metrics`, Graphite, the report and `systemctl status` are made from.

use crate::files::{Files, VolumeFigures};
use crate::live::{self, Live};
use crate::losses::Keeper;
use crate::retention::{self, Retention};
use crate::ship::{AppStatus, Shipper, Status};
use crate::volume::InstanceKey;
use crate::volumes;
use common::api_types::LogLossFact;
use common::carbon::Carbon;
use common::docker::{self, Engine};
use common::ids::AppId;
use common::moment::Moment;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::interval;

/// Whom it is asked of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Whose they are.
    pub finding: Finding,
    /// The files.
    pub files: Files,
    /// Ships them; None without a sink.
    pub shipper: Option<Arc<Shipper>>,
    /// Removes old ones.
    pub retention: Arc<Retention>,
    /// Shows them.
    pub live: Live,
    /// Takes metrics.
    pub carbon: Carbon,
    /// Keeps what was lost.
    pub losses: Arc<Keeper>,
}

/// How finding volumes goes.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What it does, and what it refuses.
    pub figures: watch::Receiver<Arc<volumes::Figures>>,
    /// The engine as its follower sees it; None if none is configured.
    pub engine: Option<watch::Receiver<Arc<docker::Inventory>>>,
    /// What following the engine counts.
    pub docker: Arc<docker::Stats>,
}

impl Finding {
    /// The engine; None if none is configured.
    pub fn engine(&self) -> Option<Engine> {
        self.engine.as_ref().map(|seen| seen.borrow().engine.clone())
    }
}

/// The answer.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// By app.
    pub apps: BTreeMap<AppId, App>,
    /// By instance, ended ones too.
    pub instances: BTreeMap<InstanceKey, Instance>,
    /// Volumes that are followed.
    pub volumes: u64,
    /// Of these, which cannot be read.
    pub faulty: u64,
    /// The engine; None if none is configured.
    pub engine: Option<Engine>,
    /// How shipping goes, what is told by app apart; None without a sink.
    pub shipping: Option<Status>,
    /// What viewers take.
    pub live: live::Figures,
    /// What retention did.
    pub retention: retention::Figures,
    /// Metrics wait on disk.
    pub graphite_away: bool,
    /// What was lost to shipping lately, by app and instance.
    pub losses: Vec<LogLossFact>,
}

/// One app on this node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct App {
    /// Files followed.
    pub files: u64,
    /// Deleted files that are still open.
    pub deleted: u64,
    /// What is there and not read, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Gaps since the start and their bytes, by reason.
    pub gaps: BTreeMap<&'static str, (u64, u64)>,
    /// What was shipped of it; None without a sink.
    pub shipped: Option<AppStatus>,
    /// Viewers of its instances now.
    pub viewers: u64,
}

/// One instance on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// When it ended; None while it runs.
    pub ended_at: Option<Moment>,
    /// Files followed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, not acknowledged yet; 0 if nothing is shipped.
    pub lag_bytes: u64,
}

impl Sources {
    /// How it is now. Looks at every volume, and of the files only at those that have something to ship.
    pub fn overview(&self) -> Overview {
        let carbon = self.carbon.status();
        let mut out = Overview {
            engine: self.finding.engine(),
            shipping: self.shipper.as_ref().map(|shipper| shipper.status()),
            live: self.live.figures(),
            retention: self.retention.figures(),
            graphite_away: carbon.sending.failing_since_ms.is_some(),
            losses: self.losses.told(),
            ..Overview::default()
        };
        for figures in self.files.figures() {
            out.add_volume(&figures);
        }
        for (app, status) in out.shipping.iter_mut().flat_map(|all| std::mem::take(&mut all.apps)) {
            out.apps.entry(app).or_default().shipped = Some(status);
        }
        for (id, count) in self.live.viewers() {
            let app = out.instances.keys().find(|key| key.id == id).map(|key| &key.app);
            if let Some(app) = app.and_then(|app| out.apps.get_mut(app)) {
                app.viewers += count as u64;
            }
        }
        out
    }

    /// Until a part ends by itself, which none ever should; says which.
    pub async fn death(&self) -> &'static str {
        let mut turns = interval(LOOK);
        loop {
            turns.tick().await;
            if self.files.died() {
                return "the thread that follows files";
            }
            if self.shipper.as_ref().is_some_and(|shipper| !shipper.running()) {
                return "a thread that ships";
            }
            if self.retention.died() {
                return "the thread that removes old files";
            }
        }
    }

    /// Ends the threads: shipping first, which still needs the files, within `shipped_by`.
    pub async fn end(self, shipped_by: Duration) {
        let ending = tokio::task::spawn_blocking(move || {
            let until = std::time::Instant::now() + shipped_by;
            if self.shipper.as_ref().is_some_and(|shipper| !shipper.stop(until)) {
                tracing::warn!(
                    "the sink did not answer in time: the batch under way may be shipped twice"
                );
            }
            self.retention.stop();
            self.files.stop();
            self.losses.save();
        });
        if ending.await.is_err() {
            tracing::error!("ending the threads broke: a bug");
        }
    }
}

/// How often it is looked whether a thread ended.
const LOOK: Duration = Duration::from_secs(5);

impl Overview {
    /// Files followed.
    pub fn files(&self) -> u64 {
        self.apps.values().map(|app| app.files).sum()
    }

    /// Bytes that are not acknowledged, and how long the oldest of them has waited.
    pub fn lag(&self) -> (u64, Duration) {
        let shipped = || self.apps.values().filter_map(|app| app.shipped.as_ref());
        let oldest = shipped().filter_map(|app| app.oldest).max().unwrap_or_default();
        (shipped().map(|app| app.lag_bytes).sum(), oldest)
    }

    fn add_volume(&mut self, figures: &VolumeFigures) {
        let volume = &figures.volume;
        self.volumes += 1;
        self.faulty += u64::from(figures.fault.is_some());
        self.apps.entry(volume.instance.app.clone()).or_default().add(figures);
        let instance = self.instances.entry(volume.instance.clone()).or_default();
        instance.ended_at = volume.ended_at;
        instance.files += figures.tally.files();
        instance.bytes += figures.tally.bytes();
        instance.lag_bytes += figures.tally.lag();
    }
}

impl App {
    fn add(&mut self, figures: &VolumeFigures) {
        self.files += figures.files as u64;
        self.deleted += figures.deleted as u64;
        for (reason, count) in &figures.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        for (reason, (count, bytes)) in &figures.gaps {
            let gaps = self.gaps.entry(reason).or_default();
            gaps.0 += count;
            gaps.1 = gaps.1.saturating_add(*bytes);
        }
    }

    /// Gaps of all reasons, and their bytes.
    pub fn all_gaps(&self) -> (u64, u64) {
        if let Some(shipped) = &self.shipped {
            // of volumes that are gone, too
            return shipped.gaps;
        }
        let sum = |(count, bytes): (u64, u64), more: &(u64, u64)| {
            (count + more.0, bytes.saturating_add(more.1))
        };
        self.gaps.values().fold((0, 0), sum)
    }
}
