//! A running `qae up` in a directory of its own.

use anyhow::{Context, Result, bail, ensure};
use e2e::daemon::binary;
use e2e::http::{self, Answer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to say where it is, on a busy machine.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end (contracts.md section 7).
pub const END: Duration = Duration::from_secs(10);

/// The directory it was started in.
pub fn directory() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("qae-up-").tempdir()?)
}

/// Killed when this goes.
#[derive(Debug)]
pub struct Up {
    child: Child,
    /// Lines of stdout.
    pub said: Vec<String>,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The code of the one-time sign-in.
    pub code: String,
    dir: PathBuf,
}

impl Up {
    /// Starts it; it works when this returns.
    pub fn start(dir: &Path) -> Result<Self> {
        let mut command = Command::new(binary("qae")?);
        command.arg("up").current_dir(dir).env_remove("DOCKER_HOST");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = lines(child.stdout.take().context("no stdout")?);
        let mut up = Self {
            child,
            said: vec![],
            address: String::new(),
            code: String::new(),
            dir: dir.to_owned(),
        };
        let end = Instant::now() + START;
        while up.said.last().is_none_or(|line| !line.starts_with("  next ")) {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => up.said.push(line),
                Err(e) => {
                    let errors = up.errors();
                    bail!("it said only {:?}: {e}; {errors}", up.said)
                }
            }
        }
        let first = up.said.first().context("nothing said")?;
        let link = first.strip_prefix("QAE runs: http://").with_context(|| first.clone())?;
        let (address, code) = link.split_once("/#signin=").with_context(|| first.clone())?;
        (up.address, up.code) = (address.to_owned(), code.to_owned());
        Ok(up)
    }

    /// What it wrote to stderr, once it has ended.
    fn errors(&mut self) -> String {
        self.child.kill().ok();
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).ok();
        }
        text
    }

    /// A command beneath the directory, not yet run.
    pub fn command(&self, line: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary("qae")?);
        command
            .args(line)
            .current_dir(&self.dir)
            .env_remove("QAE_URL")
            .env_remove("QAE_TOKEN_FILE");
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Runs it to its end.
    pub fn qae(&self, line: &[&str]) -> Result<Output> {
        Ok(self.command(line)?.output()?)
    }

    /// Its stdout; anything but success is an error.
    pub fn shown(&self, line: &[&str]) -> Result<String> {
        let out = self.qae(line)?;
        let errors = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.success(), "qae {line:?}: {}: {errors}", out.status);
        Ok(String::from_utf8(out.stdout)?)
    }

    /// The same as JSON.
    pub fn json(&self, line: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.shown(line)?)?)
    }

    /// Follows the events, as JSON.
    pub fn follow(&self) -> Result<Following> {
        let mut command = self.command(&["events", "-f", "--json", "-n", "0"])?;
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let lines = lines(child.stdout.take().context("no stdout")?);
        Ok(Following { child, lines })
    }

    /// A GET with the admin's token, as a script would make it.
    pub fn get(&self, path: &str) -> Result<Value> {
        let token = std::fs::read_to_string(self.dir.join(".qae/admin-token"))?;
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Authorization", bearer.as_str())];
        http::request(&self.address, "GET", path, &headers, "")?.json()
    }

    /// Any request without a token.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        http::request(&self.address, method, path, &[("Content-Type", "application/json")], body)
    }

    /// Ctrl-C: how it ended, and how long that took.
    pub fn interrupt(mut self) -> Result<(ExitStatus, Duration)> {
        let begin = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::INT)?;
        while begin.elapsed() < END + Duration::from_secs(1) {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, begin.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it did not end within {END:?}")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let errors = self.errors();
        self.child.wait().ok();
        eprintln!("qae up:\n{}\n{errors}", self.said.join("\n"));
    }
}

/// `qae events -f`.
#[derive(Debug)]
pub struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    /// The first event that is wanted.
    pub fn wait(
        &self,
        within: Duration,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let end = Instant::now() + within;
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line =
                line.with_context(|| format!("{what}: not within {within:?}; seen {seen:?}"))?;
            let event: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            if wanted(&event) {
                return Ok(event);
            }
            seen.push(format!("{} {}", event["type"], event["subject"]));
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Lines as they come, read by a thread of their own.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
