//! The parts of the agent's answers that are used, under its names.

use crate::lenient::lenient;
use serde::Deserialize;

/// `GET /state`.
#[derive(Deserialize)]
pub(super) struct State {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) frameworks: Vec<Framework>,
}

#[derive(Default, Deserialize)]
pub(super) struct Framework {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) executors: Vec<Executor>,
}

#[derive(Default, Deserialize)]
pub(super) struct Executor {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) container: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) directory: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) tasks: Vec<Task>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) queued_tasks: Vec<Task>,
}

#[derive(Default, Deserialize)]
pub(super) struct Task {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) labels: Vec<Label>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) statuses: Vec<TaskStatus>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) container: ContainerInfo,
}

#[derive(Default, Deserialize)]
pub(super) struct Label {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) key: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) value: String,
}

#[derive(Default, Deserialize)]
pub(super) struct TaskStatus {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) state: String,
    /// Seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) timestamp: f64,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) healthy: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) container_status: ContainerStatus,
}

#[derive(Default, Deserialize)]
pub(super) struct ContainerStatus {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) container_id: ContainerId,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) network_infos: Vec<NetworkInfo>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) executor_pid: u32,
}

/// Nested containers name their parent; only the outermost id is of one level here, which is all that is needed to tell them apart.
#[derive(Default, Deserialize)]
pub(super) struct ContainerId {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) value: String,
}

#[derive(Default, Deserialize)]
pub(super) struct NetworkInfo {
    /// Of a CNI network; absent on the host's.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) ip_addresses: Vec<IpAddress>,
}

#[derive(Default, Deserialize)]
pub(super) struct IpAddress {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) ip_address: String,
}

#[derive(Default, Deserialize)]
pub(super) struct ContainerInfo {
    #[serde(default, deserialize_with = "lenient", rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) docker: DockerInfo,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) mesos: MesosInfo,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) volumes: Vec<Volume>,
}

#[derive(Default, Deserialize)]
pub(super) struct DockerInfo {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) image: String,
}

#[derive(Default, Deserialize)]
pub(super) struct MesosInfo {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) image: MesosImage,
}

#[derive(Default, Deserialize)]
pub(super) struct MesosImage {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) docker: MesosDockerImage,
}

#[derive(Default, Deserialize)]
pub(super) struct MesosDockerImage {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: String,
}

#[derive(Default, Deserialize)]
pub(super) struct Volume {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) container_path: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) host_path: String,
}

/// One entry of `GET /containers`.
#[derive(Default, Deserialize)]
pub(super) struct Listed {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) container_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) executor_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: ContainerStatus,
}
