//! From a Mesos container id to the task in it. Pure.

use super::wire;
use crate::container::{
    Container, Health, LABEL_APP, LABEL_INSTANCE, LABEL_LOGS, LogVolume, Network, Rules, SANDBOX,
    Source, app_id, app_or_task, bounded, by_name, in_sandbox, is_uuid, mesos_container_id,
};
use crate::ids::{AppId, InstanceId};
use crate::lenient::from_json;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Component, Path};

/// Most containers of one agent.
const MAX_CONTAINERS: usize = 10_000;
/// Most labels, addresses and log volumes of one task.
const MAX_EACH: usize = 64;
const MAX_TEXT: usize = 4096;

/// What the agent knows of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The app.
    pub app: AppId,
    /// The instance: the task's id, or the executor's when it runs several.
    pub instance: InstanceId,
    /// The task's id, or the executor's when it runs several, whatever labels call it.
    pub id: String,
    /// The sandbox on the host.
    pub sandbox: Option<String>,
    /// The Docker containerizer runs it: the Docker engine knows it, too.
    pub docker: bool,
    /// The task's labels that begin with `qae.`.
    pub labels: BTreeMap<String, String>,
    /// Image, when the task has one.
    pub image: String,
    /// The executor's process.
    pub pid: Option<u32>,
    /// When it began to run, Unix milliseconds.
    pub started_at_ms: Option<u64>,
    /// The task's own health check.
    pub health: Health,
    /// Whose network: its own when it is in a CNI network.
    pub network: Network,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Log volumes, by the same rule as everywhere.
    pub log_volumes: Vec<LogVolume>,
}

/// Every container the agent knows, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(HashMap<String, Task>);

impl Names {
    /// Reads `/state`: executors, each with its container, and the tasks in nested containers.
    pub fn from_state(json: &[u8], rules: &Rules) -> serde_json::Result<Self> {
        let state: wire::State = from_json(json)?;
        let mut names = Self::default();
        for executor in state.frameworks.iter().flat_map(|f| &f.executors) {
            let tasks: Vec<&wire::Task> =
                executor.tasks.iter().chain(&executor.queued_tasks).collect();
            if let [task] = tasks[..] {
                names.insert(
                    &executor.container,
                    Task::new(&task.id, &task.id, task, executor, rules),
                );
                continue;
            }
            for task in &tasks {
                for nested in task.statuses.iter().map(|s| &s.container_status.container_id.value) {
                    names.insert(nested, Task::new(&task.id, &task.id, task, executor, rules));
                }
            }
            let none = wire::Task::default();
            let first = tasks.first().copied().unwrap_or(&none);
            let named_by = if first.id.is_empty() { &executor.id } else { &first.id };
            names.insert(
                &executor.container,
                Task::new(named_by, &executor.id, first, executor, rules),
            );
        }
        Ok(names)
    }

    /// Adds what `/containers` says: containers that `/state` did not show (it may be forbidden), processes and addresses.
    pub fn add_containers(&mut self, json: &[u8]) -> serde_json::Result<()> {
        let listed: Vec<wire::Listed> = from_json(json)?;
        for entry in listed {
            if !self.0.contains_key(&entry.container_id) && !entry.executor_id.is_empty() {
                let (task, executor) = (wire::Task::default(), wire::Executor::default());
                let id = &entry.executor_id;
                self.insert(
                    &entry.container_id,
                    Task::new(id, id, &task, &executor, &Rules::default()),
                );
            }
            if let Some(task) = self.0.get_mut(&entry.container_id) {
                task.pid = Some(entry.status.executor_pid).filter(|pid| *pid > 0);
                if !entry.status.network_infos.is_empty() {
                    task.connect(&entry.status.network_infos);
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, container: &str, task: Task) {
        if is_uuid(container) && self.0.len() < MAX_CONTAINERS {
            self.0.insert(container.to_owned(), task);
        }
    }

    /// The task in a container.
    pub fn get(&self, container: &str) -> Option<&Task> {
        self.0.get(container)
    }

    /// Every container, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Task)> {
        self.0.iter().map(|(id, task)| (id.as_str(), task))
    }

    /// How many containers are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when none is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The Mesos container id of a Docker container that nothing in it names: the agent has to be asked.
    pub fn wanted_by(container: &Container) -> Option<&str> {
        let unnamed = container.source == Source::Docker
            && !container.labels.contains_key(LABEL_APP)
            && container.app.as_str() == by_name(&container.name, &container.id);
        if unnamed { mesos_container_id(&container.name) } else { None }
    }

    /// The same container under its task's name, when that is known only here (the third way of marathon.md section 6).
    pub fn rename(&self, container: &Container) -> Option<Container> {
        let task = self.get(Self::wanted_by(container)?)?;
        let mut renamed = container.clone();
        renamed.app = task.app.clone();
        if !container.labels.contains_key(LABEL_INSTANCE) {
            renamed.instance = task.instance.clone();
        }
        renamed.task = Some(task.id.clone());
        Some(renamed)
    }
}

impl Task {
    fn new(
        named_by: &str,
        instance: &str,
        task: &wire::Task,
        executor: &wire::Executor,
        rules: &Rules,
    ) -> Self {
        let labels = labels(&task.labels);
        let label = |key: &str| labels.get(key).map(String::as_str).filter(|v| !v.is_empty());
        let app = label(LABEL_APP).map_or_else(|| app_or_task(named_by), str::to_owned);
        let started = task.statuses.iter().find(|s| s.state == "TASK_RUNNING");
        let last = task.statuses.last();
        let sandbox =
            Some(executor.directory.clone()).filter(|d| d.starts_with('/') && d.len() <= MAX_TEXT);
        let images = [&task.container.docker.image, &task.container.mesos.image.docker.name];
        let image = images.into_iter().find(|i| !i.is_empty() && i.len() <= MAX_TEXT);
        let mut made = Self {
            app: app_id(&app),
            instance: InstanceId::new(bounded(label(LABEL_INSTANCE).unwrap_or(instance))),
            id: bounded(instance),
            docker: task.container.kind == "DOCKER",
            image: image.cloned().unwrap_or_default(),
            pid: None,
            started_at_ms: started.and_then(|s| millis(s.timestamp)),
            health: match last.and_then(|s| s.healthy) {
                Some(true) => Health::Healthy,
                Some(false) => Health::Unhealthy,
                None => Health::Unknown,
            },
            network: Network::Host,
            addresses: Vec::new(),
            log_volumes: log_volumes(task, sandbox.as_deref(), label(LABEL_LOGS), rules),
            sandbox,
            labels,
        };
        if let Some(status) = last {
            made.connect(&status.container_status.network_infos);
        }
        made
    }

    fn connect(&mut self, networks: &[wire::NetworkInfo]) {
        let own = networks.iter().any(|n| !n.name.is_empty());
        self.network = if own { Network::Own } else { Network::Host };
        let all = networks.iter().flat_map(|n| &n.ip_addresses);
        self.addresses = all.filter_map(|a| a.ip_address.parse().ok()).take(MAX_EACH).collect();
    }
}

fn labels(all: &[wire::Label]) -> BTreeMap<String, String> {
    let ours = all.iter().filter(|l| l.key.starts_with("qae."));
    ours.filter(|l| l.key.len() <= MAX_TEXT && l.value.len() <= MAX_TEXT)
        .take(MAX_EACH)
        .map(|l| (l.key.clone(), l.value.clone()))
        .collect()
}

/// Volumes at the log paths. A relative host path lies in the sandbox, and so does a log path that is relative or begins with where the
/// sandbox is in a container.
fn log_volumes(
    task: &wire::Task,
    sandbox: Option<&str>,
    label: Option<&str>,
    rules: &Rules,
) -> Vec<LogVolume> {
    let paths = label.unwrap_or(&rules.log_path).split(',').map(|p| p.trim().trim_end_matches('/'));
    let mounted = paths.filter(|p| !p.is_empty()).filter_map(|path| {
        let volume =
            task.container.volumes.iter().find(|v| v.container_path.trim_end_matches('/') == path);
        let Some(volume) = volume else {
            let (sandbox, rest) = (sandbox?, in_sandbox(path, SANDBOX)?);
            let join =
                |at: &str| if rest.is_empty() { at.to_owned() } else { format!("{at}/{rest}") };
            return Some(LogVolume { source: join(sandbox), target: join(SANDBOX) });
        };
        let host = Path::new(&volume.host_path);
        // out of the sandbox no task may point
        let inside = host.components().all(|c| matches!(c, Component::Normal(_)));
        let source = match (volume.host_path.as_str(), sandbox) {
            ("", _) => return None,
            (path, _) if host.is_absolute() => path.to_owned(),
            (path, Some(sandbox)) if inside => format!("{sandbox}/{path}"),
            _ => return None,
        };
        Some(LogVolume { source, target: volume.container_path.clone() })
    });
    mounted.take(MAX_EACH).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before"
)]
fn millis(seconds: f64) -> Option<u64> {
    (seconds > 0.0 && seconds < 1e11).then_some((seconds * 1000.0) as u64)
}

#[cfg(test)]
mod tests;
