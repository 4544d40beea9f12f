//! Which directory of this host belongs to which instance.
//!
//! - From Docker: the mount at `log_path`, or at the paths of label `qae.logs`; a relative `hostPath` of Marathon is such a mount, too.
//! - From the Mesos agent: the same of tasks that no Docker engine runs, and the sandbox itself where a label asks for it.
//! - From `volumes_root/<app>/<instance>`, which needs no engine to say whose it is.
//!
//! An ended instance's directory stays known, on disk, too, until [`Ended::forget`]. An engine that is away ends nothing. What is no log
//! volume whatever an engine says is refused, counted and said once with its cause ([`Danger`]).
//!
//! Flow: engines say ([`claim`]) → where that is, free of links ([`survey`]) → may it be read ([`danger`]) → who has it, and who had it
//! ([`ledger`]) → the list. Only `survey` and `memory` touch the disk.

mod claim;
mod danger;
mod figures;
mod ledger;
mod living;
mod memory;
mod root;
mod run;
mod survey;

pub use danger::Danger;
pub use figures::Figures;
pub use ledger::Refusal;
pub use root::place;

use crate::volume::{InstanceKey, Volume};
use common::{docker, mesos};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Events of the engine that may wait; more are dropped and counted by the follower.
const EVENTS: usize = 4_096;
/// Done with, but not taken from the list yet.
const FORGOTTEN: usize = 1_024;

/// What is watched.
#[derive(Debug)]
pub struct Settings {
    /// The Docker engine, if there is one.
    pub docker: Option<docker::Settings>,
    /// The Mesos agent, on a Mesos node.
    pub mesos: Option<mesos::Agent>,
    /// Where the centre's own Docker engine makes volumes.
    pub root: Option<PathBuf>,
    /// Where ended instances are remembered: a file of this agent's state, its directory exists. None: they are not.
    pub memory: Option<PathBuf>,
    /// The Docker engine's data, `/var/lib/docker`: of it only volumes are read. What the engine itself calls that is guarded, too.
    pub docker_root: PathBuf,
    /// Docker's own log of each container is one more volume, unless a container's label `qae.stdout` says otherwise.
    pub stdout: bool,
    /// Directories of this product, which are never read: state, configuration.
    pub own: Vec<PathBuf>,
    /// Times.
    pub pace: Pace,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            docker: None,
            mesos: None,
            root: None,
            memory: None,
            docker_root: "/var/lib/docker".into(),
            stdout: false,
            own: Vec::new(),
            pace: Pace::default(),
        }
    }
}

/// Times.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks at `volumes_root`, and at directories that were not there.
    pub look: Duration,
    /// Between two questions to the Mesos agent.
    pub ask: Duration,
    /// How long a Docker container that only the Mesos agent can name waits for that name; its lines wait in its files.
    pub name: Duration,
    /// Least time between two writes of the memory.
    pub save: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(5),
            ask: Duration::from_secs(10),
            name: Duration::from_secs(60),
            save: Duration::from_secs(1),
        }
    }
}

/// What was started.
#[derive(Debug)]
pub struct Watched {
    /// The volumes, in the order in which their instances began; all of them each time.
    pub volumes: watch::Receiver<Arc<Vec<Volume>>>,
    /// Takes ended instances off the list.
    pub ended: Ended,
    /// What it does, and what it refuses now.
    pub figures: watch::Receiver<Arc<Figures>>,
    /// The engine as its follower sees it; None if none is configured.
    pub engine: Option<watch::Receiver<Arc<docker::Inventory>>>,
    /// What following the engine counts.
    pub docker_stats: Arc<docker::Stats>,
}

/// Takes ended instances off the list; clones are the same.
#[derive(Debug, Clone)]
pub struct Ended(mpsc::Sender<(InstanceKey, PathBuf)>);

impl Ended {
    /// With where it goes.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<(InstanceKey, PathBuf)>) {
        let (sender, receiver) = mpsc::channel(FORGOTTEN);
        (Self(sender), receiver)
    }

    /// An ended instance's directory is done with: it is followed and remembered no more. One that runs is left alone. False if too many
    /// wait for that: to be said again.
    pub fn forget(&self, instance: &InstanceKey, dir: PathBuf) -> bool {
        self.0.try_send((instance.clone(), dir)).is_ok()
    }
}

/// Starts it all; it ends with `stop`. Inside a runtime.
pub fn watch(settings: Settings, tasks: &TaskTracker, stop: &CancellationToken) -> Watched {
    let (kept, engine) = watch::channel(Arc::new(docker::Inventory::default()));
    let (told, events) = mpsc::channel(EVENTS);
    let docker_stats = Arc::new(docker::Stats::default());
    let configured = settings.docker.is_some();
    if let Some(docker) = settings.docker.clone() {
        tasks.spawn(docker::follow(docker, kept, told, docker_stats.clone(), stop.clone()));
    }
    let (ended, forgotten) = Ended::channel();
    let (list, volumes) = watch::channel(Arc::default());
    let (shown, figures) = watch::channel(Arc::default());
    let inputs = run::Inputs { docker: engine.clone(), events, forgotten };
    let out = run::Out { list, shown };
    tasks.spawn(run::run(settings, inputs, out, stop.clone()));
    let engine = configured.then_some(engine);
    Watched { volumes, ended, figures, engine, docker_stats }
}

#[cfg(test)]
mod tests;
