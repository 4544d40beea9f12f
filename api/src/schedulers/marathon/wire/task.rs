//! A task: in a list, or beneath its app.

use super::tolerant;
use serde::Deserialize;

/// A task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The Mesos task id.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub id: String,
    /// `/shop/web`.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub app_id: Option<String>,
    /// Name of the Mesos agent's host; empty until it is placed.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub host: Option<String>,
    /// Host ports.
    #[serde(default, deserialize_with = "tolerant::leaves")]
    pub ports: Vec<Option<u16>>,
    /// The container's own addresses, or the agent's.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub ip_addresses: Vec<Address>,
    /// None until it runs.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub started_at: Option<String>,
    /// When Marathon made it.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub staged_at: Option<String>,
    /// Of the app it was made from.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub version: Option<String>,
    /// `TASK_RUNNING`...; from 1.1.2 on.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub state: Option<String>,
    /// One per check that has a result.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub health_check_results: Vec<CheckResult>,
}

/// An address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// IPv4 or IPv6.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub ip_address: Option<String>,
}

/// The latest of one check.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    /// Whether it passes.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub alive: Option<bool>,
    /// The instance it is about, from 1.4 on: the one place where a task's instance is told.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub instance_id: Option<String>,
}
