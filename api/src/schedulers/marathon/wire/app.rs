//! An app: `GET /v2/apps`, `GET /v2/apps/{id}`, and `appDefinition` of an event.

use super::Task;
use super::tolerant;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An app as it is defined, with its tasks where they were asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// `/shop/web`.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub id: String,
    /// How many instances are wanted.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub instances: Option<u32>,
    /// Labels.
    #[serde(default, deserialize_with = "tolerant::texts")]
    pub labels: BTreeMap<String, String>,
    /// The container, unless it is a plain command.
    #[serde(default, deserialize_with = "tolerant::object")]
    pub container: Option<Container>,
    /// Networks, from 1.5 on; none stands for the host's.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub networks: Vec<Network>,
    /// Ports of an app on the host's network.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub port_definitions: Vec<PortMapping>,
    /// An address per container, to 1.4.
    #[serde(default, deserialize_with = "tolerant::object")]
    pub ip_address: Option<IpAddress>,
    /// Checks.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub health_checks: Vec<HealthCheck>,
    /// Of this definition.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub version: Option<String>,
    /// What its versions mean, from 0.11 on.
    #[serde(default, deserialize_with = "tolerant::object")]
    pub version_info: Option<VersionInfo>,
    /// Tasks by Marathon's own count.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub tasks_staged: Option<u32>,
    /// Tasks by Marathon's own count.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub tasks_running: Option<u32>,
    /// Its tasks; None where the answer has none, which is not the same as an app without tasks.
    #[serde(default, deserialize_with = "tolerant::some_objects")]
    pub tasks: Option<Vec<Task>>,
}

/// Which change made which version.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// Tasks of an older version run an older definition; a mere scaling does not touch this.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub last_config_change_at: Option<String>,
}

/// A container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// What Docker is told.
    #[serde(default, deserialize_with = "tolerant::object")]
    pub docker: Option<Docker>,
    /// From 1.5 on.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub port_mappings: Vec<PortMapping>,
}

/// What Docker is told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Docker {
    /// The image's name.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub image: Option<String>,
    /// `BRIDGE`, `HOST`, `USER`; to 1.4.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub network: Option<String>,
    /// To 1.4.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub port_mappings: Vec<PortMapping>,
}

/// A network.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Network {
    /// `host`, `container/bridge`, `container`.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub mode: Option<String>,
}

/// A port mapping, or a port definition, which has none of the numbers used here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortMapping {
    /// Inside the container; 0 is the same as outside.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub container_port: Option<u16>,
    /// Outside; 0 is any, none is any on a bridge and no port at all on other networks.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub host_port: Option<u16>,
    /// `tcp`, `udp`, `udp,tcp`; none is tcp.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub protocol: Option<String>,
    /// Its name.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub name: Option<String>,
}

/// An address per container.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct IpAddress {
    /// What others are to find at it.
    #[serde(default, deserialize_with = "tolerant::object")]
    pub discovery: Option<Ports>,
}

/// Ports at a container's own address.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Ports {
    /// Each of them.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub ports: Vec<DiscoveryPort>,
}

/// A port at a container's own address.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DiscoveryPort {
    /// Its number.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub number: Option<u16>,
    /// Its name.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub name: Option<String>,
    /// `tcp` or `udp`.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub protocol: Option<String>,
}

/// A check; only how many there are is used.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct HealthCheck {}
