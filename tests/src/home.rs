//! A config file and a state directory in a temporary place, which outlive the process: start, kill, start again.

use crate::daemon::{Daemon, binary};
use anyhow::Result;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Of one daemon.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
    daemon: &'static str,
}

impl Home {
    /// Writes the config, made of the directory all is in.
    pub fn new(daemon: &'static str, config: impl FnOnce(&Path) -> String) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix(&format!("qae-{daemon}-")).tempdir()?;
        std::fs::write(dir.path().join("qae.toml"), config(dir.path()))?;
        Ok(Self { dir, daemon })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The config file.
    pub fn config(&self) -> PathBuf {
        self.dir().join("qae.toml")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// Rewrites the config, for what a daemon's settings have no field for.
    pub fn edit(&self, rewrite: impl FnOnce(&str) -> String) -> Result<()> {
        let text = std::fs::read_to_string(self.config())?;
        Ok(std::fs::write(self.config(), rewrite(&text))?)
    }

    /// The command that starts the daemon, not yet run.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary(self.daemon)?);
        command.arg("--config").arg(self.config()).stdin(Stdio::null());
        Ok(command)
    }

    /// Starts the daemon, with more environment; it listens when this returns.
    pub fn start_with<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &self,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Daemon> {
        let mut command = self.command()?;
        command.envs(environment);
        Daemon::start(self.daemon, command)
    }
}
