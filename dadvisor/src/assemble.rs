//! From the configuration to the parts of the daemon.

use crate::Error;
use crate::agent::{Parts, Shown};
use crate::beside::Beside;
use crate::board::Board;
use crate::collector::{Collector, Surroundings};
use crate::config::{Config, Family};
use crate::discover::cgroup_scan::Places;
use crate::discover::watch;
use crate::discover::{self, Discovery};
use crate::disk_usage::{self, DiskUsage};
use crate::host::Host;
use crate::http::Neighbours;
use crate::inapp::{self, Scraper};
use crate::kernel::Kernel;
use crate::oom::totals::OomTotals;
use crate::report::{self, Reporter, Sources};
use crate::scrapes::Scrapes;
use common::carbon::Carbon;
use common::center::{self, Center, Door};
use common::container::Rules;
use common::docker;
use common::files;
use common::mesos;
use common::metric::Namer;
use std::collections::BTreeMap;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Ticks this short are worth descriptors that stay open: 4.6 KiB of kernel memory each buy about two thirds of the reading time.
const HOLD_UP_TO: Duration = Duration::from_secs(2);

/// The kernel's side.
pub fn kernel(config: &Config) -> Result<Kernel, Error> {
    if let Err(error) = files::raise() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let own = &config.dadvisor;
    Ok(Kernel::open(own.roots(), own.kernel_families(), own.interval <= HOLD_UP_TO)?)
}

/// Between two scans for cgroups.
const SCAN_EVERY: Duration = Duration::from_secs(5);
/// For each question to the Mesos agent.
const MESOS_TIMEOUT: Duration = Duration::from_secs(5);

/// Where containers are looked for.
pub fn discovery_settings(config: &Config, kernel: &Kernel) -> Result<discover::Settings, Error> {
    let docker = config.node.docker.as_ref().map(|socket| docker::Settings {
        socket: socket.clone(),
        last_good: Some(config.state_dir().join("containers.json")),
        ..docker::Settings::default()
    });
    let agent = config
        .node
        .mesos_agent
        .as_deref()
        .map(|url| mesos::Agent::new(url, None, MESOS_TIMEOUT, Rules::default()));
    let agent = agent
        .transpose()
        .map_err(|e| Error::Config { key: "[node] mesos_agent", why: e.to_string() })?;
    let places = Places {
        root: kernel.scan_root(),
        proc_root: config.dadvisor.proc_root.clone(),
        mesos_root: "mesos".to_owned(),
        plain: config.dadvisor.cgroups.clone(),
    };
    let node = config.node.name.clone();
    let watch =
        watch::Settings { docker: docker.is_some(), places, node, interval: SCAN_EVERY, agent };
    Ok(discover::Settings { docker, watch })
}

/// What the side jobs need and count in.
pub fn beside(config: &Config, discovery: &Discovery) -> Result<Beside, Error> {
    let own = &config.dadvisor;
    let settings = inapp::Settings {
        proc: own.proc_root.clone(),
        series_max: own.inapp_series_max,
        ..inapp::Settings::default()
    };
    let disk = own.families.contains(&Family::DiskUsage).then(|| {
        let settings =
            disk_usage::Settings { proc: own.proc_root.clone(), ..disk_usage::Settings::default() };
        DiskUsage::start(settings).map(Arc::new)
    });
    Ok(Beside {
        watch: discovery.watch_stats.clone(),
        scraper: Arc::new(Scraper::new(settings)),
        disk: disk
            .transpose()
            .map_err(Error::system("cannot start the thread that walks disks"))?,
    })
}

/// What a report is made of, beside what discovery finds.
pub struct Told {
    /// Where the HTTP side listens.
    pub address: SocketAddr,
    /// OOM kills by container.
    pub kills: channel::Receiver<Arc<BTreeMap<String, u64>>>,
    /// Passes taken.
    pub passed: channel::Receiver<u64>,
    /// Takes metrics.
    pub carbon: Carbon,
}

/// Reports to the centre, if there is one. What the engine tells goes through the reporter then.
pub fn center(
    config: &Config,
    discovery: &mut Discovery,
    told: Told,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Option<Center>, Error> {
    let Some(api) = config.api.clone() else { return Ok(None) };
    let toward = api.url.host().parse().ok();
    let settings = center::Settings {
        api,
        node: config.node.name.clone(),
        agent: "dadvisor",
        state_dir: config.state_dir(),
        pace: center::Pace::default(),
    };
    let center = Center::start(settings, tasks, stop)
        .map_err(|e| Error::Config { key: "[api] ca_file", why: e.to_string() })?;
    let (onward, events) = mpsc::channel(discover::EVENTS);
    let sources = Sources {
        seen: discovery.seen.clone(),
        kills: told.kills,
        events: mem::replace(&mut discovery.events, events),
        onward,
        docker_stats: discovery.docker_stats.clone(),
        passed: told.passed,
        carbon: told.carbon,
    };
    let host = report::here(&config.dadvisor.roots());
    let door = Door { listen: told.address, tls: config.node.tls.is_some(), toward };
    let reporter = Reporter::new(sources, &config.node.dc, host, door);
    let (out, reports) = channel::channel(reporter.report());
    tasks.spawn(reporter.run(out, stop.clone()));
    center.report(reports);
    Ok(Some(center))
}

/// How the neighbours are, whenever somebody asks.
pub fn neighbours(
    carbon: &Carbon,
    discovery: &Discovery,
    beside: Arc<Beside>,
    center: Option<Center>,
) -> impl Fn() -> Neighbours + Send + Sync + 'static {
    let (carbon, engine, stats) =
        (carbon.clone(), discovery.engine.clone(), discovery.docker_stats.clone());
    move || Neighbours {
        carbon: carbon.status(),
        docker: engine.as_ref().map(|seen| seen.borrow().engine.clone()),
        docker_counts: stats.all().to_vec(),
        center: center.as_ref().map(Center::status),
        counts: beside.counts(),
    }
}

/// Asks what runs inside containers.
pub fn scrapes(
    config: &Config,
    discovery: &Discovery,
    beside: &Beside,
    passed: channel::Receiver<u64>,
    carbon: &Carbon,
    board: &Arc<Board>,
) -> Scrapes {
    Scrapes {
        scraper: Arc::clone(&beside.scraper),
        inventory: discovery.inventory.clone(),
        passed,
        carbon: carbon.clone(),
        board: Arc::clone(board),
        limit: config.dadvisor.interval.mul_f64(0.8),
    }
}

/// What the collector's thread needs.
pub fn parts(
    config: &Config,
    kernel: Kernel,
    carbon: Carbon,
    discovery: Discovery,
    shown: Shown,
    disk: Option<Arc<DiskUsage>>,
) -> Parts {
    let own = &config.dadvisor;
    let namer = Namer::new(&config.graphite.prefix, &config.node.dc, config.graphite.style);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let around = Surroundings {
        board: Arc::clone(&shown.board),
        namer: namer.clone(),
        recent_max: usize::try_from(own.recent_max).unwrap_or(usize::MAX),
        started_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
    };
    Parts {
        collector: Collector::new(kernel, around),
        host: Host::open(own.proc_root.clone(), own.sys_root.clone()),
        disk,
        totals: OomTotals::load(config.state_dir().join("oom.json")),
        carbon,
        namer,
        node: config.node.name.clone(),
        alone: config.alone,
        inventory: discovery.inventory,
        events: discovery.events,
        shown,
    }
}
