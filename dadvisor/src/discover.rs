//! Starts whatever finds containers: the Docker follower, the scan for cgroups, the Mesos agent's client.

use crate::Error;
use crate::agent::Inventory;
use crate::cgroup_scan::Places;
use crate::config::Config;
use crate::kernel::Kernel;
use crate::watch;
use common::container::Rules;
use common::docker;
use common::mesos;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Events of the engine that may wait for the next pass; more are dropped and counted.
const EVENTS: usize = 4096;
/// Between two scans for cgroups.
const SCAN_EVERY: Duration = Duration::from_secs(5);
/// For each question to the Mesos agent.
const MESOS_TIMEOUT: Duration = Duration::from_secs(5);

/// What was started.
pub struct Discovery {
    /// The host's containers.
    pub inventory: channel::Receiver<Inventory>,
    /// What the engine told.
    pub events: mpsc::Receiver<docker::Event>,
    /// The engine as its follower sees it; None if none is configured.
    pub engine: Option<channel::Receiver<Arc<docker::Inventory>>>,
    /// What following counts.
    pub docker_stats: Arc<docker::Stats>,
    /// What looking for cgroups counts.
    pub watch_stats: Arc<watch::Stats>,
}

/// Starts it all; it ends with `stop`.
pub fn start(
    config: &Config,
    kernel: &Kernel,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Discovery, Error> {
    let (seen, engine) = channel::channel(Arc::new(docker::Inventory::default()));
    let (told, events) = mpsc::channel(EVENTS);
    let docker_stats = Arc::new(docker::Stats::default());
    if let Some(socket) = &config.node.docker {
        let settings = docker::Settings {
            socket: socket.clone(),
            last_good: Some(config.state_dir().join("containers.json")),
            ..docker::Settings::default()
        };
        tasks.spawn(docker::follow(settings, seen, told, docker_stats.clone(), stop.clone()));
    }
    let (out, inventory) = channel::channel(Inventory::default());
    let watch_stats = Arc::new(watch::Stats::default());
    let settings = settings(config, kernel)?;
    tasks.spawn(watch::watch(settings, engine.clone(), out, watch_stats.clone(), stop.clone()));
    let engine = config.node.docker.is_some().then_some(engine);
    Ok(Discovery { inventory, events, engine, docker_stats, watch_stats })
}

fn settings(config: &Config, kernel: &Kernel) -> Result<watch::Settings, Error> {
    let agent = config
        .node
        .mesos_agent
        .as_deref()
        .map(|url| mesos::Agent::new(url, None, MESOS_TIMEOUT, Rules::default()));
    let agent = agent
        .transpose()
        .map_err(|e| Error::Config { key: "[node] mesos_agent", why: e.to_string() })?;
    Ok(watch::Settings {
        places: Places {
            root: kernel.scan_root(),
            proc_root: config.dadvisor.proc_root.clone(),
            mesos_root: "mesos".to_owned(),
            plain: config.dadvisor.cgroups.clone(),
        },
        node: config.node.name.clone(),
        interval: SCAN_EVERY,
        agent,
    })
}
