//! One container of an app (contracts.md section 3), an entity of the bus.

use crate::container::{Health, LogVolume};
use crate::ids::{AppId, InstanceId, NodeName};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Accepted by the scheduler, not started on a node.
    Staging,
    /// Being started, or between two runs.
    Starting,
    /// Running.
    Running,
    /// Told to stop.
    Stopping,
    /// Its node cannot be reached; it may still run.
    Unreachable,
    /// Over.
    Ended,
}

/// How an instance ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Exit {
    /// Exit code of its process, where it is known.
    #[serde(default)]
    pub code: Option<i64>,
    /// In the scheduler's or engine's words: `TASK_FAILED`, `killed`...
    #[serde(default)]
    pub reason: Option<String>,
    /// The kernel killed it for memory.
    #[serde(default)]
    pub oom: bool,
}

/// Where an instance can be reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Backend {
    /// Host name or IP address.
    pub address: String,
    /// Port at that address.
    pub port: u16,
    /// Port inside the container, where it is another one.
    #[serde(default)]
    pub container_port: Option<u16>,
    /// The scheduler's name for the port.
    #[serde(default)]
    pub name: Option<String>,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instance {
    /// Unique in the whole centre: `cluster/<task id>`, or `cluster/<node>/<container's short id>` without a scheduler. The `id` alone
    /// is unique as long as nobody gives two containers the same label `qae.instance`.
    pub key: String,
    /// The Mesos task id, else label `qae.instance`, else the container's short id.
    pub id: InstanceId,
    /// Its app.
    pub app: AppId,
    /// Data centre.
    pub dc: String,
    /// Cluster in it.
    pub cluster: String,
    /// Where it runs; null until it is placed.
    #[serde(default)]
    pub node: Option<NodeName>,
    /// The container's id: Docker's 64 hex digits, or the Mesos container id; null until its node tells.
    #[serde(default)]
    pub container: Option<String>,
    /// What it is doing.
    pub state: InstanceState,
    /// Verdict of its checks; without a check, or before the first result, `unknown`.
    #[serde(default)]
    pub health: Health,
    /// Start of its current run.
    #[serde(default)]
    pub started_at: Option<Moment>,
    /// Its end.
    #[serde(default)]
    pub ended_at: Option<Moment>,
    /// How it ended, or how its previous run did.
    #[serde(default)]
    pub exit: Option<Exit>,
    /// Image name as it was asked for.
    #[serde(default)]
    pub image: Option<String>,
    /// Image id, `sha256:...`.
    #[serde(default)]
    pub digest: Option<String>,
    /// Where it can be reached, sorted.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// Restarts under the same id.
    #[serde(default)]
    pub restarts: u64,
    /// Its log volumes.
    #[serde(default)]
    pub log_volumes: Vec<LogVolume>,
    /// The scheduler's version of the app it was made from.
    #[serde(default)]
    pub version: Option<String>,
}

impl Instance {
    /// One of which no more is known than who, whose and where it is, and what it is doing.
    pub fn new(
        key: String,
        id: InstanceId,
        app: AppId,
        (dc, cluster): (&str, &str),
        state: InstanceState,
    ) -> Self {
        Self {
            key,
            id,
            app,
            dc: dc.to_owned(),
            cluster: cluster.to_owned(),
            node: None,
            container: None,
            state,
            health: Health::Unknown,
            started_at: None,
            ended_at: None,
            exit: None,
            image: None,
            digest: None,
            backends: Vec::new(),
            restarts: 0,
            log_volumes: Vec::new(),
            version: None,
        }
    }
}
