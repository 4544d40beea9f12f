//! `[server]` and `[[cluster]]`: where the centre listens, what it keeps its state in, and which schedulers it follows. The rest of the
//! host's file is in [`common::config`].

pub mod cluster;

pub use cluster::{Cluster, Kind};

use common::config::{self, At, Certificate, Error, Graphite, Node, Source, graphite, node, text};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything this daemon is told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who this host is.
    pub node: Node,
    /// Where figures go, and where they are read for charts.
    pub graphite: Graphite,
    /// The centre itself.
    pub server: Server,
    /// The schedulers, by name.
    pub clusters: Vec<Cluster>,
}

impl Config {
    /// Reads the named file, or the default one where there is one. With the config comes the same as text, for `--check`.
    pub fn load(named: Option<&Path>) -> Result<(Self, String), Error> {
        Self::of(&Source::read(named)?)
    }

    /// The pure part of [`Self::load`].
    pub fn of(source: &Source) -> Result<(Self, String), Error> {
        let mut reader = source.reader()?;
        let config = Self {
            node: reader.section::<node::Section>(),
            graphite: reader.section::<graphite::Section>(),
            server: reader.section::<Section>(),
            clusters: reader.sections::<cluster::Section>(),
        };
        let (config, listing) = reader.finish(config)?;
        let faults = cluster::clashes(&config.clusters);
        if faults.is_empty() {
            return Ok((config, listing));
        }
        Err(Error::Invalid { path: source.path().to_owned(), faults })
    }

    /// Where this daemon keeps what must survive it: its store, unless that is elsewhere, and the admin's token.
    pub fn state_dir(&self) -> PathBuf {
        self.node.state_dir.join("api")
    }

    /// The store's URL.
    pub fn store_url(&self) -> String {
        match &self.server.store {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.state_dir().join("qae.db").display()),
        }
    }
}

/// `[server]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where the HTTP side listens.
    pub listen: SocketAddr,
    /// `sqlite:/path` or `postgres://...`; None for SQLite in the state directory.
    pub store: Option<String>,
    /// What it proves itself with; None for plain HTTP.
    pub tls: Option<Certificate>,
    /// Who vouches for agents that serve TLS; None for the system's authorities.
    pub agents_ca: Option<PathBuf>,
    /// Most events kept.
    pub keep_events: u64,
    /// How long an event is kept at most.
    pub keep_for: Duration,
}

/// `[server]` as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    #[serde(with = "text::listen")]
    listen: SocketAddr,
    store: String,
    cert: String,
    key: String,
    agents_ca: String,
    keep_events: u64,
    #[serde(with = "text::duration")]
    keep_for: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Section {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7000)),
            store: String::new(),
            cert: String::new(),
            key: String::new(),
            agents_ca: String::new(),
            keep_events: 100_000,
            keep_for: 7 * DAY,
        }
    }
}

/// Fewer events would send every reader that pauses for a moment back to a snapshot.
const KEEP_EVENTS: std::ops::RangeInclusive<u64> = 1_000..=10_000_000;
/// Likewise; and an end that is no end is a mistake.
const KEEP_FOR: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(3_600)..=Duration::from_secs(366 * 86_400);

impl config::Section for Section {
    const NAME: &'static str = "server";
    type Checked = Server;

    fn check(&mut self, at: &mut At<'_>) -> Server {
        let store = (!self.store.is_empty()).then(|| self.store.clone());
        if store.as_deref().is_some_and(|url| !is_store(url)) {
            at.fault("store", "must be \"sqlite:/absolute/path.db\", \"postgres://user:password@host/database\", or \"\" for SQLite in the state directory");
        }
        if !KEEP_EVENTS.contains(&self.keep_events) {
            at.fault("keep_events", "must be 1000 to 10000000; 100000 is the default");
        }
        if !KEEP_FOR.contains(&self.keep_for) {
            at.fault("keep_for", "must be \"1h\" to \"366days\"; \"7days\" is the default");
        }
        if !self.agents_ca.is_empty() && !self.agents_ca.starts_with('/') {
            at.fault("agents_ca", "must be an absolute path, or \"\" for the system's authorities");
        }
        Server {
            listen: self.listen,
            store,
            tls: Certificate::typed(&self.cert, &self.key, at),
            agents_ca: (!self.agents_ca.is_empty()).then(|| PathBuf::from(&self.agents_ca)),
            keep_events: self.keep_events,
            keep_for: self.keep_for,
        }
    }
}

/// Whether this is a URL the store takes. What PostgreSQL thinks of the rest is known when it is asked.
fn is_store(url: &str) -> bool {
    let clean = !url.chars().any(|c| c.is_control() || c.is_whitespace());
    match url.split_once(':') {
        Some(("sqlite", path)) => {
            path.starts_with('/') && !path.starts_with("//") && !path.contains(['?', '#', '%'])
        }
        Some(("postgres" | "postgresql", rest)) => {
            clean && rest.strip_prefix("//").is_some_and(|r| !r.is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
