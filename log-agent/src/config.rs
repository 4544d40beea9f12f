//! `[log-agent]`: where logs are, where they go, how long they stay, and where this daemon is asked. The rest of the host's file is in
//! [`common::config`].

mod section;

pub use section::Section;

use crate::live;
use crate::ship::joining::Multiline;
use common::config::{self, Api, Certificate, Error, Graphite, Node, Source, api, graphite, node};
use common::reload::Reloads;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything this daemon is told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who this host is.
    pub node: Node,
    /// Where the centre is; None if there is none.
    pub api: Option<Api>,
    /// Where metrics go.
    pub graphite: Graphite,
    /// What is followed.
    pub log_agent: LogAgent,
    /// No centre and no Mesos agent are configured: this host sees all there is of its apps, so it writes their totals.
    pub alone: bool,
}

impl Config {
    /// Reads the named file, or the default one where there is one. With the config comes the same as text, for `--check`.
    pub fn load(named: Option<&Path>) -> Result<(Self, String), Error> {
        Self::of(&Source::read(named)?)
    }

    /// The pure part of [`Self::load`].
    pub fn of(source: &Source) -> Result<(Self, String), Error> {
        let mut reader = source.reader()?;
        let node = reader.section::<node::Section>();
        let api = reader.optional::<api::Section>();
        let config = Self {
            alone: api.is_none() && node.mesos_agent.is_none(),
            node,
            api,
            graphite: reader.section::<graphite::Section>(),
            log_agent: reader.section::<Section>(),
        };
        reader.finish(config)
    }

    /// Where this daemon keeps what must survive it.
    pub fn state_dir(&self) -> PathBuf {
        self.node.state_dir.join("log-agent")
    }
}

impl Reloads for Config {
    fn load(named: Option<&Path>) -> Result<Self, config::Error> {
        Self::load(named).map(|(config, _)| config)
    }

    fn listen(&self) -> SocketAddr {
        self.log_agent.listen
    }

    fn certificate(&self) -> Option<&Certificate> {
        self.node.tls.as_ref()
    }
}

/// `[log-agent]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAgent {
    /// Where the HTTP side listens.
    pub listen: SocketAddr,
    /// From one set of metrics to the next.
    pub interval: Duration,
    /// The container path of the log volume.
    pub log_path: String,
    /// Where the centre's own Docker engine makes volumes; None: nowhere.
    pub volumes_root: Option<PathBuf>,
    /// The data of the Docker engine, of which only volumes are read.
    pub docker_root: PathBuf,
    /// Where lines go; None: nowhere, they are only shown.
    pub sink: Option<Sink>,
    /// Most events of a batch.
    pub batch_events: usize,
    /// Most bytes of a batch.
    pub batch_bytes: usize,
    /// Globs beneath a log volume: what is read.
    pub include: Vec<String>,
    /// Globs beneath a log volume: what is not, though included.
    pub exclude: Vec<String>,
    /// How long acknowledged rotated files and the volumes of ended instances stay.
    pub keep: Duration,
    /// Most bytes of a volume.
    pub volume_quota: u64,
    /// What makes one event of several lines, for shipping only; None: each line is one.
    pub multiline: Option<Multiline>,
    /// Whether Docker's own log of a container is one more file.
    pub stdout: bool,
    /// Origins from which a browser may stream, besides this agent's own and the centre's.
    pub origins: Vec<String>,
    /// Most viewers at a time.
    pub viewers: live::Limits,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Apache Flume's Avro source.
    Flume(Flume),
    /// Files beneath this directory.
    Dir(PathBuf),
}

/// How Flume is talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flume {
    /// `host:port`, in order of preference.
    pub peers: Vec<String>,
    /// In which form.
    pub wire: Wire,
    /// Over so many connections at a time.
    pub connections: usize,
}

impl Sink {
    /// Outlets it has (see [`crate::outlet`]): a connection each.
    pub fn outlets(&self) -> usize {
        match self {
            Self::Flume(flume) => flume.connections,
            Self::Dir(_) => 1,
        }
    }
}

/// What the Avro source is set to speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// Plain.
    Plain,
    /// `compression-type = deflate`.
    Deflate,
    /// `ssl = true`; with the authorities that vouch for it, None: the system's.
    Tls(Option<PathBuf>),
}

#[cfg(test)]
mod tests;
