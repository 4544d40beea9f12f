//! One container as every agent sees it, and how it is recognised (product.md, "How an instance is recognised").
//!
//! Pure: [`from_inspect`] reads what a Docker engine says of a container, [`app_of_task`] and [`mesos_container_id`] what Mesos says.

mod identity;
mod inspect;
mod mesos_name;
mod part;
mod task_id;

pub use identity::{LABEL_APP, LABEL_INSTANCE, short_id};
pub(crate) use identity::{app_id, app_or_task, bounded, by_name};
pub use inspect::{InspectError, Inspected, LABEL_LOGS, Rules, from_inspect, is_id};
pub(crate) use mesos_name::{SANDBOX, in_sandbox};
pub use mesos_name::{Sandbox, is_executor, is_uuid, mesos_container_id, sandbox};
pub use part::part;
pub use task_id::app_of_task;

use crate::ids::{AppId, InstanceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where a container was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A Docker engine.
    Docker,
    /// The Mesos containerizer: a cgroup named through the agent's API.
    Mesos,
    /// A plain cgroup (a systemd service or slice), opt-in.
    Cgroup,
}

/// What the container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Created, not started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Between two runs, by its restart policy.
    Restarting,
    /// Ended.
    Exited,
}

/// Result of the container's own health check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Passed.
    Healthy,
    /// Failed.
    Unhealthy,
    /// No check, or no result yet.
    #[default]
    Unknown,
}

/// Whose network namespace the container uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Its own.
    Own,
    /// The host's.
    Host,
    /// That of the container with this id (`container:` mode).
    Container(String),
    /// One without interfaces.
    None,
}

/// A port published on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Host address; `0.0.0.0` and `::` mean all.
    pub address: IpAddr,
    /// Host port.
    pub port: u16,
    /// Port inside the container.
    pub container_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// A directory mounted into the container for its logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogVolume {
    /// On the host.
    pub source: String,
    /// In the container.
    pub target: String,
}

/// A container, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Docker's 64 hex digits, the Mesos container id, or the cgroup's path.
    pub id: String,
    /// The engine's name for it, without the leading slash.
    pub name: String,
    /// Where it was found.
    pub source: Source,
    /// The app it belongs to.
    pub app: AppId,
    /// Which instance of the app it is.
    pub instance: InstanceId,
    /// The Mesos task in it, whatever labels call it.
    #[serde(default)]
    pub task: Option<String>,
    /// What it is doing.
    pub state: State,
    /// Its own health check's verdict.
    pub health: Health,
    /// Its first process on the host, while it runs.
    pub pid: Option<u32>,
    /// Start of the current run, Unix milliseconds.
    pub started_at_ms: Option<u64>,
    /// Image name as it was asked for.
    pub image: String,
    /// Image id (`sha256:...`).
    pub image_id: String,
    /// Restarts by the engine's restart policy.
    pub restarts: u64,
    /// Whose network it uses.
    pub network: Network,
    /// Addresses in its networks.
    pub addresses: Vec<IpAddr>,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Log volumes.
    pub log_volumes: Vec<LogVolume>,
    /// Docker's own log of its standard output and error, where that is kept as `json-file`.
    #[serde(default)]
    pub json_log: Option<String>,
    /// Labels that begin with `qae.`.
    pub labels: BTreeMap<String, String>,
    /// `--cgroup-parent`, when given.
    pub cgroup_parent: Option<String>,
    /// Cgroup path below each hierarchy's root, where the source knows it (Mesos, plain cgroups).
    pub cgroup: Option<String>,
}

impl Container {
    /// A running container of which nothing else is known: called by its id, in a network of its own.
    pub fn new(id: impl Into<String>, source: Source, app: AppId, instance: InstanceId) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            source,
            app,
            instance,
            task: None,
            state: State::Running,
            health: Health::Unknown,
            pid: None,
            started_at_ms: None,
            image: String::new(),
            image_id: String::new(),
            restarts: 0,
            network: Network::Own,
            addresses: Vec::new(),
            ports: Vec::new(),
            log_volumes: Vec::new(),
            json_log: None,
            labels: BTreeMap::new(),
            cgroup_parent: None,
            cgroup: None,
        }
    }
}
