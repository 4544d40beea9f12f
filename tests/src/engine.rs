//! A Docker engine of a test's own, for what would hurt others on the machine's: stopped, hung, killed, started with other options.
//!
//! It lives in a network namespace of its own, because a `dockerd` without a bridge removes `docker0`, whoever made it. Its containers
//! have no network but their loopback.

use crate::docker::{Docker, IMAGE, command};
use crate::wait::eventually;
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A running `dockerd`, its containers and everything beneath it.
#[derive(Debug)]
pub struct Engine {
    dir: TempDir,
    options: Vec<String>,
    daemon: Child,
}

impl Engine {
    /// Starts one with these options besides the usual, and puts the test image into it.
    pub fn start(options: &[&str]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("qae-engine-").tempdir()?;
        let options: Vec<_> = options.iter().map(|&o| o.to_owned()).collect();
        let daemon = spawn(dir.path(), &options)?;
        let engine = Self { dir, options, daemon };
        engine.wait_ready()?;
        let mut save = Docker::system("image")?.command();
        let mut save = save.args(["save", IMAGE]).stdout(Stdio::piped()).spawn()?;
        let image = save.stdout.take().context("no output of docker save")?;
        let load = engine.docker("image").command().arg("load").stdin(image).output()?;
        ensure!(save.wait()?.success() && load.status.success(), "the image was not copied");
        Ok(engine)
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// The command at it.
    pub fn docker(&self, test: &str) -> Docker {
        Docker::at(&self.socket(), test)
    }

    /// Hangs it (`STOP`) or lets it go on (`CONT`).
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.daemon), signal)?)
    }

    /// Ends it: `TERM` takes its containers down unless `--live-restore` is among its options, `KILL` leaves them.
    pub fn end(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        self.daemon.wait()?;
        Ok(())
    }

    /// Starts it again after [`Self::end`].
    pub fn start_again(&mut self) -> Result<()> {
        // a killed one leaves these, and its containerd may be a zombie that a new dockerd would wait for
        for file in ["pid", "exec/containerd/containerd.pid"] {
            std::fs::remove_file(self.dir.path().join(file)).ok();
        }
        self.daemon = spawn(self.dir.path(), &self.options)?;
        self.wait_ready()
    }

    fn wait_ready(&self) -> Result<()> {
        let log = self.dir.path().join("log");
        let ready = || {
            let out = command(&self.socket()).arg("version").output()?;
            ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            Ok(())
        };
        eventually(Duration::from_secs(120), "a Docker engine", ready).with_context(|| {
            std::fs::read_to_string(&log).unwrap_or_else(|e| format!("{}: {e}", log.display()))
        })
    }
}

fn spawn(dir: &Path, options: &[String]) -> Result<Child> {
    let at = |name: &str| dir.join(name).display().to_string();
    let log = File::options().create(true).append(true).open(dir.join("log"))?;
    Command::new("unshare")
        .args(["--net", "dockerd", "--bridge=none", "--iptables=false"])
        .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
        .args(["--host", &format!("unix://{}", at("docker.sock"))])
        .args(options)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("unshare --net dockerd: run tests/setup.sh docker")
}

/// Processes that name a directory in their command line, and their children.
fn beneath(dir: &Path) -> Vec<Pid> {
    let dir = dir.display().to_string();
    let pid = |text: &str| text.parse().ok().and_then(Pid::from_raw);
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|p| p.path()) {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&dir) {
            let name = process.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let children = process.join("task").join(name).join("children");
            let children = std::fs::read_to_string(children).unwrap_or_default();
            found.extend(children.split_ascii_whitespace().chain([name]).filter_map(pid));
        }
    }
    found
}

impl Drop for Engine {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.daemon);
        // an error means that it has ended
        for signal in [Signal::CONT, Signal::TERM] {
            kill_process(pid, signal).ok();
        }
        self.daemon.wait().ok();
        // its containerd outlives a killed dockerd; shims and containers outlive one with --live-restore
        for pid in beneath(self.dir.path()) {
            kill_process(pid, Signal::KILL).ok();
        }
        // mounts would keep the directory
        for line in std::fs::read_to_string("/proc/self/mounts").unwrap_or_default().lines() {
            let target = line.split(' ').nth(1).unwrap_or("");
            if Path::new(target).starts_with(self.dir.path()) {
                rustix::mount::unmount(target, rustix::mount::UnmountFlags::DETACH).ok();
            }
        }
    }
}
