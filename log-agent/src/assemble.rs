//! From the configuration to the parts of the daemon.

use crate::config::Config;
use crate::files::{self, Files, Known};
use crate::measure::Measure;
use crate::overview::Sources;
use crate::volume::Volume;
use crate::{Error, roots};
use common::carbon::Carbon;
use common::metric::Namer;
use common::serve::Limits;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Follows the files, beginning where the journal says.
pub fn files(config: &Config, known: Vec<Known>) -> Result<Files, Error> {
    let own = &config.log_agent;
    let settings = files::Settings {
        include: own.include.clone(),
        exclude: own.exclude.clone(),
        ships: own.sink.is_some(),
        ..files::Settings::default()
    };
    Files::resume(settings, known).map_err(Error::system("cannot follow files"))
}

/// Which directories there are.
pub fn volumes(
    config: &Config,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> watch::Receiver<Arc<Vec<Volume>>> {
    let (list, volumes) = watch::channel(Arc::default());
    if let Some(root) = config.log_agent.volumes_root.clone() {
        tasks.spawn(roots::run(root, list, stop.clone()));
    }
    volumes
}

/// Tells the following thread each new list, until the stop.
pub async fn hand_over(
    mut volumes: watch::Receiver<Arc<Vec<Volume>>>,
    files: Files,
    stop: CancellationToken,
) {
    while let Some(Ok(())) = stop.run_until_cancelled(volumes.changed()).await {
        files.set_volumes(Arc::clone(&volumes.borrow_and_update()));
    }
}

/// What clients may take: viewers keep their connections, and some are left for the rest.
pub fn limits(config: &Config) -> Limits {
    Limits { connections: config.log_agent.viewers + 64, ..Limits::default() }
}

/// Makes metrics, tick by tick.
pub fn measure(config: &Config, sources: Sources, carbon: Carbon) -> Measure {
    let namer = Namer::new(&config.graphite.prefix, &config.node.dc, config.graphite.style);
    Measure::new(config, sources, carbon, namer)
}

/// How often it is looked whether a thread ended.
const LOOK: Duration = Duration::from_millis(500);

/// Until a part ends by itself; says which.
pub async fn death(files: &Files) -> &'static str {
    let mut turns = tokio::time::interval(LOOK);
    loop {
        turns.tick().await;
        if files.died() {
            return "the thread that follows files";
        }
    }
}

/// Ends the following thread.
pub async fn end(files: Files) {
    if tokio::task::spawn_blocking(move || files.stop()).await.is_err() {
        tracing::error!("ending the thread that follows files broke: a bug");
    }
}
