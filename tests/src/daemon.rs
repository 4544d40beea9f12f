//! A built daemon as a process: started with a config file, told by signals, killed when the test ends.

use crate::http::{self, Answer};
use crate::wait::eventually;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long it may take to say where it listens, an emulated processor included.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end (contracts.md section 7).
const END: Duration = Duration::from_secs(10);

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
pub struct Daemon {
    name: String,
    child: Child,
    /// Where it listens, `127.0.0.1:PORT`.
    pub address: String,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts it; it listens when this returns.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let log = Arc::new(Mutex::new(String::new()));
        follow(child.stderr.take().context("no standard error")?, Arc::clone(&log));
        let mut daemon = Self { name: name.to_owned(), child, address: String::new(), log };
        daemon.address = eventually(START, "its address", || {
            let log = daemon.log();
            ensure!(daemon.child.try_wait()?.is_none(), "{name} ended: {log}");
            let (_, rest) = log.split_once("listening on http").context(log.clone())?;
            let rest = rest.trim_start_matches('s').trim_start_matches("://");
            rest.split_ascii_whitespace().next().map(str::to_owned).context("no address")
        })?;
        Ok(daemon)
    }

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

    /// The sum of a metric's values on `/metrics`, over its labels; 0 if it is not there.
    pub fn figure(&self, name: &str) -> Result<f64> {
        let answer = self.ask("/metrics")?;
        let text = String::from_utf8_lossy(&answer.body);
        let values = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .map(|line| line.rsplit(' ').next().unwrap_or_default());
        values.map(|v| v.parse::<f64>().with_context(|| format!("{name} {v}"))).sum()
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

impl Drop for Daemon {
    fn drop(&mut self) {
        // an error means that it has ended
        self.child.kill().ok();
        self.child.wait().ok();
        eprintln!("{} {}:\n{}", self.name, self.child.id(), self.log());
    }
}
