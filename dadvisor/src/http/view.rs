//! The JSON of the answers; `dadvisor top` reads the same shapes back. Pure.

use crate::board::Entry;
use common::container::{Container, Health, LogVolume, Port, Source, State};
use common::metric::Value;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, UNIX_EPOCH};

/// Metrics by name.
pub type Metrics = BTreeMap<String, Number>;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The page.
    pub items: Vec<T>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A container. Times are RFC 3339 with milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerView {
    /// The engine's id.
    pub id: String,
    /// The engine's name for it.
    pub name: String,
    /// Where it was found.
    pub source: Source,
    /// Its app.
    pub app: String,
    /// Its instance.
    pub instance: String,
    /// Data centre.
    pub dc: String,
    /// Node.
    pub node: String,
    /// What it is doing.
    pub state: State,
    /// Its health check's verdict.
    pub health: Health,
    /// Start of the current run.
    pub started_at: Option<String>,
    /// Restarts by the engine's restart policy.
    pub restarts: u64,
    /// Image as asked for.
    pub image: String,
    /// Image id.
    pub image_id: String,
    /// Whose network its figures are: `own`, `host`, `shared with <id>`, `unknown`.
    pub network: String,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Log volumes.
    pub log_volumes: Vec<LogVolume>,
    /// Cgroup below the hierarchy's root.
    pub cgroup: String,
    /// First process on the host.
    pub pid: Option<u32>,
    /// Tick of the figures; null before the first.
    pub timestamp: Option<String>,
    /// Figures of that tick.
    pub metrics: Metrics,
}

/// The points of one metric: Unix seconds and value, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecentView {
    /// The engine's id.
    pub id: String,
    /// Its instance.
    pub instance: String,
    /// The metric.
    pub metric: String,
    /// Its points; a tick without the metric has none.
    pub points: Vec<(u64, f64)>,
}

/// The node, and the daemon's view of its neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Data centre.
    pub dc: String,
    /// The daemon's version.
    pub version: String,
    /// The daemon's start.
    pub started_at: String,
    /// From tick to tick.
    pub interval_seconds: u64,
    /// Tick of the figures; null before the first.
    pub timestamp: Option<String>,
    /// The last pass.
    pub pass: PassView,
    /// Carbon's status.
    pub carbon: serde_json::Value,
    /// The Docker engine.
    pub docker: DockerView,
    /// Figures of the node.
    pub metrics: Metrics,
}

/// The last pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PassView {
    /// Passes taken.
    pub passes: u64,
    /// Wall time of the last.
    pub seconds: f64,
    /// Containers read in it.
    pub containers: u64,
    /// Points made in it.
    pub points: u64,
}

/// The Docker engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DockerView {
    /// `off`, `unknown`, `up`, `gone`, `hung`.
    pub state: String,
    /// While up.
    pub version: Option<String>,
    /// While gone.
    pub cause: Option<String>,
}

impl ContainerView {
    /// Prints an entry; `only` are the metrics wanted, None for all.
    pub fn of(entry: &Entry, dc: &str, node: &str, only: Option<&HashSet<&str>>) -> Self {
        let c: &Container = &entry.container;
        let mut metrics = Metrics::new();
        entry.each(&mut |name, value| {
            let name = name.to_string();
            if only.is_none_or(|only| only.contains(name.as_str())) {
                metrics.extend(number(value).map(|n| (name, n)));
            }
        });
        Self {
            id: c.id.clone(),
            name: c.name.clone(),
            source: c.source,
            app: c.app.to_string(),
            instance: c.instance.to_string(),
            dc: dc.to_owned(),
            node: node.to_owned(),
            state: c.state,
            health: c.health,
            started_at: c.started_at_ms.map(time),
            restarts: c.restarts,
            image: c.image.clone(),
            image_id: c.image_id.clone(),
            network: entry.network.clone(),
            ports: c.ports.clone(),
            log_volumes: c.log_volumes.clone(),
            cgroup: entry.cgroup.clone(),
            pid: c.pid,
            timestamp: tick(entry.timestamp),
            metrics,
        }
    }
}

/// A figure as a JSON number; None if it is not finite.
pub fn number(value: Value) -> Option<Number> {
    match value {
        Value::Int(n) => Some(n.into()),
        other => Number::from_f64(other.as_f64()),
    }
}

/// Unix milliseconds as RFC 3339. Times beyond the year 9999 do not exist here and become the epoch.
pub fn time(ms: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(if ms < 253_402_300_800_000 { ms } else { 0 });
    humantime::format_rfc3339_millis(at).to_string()
}

/// A pass's Unix seconds as RFC 3339; 0 is none.
pub fn tick(seconds: u64) -> Option<String> {
    (seconds > 0).then(|| time(seconds.saturating_mul(1000)))
}
