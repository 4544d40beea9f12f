//! A host and its agents. [`Node`] is the entity of the bus; [`NodeStatus`] adds what changes with every report and is only shown.

use crate::ids::NodeName;
use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// How an agent says it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Works.
    #[default]
    Running,
    /// Works without something it needs; `note` says what.
    Degraded,
    /// Ends in a moment, on request.
    Stopping,
}

/// One agent of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agent {
    /// `dadvisor`, `log-agent` or `nginx-agent`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it listens, `host:port`.
    pub address: String,
    /// Whether it speaks TLS there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls: bool,
    /// How it says it is.
    #[serde(default)]
    pub state: AgentState,
    /// What it works without; empty if nothing is missing.
    #[serde(default)]
    pub note: String,
    /// Three reports in a row are missing.
    #[serde(default)]
    pub silent: bool,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Data centre.
    pub dc: String,
    /// Its agents, by name.
    #[serde(default)]
    pub agents: Vec<Agent>,
}

impl Node {
    /// No agent of it reports.
    pub fn silent(&self) -> bool {
        self.agents.iter().all(|a| a.silent)
    }
}

/// A host as `/v1/nodes` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeStatus {
    /// The entity.
    #[serde(flatten)]
    pub node: Node,
    /// No agent of it reports.
    pub silent: bool,
    /// Last report of any of its agents.
    pub last_seen: Option<Moment>,
    /// Instances on it that have not ended.
    pub instances: u32,
}
