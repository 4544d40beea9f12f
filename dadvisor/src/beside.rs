//! What the daemon's side jobs count (discovery, in-app scrapes, disk walks), gathered for `/metrics`.

use crate::discover::watch;
use crate::disk_usage::{self, DiskUsage};
use crate::inapp::{self, Scraper};
use common::figures::Count;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Where they count.
pub struct Beside {
    /// Looking for cgroups, asking the Mesos agent.
    pub watch: Arc<watch::Stats>,
    /// Asking what runs inside containers.
    pub scraper: Arc<Scraper>,
    /// Walking writable layers and log volumes, if asked for.
    pub disk: Option<Arc<DiskUsage>>,
}

impl Beside {
    /// Everything, now.
    pub fn counts(&self) -> Vec<Count> {
        let mut out = discovery(&self.watch);
        out.extend(scrapes(&self.scraper.stats()));
        out.extend(walks(&self.disk.as_ref().map(|disk| disk.stats()).unwrap_or_default()));
        out
    }
}

fn discovery(stats: &watch::Stats) -> Vec<Count> {
    vec![
        Count::one("cgroup_scans", stats.scan.scans.load(Relaxed)),
        Count::of("cgroup_scan_errors", "unreadable", stats.scan.errors.load(Relaxed)),
        Count::of("cgroup_scan_errors", "over_bound", stats.scan.over_bound.load(Relaxed)),
        Count::of("cgroup_scan_errors", "foreign_name", stats.scan.foreign_names.load(Relaxed)),
        Count::one("mesos_asked", stats.agent_asked.load(Relaxed)),
        Count::of("mesos_errors", "any", stats.agent_errors.load(Relaxed)),
        Count::of("mesos_errors", "recovering", stats.agent_recovering.load(Relaxed)),
        Count::of("mesos_errors", "partial", stats.agent_partial.load(Relaxed)),
    ]
}

fn scrapes(stats: &inapp::Stats) -> Vec<Count> {
    let dropped = &stats.dropped;
    let mut out = vec![
        Count::one("inapp_scrapes", stats.scrapes),
        Count::one("inapp_paused", stats.paused),
        Count::of("inapp_dropped", "non_finite", dropped.non_finite),
        Count::of("inapp_dropped", "over_cap", dropped.over_cap),
        Count::of("inapp_dropped", "too_long", dropped.too_long),
        Count::of("inapp_dropped", "duplicate", dropped.duplicate),
        Count::of("inapp_dropped", "bucket", dropped.buckets),
        Count::of("inapp_dropped", "malformed", dropped.malformed),
        Count::one("inapp_namespace_threads", stats.namespace_threads),
    ];
    out.extend(by_cause("inapp_errors", &inapp::Error::CAUSES, &stats.failures));
    out
}

fn walks(stats: &disk_usage::Stats) -> Vec<Count> {
    let mut out = vec![
        Count::one("disk_walks", stats.walks),
        Count::one("disk_walk_inodes", stats.inodes),
        Count::one("disk_walks_incomplete", stats.incomplete),
        Count::one("disk_walk_unreadable", stats.unreadable),
    ];
    out.extend(by_cause("disk_walk_errors", &disk_usage::Error::CAUSES, &stats.failures));
    out
}

/// Also the causes that have not come up yet: a rise from 0 can be alerted on, an appearance cannot.
fn by_cause(
    name: &'static str,
    causes: &[&'static str],
    counted: &BTreeMap<&'static str, u64>,
) -> Vec<Count> {
    causes
        .iter()
        .map(|cause| Count::of(name, cause, counted.get(cause).copied().unwrap_or(0)))
        .collect()
}
