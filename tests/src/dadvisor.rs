//! The built `dadvisor`, run as a user would run it: a config file, a state directory, signals.

use crate::http::{self, Answer};
use crate::wait::eventually;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to say where it listens, an emulated processor included.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end (contracts.md section 7).
const END: Duration = Duration::from_secs(10);

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
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// Writes the config.
    pub fn new(settings: &Settings) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("qae-dadvisor-").tempdir()?;
        let docker = match settings.docker.to_str().context("a socket that is no text")? {
            "" => String::new(),
            socket => format!("unix://{socket}"),
        };
        let carbon = match settings.carbon.as_str() {
            "" => String::new(),
            address => format!("{address:?}"),
        };
        let config = format!(
            "[node]\nname = \"e2e\"\ndc = \"dc1\"\nstate_dir = {:?}\ndocker = {docker:?}\n\n\
             [graphite]\ncarbon = [{carbon}]\n\n\
             [dadvisor]\nlisten = \"127.0.0.1:0\"\ninterval = {:?}\n{}\n",
            dir.path().join("state"),
            settings.interval,
            settings.more,
        );
        std::fs::write(dir.path().join("qae.toml"), config)?;
        Ok(Self { dir })
    }

    /// The config file.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("qae.toml")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Rewrites the config, for what [`Settings`] has no field for.
    pub fn edit(&self, rewrite: impl FnOnce(&str) -> String) -> Result<()> {
        let text = std::fs::read_to_string(self.config())?;
        Ok(std::fs::write(self.config(), rewrite(&text))?)
    }

    /// The command that starts the daemon, not yet run.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary("dadvisor")?);
        command.arg("--config").arg(self.config()).stdin(Stdio::null());
        Ok(command)
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
        let mut command = self.command()?;
        command.envs(environment).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let log = Arc::new(Mutex::new(String::new()));
        follow(child.stderr.take().context("no standard error")?, Arc::clone(&log));
        let mut dadvisor = Dadvisor { child, address: String::new(), log };
        dadvisor.address = eventually(START, "dadvisor's address", || {
            let log = dadvisor.log();
            let (_, rest) = log.split_once("listening on http://").context(log.clone())?;
            rest.split_ascii_whitespace().next().map(str::to_owned).context("no address")
        })?;
        Ok(dadvisor)
    }
}

/// Collects what it logs, to the end of its life.
fn follow(stderr: ChildStderr, log: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
            if let Ok(mut log) = log.lock() {
                log.push_str(&line);
                log.push('\n');
            }
        }
    });
}

/// A built binary: beside the directory of the running test, or in `QAE_BIN_DIR`.
pub fn binary(name: &str) -> Result<PathBuf> {
    let dir = match std::env::var_os("QAE_BIN_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => {
            let test = std::env::current_exe()?;
            test.ancestors().nth(2).map(Path::to_owned).context("no directory above the test")?
        }
    };
    let path = dir.join(name);
    ensure!(path.exists(), "{} is not there: cargo build -p {name}", path.display());
    Ok(path)
}

/// The running daemon. Killed when this goes; its log is printed, which shows when the test fails.
#[derive(Debug)]
pub struct Dadvisor {
    child: Child,
    /// Where it listens, `127.0.0.1:PORT`.
    pub address: String,
    log: Arc<Mutex<String>>,
}

impl Dadvisor {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().map(|log| log.clone()).unwrap_or_default()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A GET at it, whatever the status.
    pub fn ask(&self, path: &str) -> Result<Answer> {
        http::get(&self.address, path)
    }

    /// A GET at it, as JSON.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.ask(path)?.json().with_context(|| path.to_owned())
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

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// SIGKILL: it gets no chance to save anything.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and its end within the promised time.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(END)
    }

    /// Its end, within a time.
    pub fn ended(&mut self, within: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + within;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it did not end within {within:?}")
    }
}

impl Drop for Dadvisor {
    fn drop(&mut self) {
        // an error means that it has ended
        self.child.kill().ok();
        self.child.wait().ok();
        eprintln!("dadvisor {}:\n{}", self.child.id(), self.log());
    }
}
