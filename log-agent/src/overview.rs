//! How everything is, at one moment: what `/metrics`, Graphite, the report and `systemctl status` are made from.

use crate::files::{Files, VolumeFigures};
use common::carbon::Carbon;
use common::ids::AppId;
use std::collections::BTreeMap;

/// Whom it is asked of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The files.
    pub files: Files,
    /// Takes metrics.
    pub carbon: Carbon,
}

/// The answer.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// By app.
    pub apps: BTreeMap<AppId, App>,
    /// Volumes that are followed.
    pub volumes: u64,
    /// Of these, which cannot be read.
    pub faulty: u64,
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

impl Sources {
    /// How it is now.
    pub fn overview(&self) -> Overview {
        let mut out = Overview::default();
        for figures in self.files.figures() {
            out.volumes += 1;
            out.faulty += u64::from(figures.fault.is_some());
            out.apps.entry(figures.volume.instance.app.clone()).or_default().add(&figures);
        }
        out
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
