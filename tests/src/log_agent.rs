//! The built `log-agent`, run as a user would run it, on volumes beneath `volumes_root` or of Docker's containers.

use crate::daemon::Daemon;
use crate::home;
use anyhow::{Context, Result};
use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;

/// What goes into the config file; the rest is at its default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where Flume listens, in order; none for no Flume.
    pub flume: Vec<SocketAddr>,
    /// Docker's socket; empty for none.
    pub docker: PathBuf,
    /// More lines of `[log-agent]`, then other sections.
    pub more: String,
}

/// A config file, a state directory and a `volumes_root`, which outlive the process.
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
        let flume: Vec<String> = settings.flume.iter().map(SocketAddr::to_string).collect();
        let home = home::Home::new("log-agent", |dir| {
            format!(
                "[node]\nname = \"e2e\"\ndc = \"dc1\"\nstate_dir = {:?}\ndocker = {docker:?}\n\n[graphite]\ncarbon = []\n\n\
                 [log-agent]\nlisten = \"127.0.0.1:0\"\nvolumes_root = {:?}\nflume = {flume:?}\n{}\n",
                dir.join("state"),
                dir.join("volumes"),
                settings.more,
            )
        })?;
        fs::create_dir(home.dir().join("volumes"))?;
        Ok(Self(home))
    }

    /// The log volume of an instance, made if it is not there.
    pub fn volume(&self, app: &str, instance: &str) -> Result<PathBuf> {
        let dir = self.dir().join("volumes").join(app).join(instance);
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// Starts the daemon; it listens when this returns.
    pub fn start(&self) -> Result<Daemon> {
        self.start_with::<&str, &str>([])
    }
}
