//! How everything is, at one moment: what `/metrics`, Graphite, the report and `systemctl status` are made from.

use crate::files::{Files, VolumeFigures};
use crate::source::Source;
use crate::volume::InstanceKey;
use crate::volumes;
use common::carbon::Carbon;
use common::docker::{self, Engine};
use common::ids::AppId;
use common::moment::Moment;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Whom it is asked of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Whose they are.
    pub finding: Finding,
    /// The files.
    pub files: Files,
    /// Takes metrics.
    pub carbon: Carbon,
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
    /// Metrics wait on disk.
    pub graphite_away: bool,
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
    /// How it is now. Looks at every file: for ticks and for who asks, not for every second.
    pub fn overview(&self) -> Overview {
        let carbon = self.carbon.status();
        let mut out = Overview {
            engine: self.finding.engine(),
            graphite_away: carbon.sending.failing_since_ms.is_some(),
            ..Overview::default()
        };
        for figures in self.files.figures() {
            out.add_volume(&figures);
        }
        let ships = self.files.ships();
        for source in self.files.all() {
            out.add_file(&source, ships);
        }
        out
    }
}

impl Overview {
    fn add_volume(&mut self, figures: &VolumeFigures) {
        let volume = &figures.volume;
        self.volumes += 1;
        self.faulty += u64::from(figures.fault.is_some());
        self.apps.entry(volume.instance.app.clone()).or_default().add(figures);
        let instance = self.instances.entry(volume.instance.clone()).or_default();
        instance.ended_at = volume.ended_at;
    }

    fn add_file(&mut self, source: &Source, ships: bool) {
        // found since the figures were made: counted the next time
        let Some(instance) = self.instances.get_mut(&source.volume().instance) else { return };
        let len = source.len();
        instance.files += 1;
        instance.bytes += len;
        if ships {
            instance.lag_bytes += len.saturating_sub(source.acknowledged_to().mark.offset);
        }
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
        let sum = |(count, bytes): (u64, u64), more: &(u64, u64)| {
            (count + more.0, bytes.saturating_add(more.1))
        };
        self.gaps.values().fold((0, 0), sum)
    }
}
