//! Starts whatever finds containers: the Docker follower, the scan for cgroups, the Mesos agent's client.

pub mod cgroup_scan;
pub mod watch;

use common::docker;
use std::sync::Arc;
use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use watch::{Containers, Out, Seen};

/// Events of the engine that may wait for the next pass; more are dropped and counted.
pub const EVENTS: usize = 4096;

/// What finds containers.
#[derive(Debug)]
pub struct Settings {
    /// The Docker engine, if there is one.
    pub docker: Option<docker::Settings>,
    /// Cgroups, and the Mesos agent.
    pub watch: watch::Settings,
}

/// What was started.
pub struct Discovery {
    /// The host's containers.
    pub inventory: channel::Receiver<Containers>,
    /// The same, with what is known of its completeness.
    pub seen: channel::Receiver<Seen>,
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
pub fn start(settings: Settings, tasks: &TaskTracker, stop: &CancellationToken) -> Discovery {
    let Settings { docker, watch } = settings;
    let (kept, engine) = channel::channel(Arc::new(docker::Inventory::default()));
    let (told, events) = mpsc::channel(EVENTS);
    let docker_stats = Arc::new(docker::Stats::default());
    let configured = docker.is_some();
    if let Some(docker) = docker {
        tasks.spawn(docker::follow(docker, kept, told, docker_stats.clone(), stop.clone()));
    }
    let (list, inventory) = channel::channel(Containers::default());
    let (complete, seen) = channel::channel(Seen::default());
    let out = Out { list, seen: complete };
    let watch_stats = Arc::new(watch::Stats::default());
    tasks.spawn(watch::watch(watch, engine.clone(), out, watch_stats.clone(), stop.clone()));
    let engine = configured.then_some(engine);
    Discovery { inventory, seen, events, engine, docker_stats, watch_stats }
}
