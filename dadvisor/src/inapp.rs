//! What runs inside a container, on request by label: Prometheus text, Tomcat, Jolokia, nginx.
//!
//! A page is asked for on the container's own loopback, inside its network namespace (`netns.rs`), so it needs no published port and
//! nobody else can reach it; where the namespace may not be entered, through its published port. Everything is bounded: time, bytes,
//! series, concurrency. A broken app harms only itself: its error is kept with its target, and it is asked ever less often, up to five
//! minutes, until it answers or its container is started anew.

mod connectors;
mod error;
mod figures;
pub(crate) mod fuzzing;
mod jolokia;
mod netns;
mod nginx;
mod pace;
mod prometheus;
mod target;
mod tomcat;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use figures::Dropped;
pub use target::{Kind, Refused, Target, asked, without_userinfo};

use crate::kernel::process::cgroup_name;
use common::container::{Container, Network, Port};
use common::http::{Options, Response, Url, get_on};
use common::metric::Value;
use figures::Figures;
use futures_util::StreamExt;
use netns::{Failure, Namespaces};
use pace::Paces;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the host's `/proc` is.
    pub proc: PathBuf,
    /// For a whole page, connecting included.
    pub timeout: Duration,
    /// Most bytes of one answer.
    pub body_max: usize,
    /// Most series of one container.
    pub series_max: usize,
    /// Containers asked at the same time.
    pub concurrency: usize,
    /// Send histogram buckets and summary quantiles too.
    pub buckets: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            timeout: Duration::from_secs(2),
            body_max: 1 << 20,
            series_max: 200,
            concurrency: 16,
            buckets: false,
        }
    }
}

/// What one container's apps gave at one tick.
#[derive(Debug)]
pub struct Scraped {
    /// The container's id.
    pub id: String,
    /// Names below the instance, and figures.
    pub figures: Vec<(String, Value)>,
    /// The pages that gave nothing this time.
    pub failed: Vec<Failed>,
    /// What was not taken of the pages that did.
    pub dropped: Dropped,
}

/// A page that gave nothing.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Which page.
    pub kind: Kind,
    /// Why, when it was last asked.
    pub error: Arc<Error>,
    /// Failures in a row.
    pub times: u32,
    /// It was not asked this time, to spare it.
    pub paused: bool,
}

/// Counters since start.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Pages asked for.
    pub scrapes: u64,
    /// Pages not asked for because they keep failing.
    pub paused: u64,
    /// Failures by [`Error::cause`].
    pub failures: BTreeMap<&'static str, u64>,
    /// What was not taken.
    pub dropped: Dropped,
    /// Threads started to enter namespaces; more than one means that a namespace could not be left.
    pub namespace_threads: u64,
}

/// Asks containers for the pages their labels name.
#[derive(Debug)]
pub struct Scraper {
    settings: Settings,
    namespaces: Namespaces,
    paces: Mutex<Paces>,
    stats: Mutex<Stats>,
}

impl Scraper {
    /// Starts nothing yet.
    pub fn new(settings: Settings) -> Self {
        let namespaces = Namespaces::new(settings.proc.clone());
        Self { settings, namespaces, paces: Mutex::default(), stats: Mutex::default() }
    }

    /// Counters since start.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stats.namespace_threads = self.namespaces.threads_started();
        stats
    }

    /// Asks every container that has a label for it, until `deadline`. Containers without one are not in the answer. What is known
    /// of containers that are not in `targets` any more is forgotten.
    pub async fn scrape(&self, targets: &[Arc<Container>], deadline: Instant) -> Vec<Scraped> {
        self.paces().keep(targets.iter().map(|container| container.id.as_str()));
        let asking = targets.iter().filter_map(|container| {
            let asked = asked(&container.labels);
            (!asked.is_empty()).then(|| self.container(container, asked, deadline))
        });
        // not a lazy stream: the compiler could not show its future to be Send
        let asking: Vec<_> = asking.collect();
        let concurrency = self.settings.concurrency.max(1);
        futures_util::stream::iter(asking).buffer_unordered(concurrency).collect().await
    }

    async fn container(
        &self,
        container: &Container,
        asked: Vec<(Kind, Result<Target, Refused>)>,
        deadline: Instant,
    ) -> Scraped {
        let mut figures = Figures::new(self.settings.series_max);
        let mut failed = Vec::new();
        for (kind, target) in asked {
            let run = (container.id.as_str(), container.pid);
            if let Some(paused) = self.paces().paused(run, kind, Instant::now()) {
                self.stats.lock().unwrap_or_else(PoisonError::into_inner).paused += 1;
                failed.push(paused);
                continue;
            }
            let result = match target {
                Ok(target) => self.in_time(container, &target, deadline, &mut figures).await,
                Err(refused) => Err(Error::Refused(refused)),
            };
            {
                let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
                stats.scrapes += 1;
                if let Err(error) = &result {
                    *stats.failures.entry(error.cause()).or_default() += 1;
                }
            }
            match result {
                Ok(()) => self.paces().succeeded(container, kind),
                Err(error) => {
                    failed.push(self.paces().failed(container, kind, error, Instant::now()));
                }
            }
        }
        let dropped = figures.dropped;
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).dropped.add(&dropped);
        Scraped { id: container.id.clone(), figures: figures.list, failed, dropped }
    }

    async fn in_time(
        &self,
        container: &Container,
        target: &Target,
        deadline: Instant,
        out: &mut Figures,
    ) -> Result<(), Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::NoTime);
        }
        let page = self.page(container, target, out);
        match tokio::time::timeout(self.settings.timeout.min(left), page).await {
            Ok(result) => result,
            Err(_) if left < self.settings.timeout => Err(Error::NoTime),
            Err(_) => Err(Error::TimedOut(self.settings.timeout)),
        }
    }

    /// Asks for one target's page, or pages.
    async fn page(
        &self,
        container: &Container,
        target: &Target,
        out: &mut Figures,
    ) -> Result<(), Error> {
        let buckets = self.settings.buckets;
        let prometheus = |text: &str, out: &mut Figures| prometheus::parse(text, buckets, out);
        let parse: &(dyn Fn(&str, &mut Figures) -> Result<(), String> + Sync) = match target.kind {
            Kind::Jolokia => return self.jolokia(container, target, out).await,
            Kind::Tomcat => &tomcat::parse,
            Kind::Nginx => &nginx::parse,
            Kind::Prometheus => &prometheus,
        };
        let page = self.get(container, target, &target.path).await?;
        parse(&String::from_utf8_lossy(&page.body), out).map_err(Error::Page)
    }

    async fn jolokia(
        &self,
        container: &Container,
        target: &Target,
        out: &mut Figures,
    ) -> Result<(), Error> {
        let mut tomcat = connectors::Connectors::default();
        let base = target.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        for read in &jolokia::READS {
            let page = self.get(container, target, &format!("{base}{}", read.path)).await?;
            read.parse(&page.body, out, &mut tomcat).map_err(Error::Page)?;
        }
        tomcat.emit(out);
        Ok(())
    }

    /// A 200; anything else is an error with its cause.
    async fn get(
        &self,
        container: &Container,
        target: &Target,
        path: &str,
    ) -> Result<Response, Error> {
        // `localhost` is a name that Tomcat's RemoteAddrValve and most virtual hosts take
        let url = format!("http://localhost:{}{path}", target.port);
        let url = Url::parse(&url).map_err(|_| Error::Path)?;
        let options = Options {
            timeout: self.settings.timeout,
            max_body: self.settings.body_max,
            accept: match target.kind {
                Kind::Prometheus => "text/plain;version=0.0.4",
                _ => "*/*",
            },
            basic: target.basic.clone(),
            ..Options::default()
        };
        let stream = self.connect(container, target.port).await?;
        let page = get_on(stream, &url, &options).await?;
        if page.status == 200 { Ok(page) } else { Err(Error::Status(page.status)) }
    }

    /// Inside the namespace; if it may not be entered, through the published port.
    async fn connect(&self, container: &Container, port: u16) -> Result<TcpStream, Error> {
        let pid = container.pid.ok_or(Error::NotRunning)?;
        match self.namespaces.connect(pid, cgroup_name(container), port).await {
            Ok(stream) => Ok(stream),
            Err(Failure::Denied(error)) => match outside(container, port) {
                Some(address) => TcpStream::connect(address)
                    .await
                    .map_err(|error| Error::Connect { port: address.port(), error }),
                None => Err(Error::Denied { pid, port, error }),
            },
            Err(Failure::Gone) => Err(Error::Gone(pid)),
            Err(Failure::Enter(error)) => Err(Error::Enter { pid, error }),
            Err(Failure::Thread(error)) => Err(Error::Thread(error)),
            Err(Failure::Connect(error)) => Err(Error::Connect { port, error }),
        }
    }

    fn paces(&self) -> std::sync::MutexGuard<'_, Paces> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a container's port is on the host: the port itself with the host's network, else where it is published.
fn outside(container: &Container, port: u16) -> Option<SocketAddr> {
    if container.network == Network::Host {
        return Some((Ipv4Addr::LOCALHOST, port).into());
    }
    let ours = |p: &&Port| p.container_port == port && p.protocol == "tcp";
    let published = container.ports.iter().find(ours)?;
    let address = match published.address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    Some((address, published.port).into())
}
