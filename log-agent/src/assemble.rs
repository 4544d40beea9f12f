//! From the configuration to the parts of the daemon.

use crate::config::{Config, Sink, Wire};
use crate::files::{self, Files, Known};
use crate::live::{Keyring, Live, LiveSettings};
use crate::measure::Measure;
use crate::overview::Sources;
use crate::report::Reporter;
use crate::retention::{self, Retention};
use crate::ship::journal::Journal;
use crate::ship::{self, ShipSettings, Shipper, batch, dir, flume};
use crate::volume::Volume;
use crate::volumes::Watched;
use crate::{Error, volumes};
use common::carbon::Carbon;
use common::center::{self, Center, Door};
use common::container::Rules;
use common::metric::Namer;
use common::ticket::Keys;
use common::{docker, mesos, tls};
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
        outlets: own.sink.as_ref().map_or(1, Sink::outlets),
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
        asks_root: true,
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

/// Where lines go and how far each file got, and what the journal remembers; nothing without a sink.
pub fn shipping(config: &Config) -> Result<(Option<Shipping>, Vec<Known>), Error> {
    let sinks: Vec<Box<dyn ship::sink::Sink>> = match &config.log_agent.sink {
        None => return Ok((None, Vec::new())),
        Some(Sink::Flume(flume)) => {
            let (hosts, times) = (flume.peers.clone(), flume::Times::default());
            let settings = flume::Settings { hosts, form: form(&flume.wire)?, times };
            let connection =
                |_| -> Box<dyn ship::sink::Sink> { Box::new(flume::Flume::new(settings.clone())) };
            (0..flume.connections).map(connection).collect()
        }
        Some(Sink::Dir(path)) => vec![Box::new(dir::Dir::new(dir::Settings::new(path)))],
    };
    let (journal, known) = Journal::open(&config.state_dir())?;
    Ok((Some((journal, sinks)), known))
}

/// What shipping begins with: a sink for each outlet.
type Shipping = (Journal, Vec<Box<dyn ship::sink::Sink>>);

fn form(wire: &Wire) -> Result<flume::Form, Error> {
    Ok(match wire {
        Wire::Plain => flume::Form::Plain,
        Wire::Deflate => flume::Form::Deflate { level: DEFLATE },
        Wire::Tls(ca_file) => {
            let client = tls::Client::load(ca_file.as_deref());
            let wrong = |e: tls::Error| Error::Config {
                key: "[log-agent] flume_ca_file",
                why: e.to_string(),
            };
            flume::Form::Tls(client.map_err(wrong)?)
        }
    })
}

/// zlib's level. Flume's own default is 6; logs get hardly smaller by it, and cost twice the time.
const DEFLATE: u32 = 3;

/// Ships, if there is a sink.
pub fn shipper(
    config: &Config,
    shipping: Option<Shipping>,
    files: &Files,
) -> Result<Option<Arc<Shipper>>, Error> {
    let Some((journal, sinks)) = shipping else { return Ok(None) };
    let own = &config.log_agent;
    let settings = ShipSettings {
        dc: config.node.dc.clone(),
        node: config.node.name.to_string(),
        limits: batch::Limits { events: own.batch_events, bytes: own.batch_bytes },
        multiline: own.multiline.clone(),
        ..ShipSettings::default()
    };
    let shipper = Shipper::start(settings, files.clone(), journal, sinks);
    Ok(Some(Arc::new(shipper.map_err(Error::system("cannot start the threads that ship"))?)))
}

/// Removes what has stayed long enough.
pub fn retention(config: &Config, files: &Files, found: &Watched) -> Result<Arc<Retention>, Error> {
    let own = &config.log_agent;
    let rules = retention::Rules { keep: own.keep, quota: own.volume_quota };
    let settings = retention::Settings::new(rules, own.volumes_root.clone());
    let (volumes, ended) = (found.volumes.clone(), found.ended.clone());
    let started = retention::start(settings, files.clone(), volumes, ended);
    started.map(Arc::new).map_err(Error::system("cannot start the thread that removes old files"))
}

/// Shows lines as they are written, to whoever has a ticket of the centre. Without a centre nobody has one.
pub fn live(
    config: &Config,
    files: &Files,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Live, Error> {
    let keys = match config.api.clone() {
        Some(api) => Keyring::start(api, config.state_dir().join("keys.json"), tasks, stop)
            .map_err(|e| Error::Config { key: "[api] ca_file", why: e.to_string() })?,
        None => Keyring::fixed(Keys::default()),
    };
    // the centre's page may ask, too
    let centre =
        config.api.as_ref().map(|api| api.url.to_string().trim_end_matches('/').to_owned());
    let settings = LiveSettings {
        node: config.node.name.clone(),
        origins: config.log_agent.origins.iter().cloned().chain(centre).collect(),
        limits: config.log_agent.viewers,
    };
    Ok(Live::new(settings, files.clone(), keys, stop))
}

/// Makes metrics, tick by tick.
pub fn measure(config: &Config, sources: Sources, carbon: Carbon) -> Measure {
    let namer = Namer::new(&config.graphite.prefix, &config.node.dc, config.graphite.style);
    Measure::new(config, sources, carbon, namer)
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
