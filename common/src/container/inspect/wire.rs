//! The parts of Docker's inspect answer that are used, under Docker's names.

use super::State;
use crate::lenient::lenient;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Wire {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) image: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) log_path: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) restart_count: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) state: WireState,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) host_config: HostConfig,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) config: Config,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) mounts: Vec<Mount>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) network_settings: NetworkSettings,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireState {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) running: bool,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) paused: bool,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) restarting: bool,
    #[serde(default, deserialize_with = "lenient", rename = "OOMKilled")]
    pub(super) oom_killed: bool,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) pid: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) exit_code: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) started_at: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) health: WireHealth,
}

impl WireState {
    /// By the flags: they exist in every version, and an engine's new word for a state does not change them.
    pub(super) fn state(&self) -> State {
        match (self.restarting, self.paused, self.running) {
            (true, ..) => State::Restarting,
            (_, true, _) => State::Paused,
            (.., true) => State::Running,
            _ if self.status == "created" => State::Created,
            _ => State::Exited,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireHealth {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) network_mode: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) cgroup_parent: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) log_config: LogConfig,
}

#[derive(Default, Deserialize)]
pub(super) struct LogConfig {
    #[serde(default, deserialize_with = "lenient", rename = "Type")]
    pub(super) driver: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Config {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) image: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) env: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Mount {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) source: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) destination: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) ports: BTreeMap<String, Option<Vec<Binding>>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) networks: BTreeMap<String, Endpoint>,
    #[serde(default, deserialize_with = "lenient", rename = "IPAddress")]
    pub(super) ip_address: String,
    #[serde(default, deserialize_with = "lenient", rename = "GlobalIPv6Address")]
    pub(super) global_ipv6_address: String,
}

#[derive(Default, Deserialize)]
pub(super) struct Endpoint {
    #[serde(default, deserialize_with = "lenient", rename = "IPAddress")]
    pub(super) ip_address: String,
    #[serde(default, deserialize_with = "lenient", rename = "GlobalIPv6Address")]
    pub(super) global_ipv6_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Binding {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) host_ip: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) host_port: String,
}
