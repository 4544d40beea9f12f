//! The built `dadvisor`, run as a user would run it: a config file, a state directory, signals.

use crate::daemon::Daemon;
use crate::home;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::ExitStatus;

/// What goes into the config file; the rest is at its default.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From tick to tick.
    pub interval: String,
    /// Carbon's address; empty for none.
    pub carbon: String,
    /// Docker's socket; empty for none.
    pub docker: PathBuf,
    /// More lines of `[dadvisor]`.
    pub more: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: "1s".to_owned(),
            carbon: String::new(),
            docker: PathBuf::from(crate::docker::SOCKET),
            more: String::new(),
        }
    }
}

/// A config file and a state directory, which outlive the process: start, kill, start again.
#[derive(Debug)]
pub struct Home(home::Home);

impl Deref for Home {
    type Target = home::Home;

    fn deref(&self) -> &home::Home {
        &self.0
    }
}

impl Home {
    /// Writes the config.
    pub fn new(settings: &Settings) -> Result<Self> {
        let docker = match settings.docker.to_str().context("a socket that is no text")? {
            "" => String::new(),
            socket => format!("unix://{socket}"),
        };
        let carbon = match settings.carbon.as_str() {
            "" => String::new(),
            address => format!("{address:?}"),
        };
        let home = home::Home::new("dadvisor", |dir| {
            format!(
                "[node]\nname = \"e2e\"\ndc = \"dc1\"\nstate_dir = {:?}\ndocker = {docker:?}\n\n\
                 [graphite]\ncarbon = [{carbon}]\n\n\
                 [dadvisor]\nlisten = \"127.0.0.1:0\"\ninterval = {:?}\n{}\n",
                dir.join("state"),
                settings.interval,
                settings.more,
            )
        })?;
        Ok(Self(home))
    }

    /// Starts the daemon; it listens when this returns.
    pub fn start(&self) -> Result<Dadvisor> {
        self.start_with::<&str, &str>([])
    }

    /// Starts it with more environment.
    pub fn start_with<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &self,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Dadvisor> {
        Ok(Dadvisor(self.0.start_with(environment)?))
    }
}

/// The running daemon, see [`Daemon`].
#[derive(Debug)]
pub struct Dadvisor(Daemon);

impl Deref for Dadvisor {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl DerefMut for Dadvisor {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}

impl Dadvisor {
    /// SIGKILL: it gets no chance to save anything.
    pub fn kill(self) -> Result<()> {
        self.0.kill()
    }

    /// SIGTERM, and its end within the promised time.
    pub fn stop(self) -> Result<ExitStatus> {
        self.0.stop()
    }

    /// A container, which it has read at least once.
    pub fn container(&self, id: &str) -> Result<Value> {
        let container = self.get(&format!("/v1/containers/{id}"))?;
        ensure!(!container["timestamp"].is_null(), "{id} is not read yet");
        Ok(container)
    }

    /// One of its metrics now; a metric that is absent is an error.
    pub fn metric(&self, id: &str, name: &str) -> Result<f64> {
        let container = self.container(id)?;
        let value = &container["metrics"][name];
        value.as_f64().with_context(|| format!("no {name} in {}", container["metrics"]))
    }

    /// The last hour of one of its metrics: Unix seconds and values.
    pub fn recent(&self, id: &str, metric: &str) -> Result<Vec<(u64, f64)>> {
        let recent = self.get(&format!("/v1/containers/{id}/recent?metric={metric}"))?;
        Ok(serde_json::from_value(recent["points"].clone())?)
    }
}
