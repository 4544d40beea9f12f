//! From the configuration to the parts of the daemon.

use crate::config::{Config, Sink};
use crate::files::{self, Files, Known};
use crate::measure::Measure;
use crate::overview::Sources;
use crate::report::Reporter;
use crate::volume::Volume;
use crate::{Error, volumes};
use common::carbon::Carbon;
use common::center::{self, Center, Door};
use common::container::Rules;
use common::metric::Namer;
use common::serve::Limits;
use common::{docker, mesos};
use std::net::SocketAddr;
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

/// For each question to the Mesos agent.
const MESOS_TIMEOUT: Duration = Duration::from_secs(5);

/// Where log volumes are looked for.
pub fn volumes(config: &Config) -> Result<volumes::Settings, Error> {
    let own = &config.log_agent;
    let state = config.state_dir();
    let rules = Rules { log_path: own.log_path.clone() };
    let docker = config.node.docker.as_ref().map(|socket| docker::Settings {
        socket: socket.clone(),
        rules: rules.clone(),
        last_good: Some(state.join("containers.json")),
        ..docker::Settings::default()
    });
    let mesos = config
        .node
        .mesos_agent
        .as_deref()
        .map(|url| mesos::Agent::new(url, None, MESOS_TIMEOUT, rules));
    let mesos = mesos
        .transpose()
        .map_err(|e| Error::Config { key: "[node] mesos_agent", why: e.to_string() })?;
    // what is shipped into files must not be shipped again
    let kept = match &own.sink {
        Some(Sink::Dir(dir)) => Some(dir.clone()),
        Some(Sink::Flume(_)) | None => None,
    };
    let ours = [config.node.state_dir.clone(), "/etc/qae".into()];
    Ok(volumes::Settings {
        docker,
        mesos,
        root: own.volumes_root.clone(),
        memory: Some(state.join("volumes.json")),
        docker_root: own.docker_root.clone(),
        stdout: own.stdout,
        own: ours.into_iter().chain(kept).collect(),
        pace: volumes::Pace::default(),
    })
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

/// Reports to the centre, if there is one.
pub fn center(
    config: &Config,
    sources: Sources,
    listen: SocketAddr,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Option<Center>, Error> {
    let Some(api) = config.api.clone() else { return Ok(None) };
    let toward = api.url.host().parse().ok();
    let settings = center::Settings {
        api,
        node: config.node.name.clone(),
        agent: "log-agent",
        state_dir: config.state_dir(),
        pace: center::Pace::default(),
    };
    let center = Center::start(settings, tasks, stop)
        .map_err(|e| Error::Config { key: "[api] ca_file", why: e.to_string() })?;
    let door = Door { listen, tls: config.node.tls.is_some(), toward };
    let reporter = Reporter::new(sources, &config.node.dc, door);
    let (out, reports) = watch::channel(reporter.report());
    tasks.spawn(reporter.run(out, stop.clone()));
    center.report(reports);
    Ok(Some(center))
}
