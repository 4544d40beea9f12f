//! Figures of apps and instances for people and programs: one JSON, whether they come from Graphite or from the nodes themselves.
//!
//! Pure rooms: [`range`] reads what was asked, [`graphite`] and [`dadvisor`] make questions and read answers, [`target`] confines
//! Graphite targets to the apps a token may see. The asking is in [`crate::http`].

pub mod dadvisor;
pub mod graphite;
pub mod range;
pub mod target;

use common::ids::{AppId, InstanceId};
use serde::{Deserialize, Serialize};

/// Most metrics asked at once.
pub const METRICS: usize = 16;
/// Most series answered at once.
pub const SERIES: usize = 2_000;

/// Where figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Graphite's render API.
    Graphite,
    /// The last hour that each node's dadvisor holds in memory.
    Dadvisor,
}

/// One metric of one instance over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Series {
    /// The app.
    pub app: AppId,
    /// The instance.
    pub instance: InstanceId,
    /// The metric's name, `cpu.percent`.
    pub metric: String,
    /// `[Unix milliseconds, value]`, oldest first; null where nothing is known.
    #[schema(value_type = Vec<Vec<Object>>)]
    pub points: Vec<(u64, Option<f64>)>,
}

/// An instance without figures, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Missing {
    /// The instance.
    pub instance: InstanceId,
    /// In words.
    pub why: String,
}

/// What `GET /v1/metrics` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Figures {
    /// Who told.
    pub source: Origin,
    /// What there is; an instance that never had a metric has no series of it.
    pub series: Vec<Series>,
    /// Instances nothing is known of.
    pub missing: Vec<Missing>,
}

/// Whether this can be a metric's name: letters, digits, `_`, `-` and dots between them.
pub fn is_metric(name: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    name.len() <= 200 && name.split('.').all(part)
}
