//! What agents tell the API (contracts.md section 2): whole state each time, under a digest.
//!
//! `PUT /v1/nodes/{node}/agents/{agent}` every 10 s and at once on change. Header [`HEADER_DIGEST`] names the state; if the API has it
//! already, an empty body is enough; a digest it does not know is answered 409 `digest_unknown`, and the agent sends the whole. Header
//! [`HEADER_RUN`] names the process, so that two agents that claim one node are noticed.

use super::loss::LogLossFact;
use super::node::AgentState;
use crate::container::{Health, LogVolume, Port, State};
use crate::ids::{AppId, InstanceId};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Header with the digest of the report's JSON ([`super::digest::hash`]).
pub const HEADER_DIGEST: &str = "qae-digest";
/// Header with the agent's run: `<host>.<start in Unix ms>.<random>`, host being a hash of the machine id.
pub const HEADER_RUN: &str = "qae-run";

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// The agent's version.
    pub version: String,
    /// Where it listens, `host:port`.
    pub address: String,
    /// Whether it speaks TLS there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls: bool,
    /// The node's data centre.
    pub dc: String,
    /// How it is.
    #[serde(default)]
    pub state: AgentState,
    /// What it works without, in words.
    #[serde(default)]
    pub note: String,
    /// Its own facts, by agent: dadvisor's are [`DadvisorFacts`], log-agent's [`LogAgentFacts`].
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub facts: serde_json::Value,
}

/// What dadvisor knows: the inventory of the node's containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DadvisorFacts {
    /// The node itself.
    #[serde(default)]
    pub node: NodeFacts,
    /// False while the engine has not answered since this agent's start, or is gone: `containers` is then what was last known, and
    /// nothing may be taken as ended because it is not listed.
    pub complete: bool,
    /// Running, paused and restarting containers, by id.
    #[serde(default)]
    pub containers: Vec<ContainerFact>,
    /// The latest ends, oldest first: at most 200, none older than an hour.
    #[serde(default)]
    pub ended: Vec<EndedFact>,
}

/// The host, as far as it does not change from tick to tick.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeFacts {
    /// Processors.
    #[serde(default)]
    pub cpus: u32,
    /// Memory, bytes.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Kernel release.
    #[serde(default)]
    pub kernel: String,
    /// The Docker engine's version; empty without one.
    #[serde(default)]
    pub docker: String,
    /// An address of this host that others can use for published ports of `0.0.0.0`; empty if unknown.
    #[serde(default)]
    pub address: String,
}

/// A container of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContainerFact {
    /// Docker's 64 hex digits, or the Mesos container id.
    pub id: String,
    /// The engine's name for it.
    #[serde(default)]
    pub name: String,
    /// The app it belongs to.
    pub app: AppId,
    /// Which instance of it.
    pub instance: InstanceId,
    /// The Mesos task id, if it is a task, whatever labels call it.
    #[serde(default)]
    pub task: Option<String>,
    /// What it is doing.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "running"))]
    pub state: State,
    /// Its own health check's verdict.
    #[serde(default)]
    pub health: Health,
    /// Start of its current run.
    #[serde(default)]
    pub started_at: Option<Moment>,
    /// Image name as it was asked for.
    #[serde(default)]
    pub image: String,
    /// Image id.
    #[serde(default)]
    pub digest: String,
    /// Restarts by the engine's restart policy.
    #[serde(default)]
    pub restarts: u64,
    /// Published ports.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub ports: Vec<Port>,
    /// Log volumes.
    #[serde(default)]
    pub log_volumes: Vec<LogVolume>,
    /// Labels that begin with `qae.`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// OOM kills seen in it.
    #[serde(default)]
    pub oom_kills: u64,
}

/// The end of a container's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EndedFact {
    /// As it last was.
    pub container: ContainerFact,
    /// When.
    pub at: Moment,
    /// Exit code, where the engine told.
    #[serde(default)]
    pub code: Option<i64>,
    /// The kernel killed it for memory.
    #[serde(default)]
    pub oom: bool,
}

/// What log-agent knows: whose logs are here, and how far they are shipped. Its numbers are told anew about once a minute, everything else
/// at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogAgentFacts {
    /// Where lines go; null if they are only shown.
    #[serde(default)]
    pub sink: Option<SinkFact>,
    /// Instances with log volumes on this node, ended ones too, as long as their files are kept; by app and instance.
    #[serde(default)]
    pub instances: Vec<LogInstanceFact>,
    /// Instances left out of the list, for it is too long.
    #[serde(default)]
    pub left_out: u64,
    /// What was lost to shipping within a day, of instances that are gone, too. Growth is told with the numbers, what is new at once.
    #[serde(default)]
    pub losses: Vec<LogLossFact>,
    /// Apps that are shipped from this node; none without a sink.
    #[serde(default)]
    pub apps: Vec<LogAppFact>,
    /// How long a time the counts of `apps` are of; 0 while there are none.
    #[serde(default)]
    pub window_seconds: u64,
}

/// How one app is shipped from this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogAppFact {
    /// The app.
    pub app: AppId,
    /// Bytes of its files that are not acknowledged yet.
    #[serde(default)]
    pub lag_bytes: u64,
    /// Bytes acknowledged in the window; null until the first one is over, and of an app that came since.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Likewise events: lines, parts of cut lines, joined lines.
    #[serde(default)]
    pub lines: Option<u64>,
}

/// Where lines go, and whether they do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SinkFact {
    /// `flume` or `dir`.
    pub kind: String,
    /// Who takes them now: `flume1:4141`, a directory.
    pub peer: String,
    /// Whether the last batch was taken.
    pub works: bool,
    /// Why not, in words; empty if it was.
    #[serde(default)]
    pub failure: String,
}

/// The logs of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogInstanceFact {
    /// The app.
    pub app: AppId,
    /// The instance.
    pub instance: InstanceId,
    /// When it ended; null while it runs.
    #[serde(default)]
    pub ended_at: Option<Moment>,
    /// Files followed.
    #[serde(default)]
    pub files: u64,
    /// Their bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Of these, not acknowledged by the sink yet; 0 without one.
    #[serde(default)]
    pub lag_bytes: u64,
}
