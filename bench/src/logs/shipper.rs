//! The shippers that are measured, each as its own process in a fresh directory: our log-agent, and Debian's rsyslog as well tuned as we
//! know to.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A program that follows files and sends their lines on.
#[derive(Clone)]
pub enum Shipper {
    /// The built binary.
    LogAgent(PathBuf),
    /// rsyslog, from Debian.
    Rsyslog,
}

/// Where its log volume and its state are; both outlive a process.
pub struct Place {
    dir: tempfile::TempDir,
    /// More lines of log-agent's section.
    more: String,
}

impl Place {
    /// A fresh one.
    pub fn new() -> Result<Self> {
        Self::with("")
    }

    /// A fresh one, with more lines of log-agent's section.
    pub fn with(more: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("qae-bench-logs-").tempdir()?;
        let place = Self { dir, more: more.to_owned() };
        fs::create_dir_all(place.volume())?;
        fs::create_dir(place.dir.path().join("state"))?;
        Ok(place)
    }

    /// Where all of it is; on the file system of the log volume.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The log volume: what is written here is followed.
    pub fn volume(&self) -> PathBuf {
        self.dir().join("volumes/bench/one")
    }

    /// The log volume of another instance of the same app, made.
    pub fn volume_of(&self, instance: &str) -> Result<PathBuf> {
        let path = self.dir().join("volumes/bench").join(instance);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Where the daemon says that it listens.
    pub fn listens(&self, within: Duration) -> Result<String> {
        e2e::wait::eventually(within, "its address", || {
            let log = fs::read_to_string(self.dir().join("log"))?;
            let (_, rest) = log.rsplit_once("listening on http://").context(log.clone())?;
            rest.split_ascii_whitespace().next().map(str::to_owned).context("no address")
        })
    }

    /// A file of the daemon's state, as if an earlier run had left it.
    pub fn keep(&self, name: &str, text: &str) -> Result<()> {
        let path = self.state().join(name);
        fs::create_dir_all(path.parent().context("a name without a directory")?)?;
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir().join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

/// One that runs, until it is dropped.
pub struct Process(Child);

impl Process {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(e) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("bench: a shipper stays: {e}");
        }
    }
}

impl Shipper {
    /// What it is called in a table.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LogAgent(_) => "log-agent",
            Self::Rsyslog => "rsyslog, tuned",
        }
    }

    /// Starts it: it follows `pattern` in the place's volume and sends to `sink`.
    pub fn start(&self, place: &Place, pattern: &str, sink: SocketAddr) -> Result<Process> {
        let command = match self {
            Self::LogAgent(binary) => log_agent(binary, place, pattern, sink)?,
            Self::Rsyslog => rsyslog(place, pattern, sink)?,
        };
        start(command, place.dir.path())
    }
}

fn start(mut command: Command, dir: &Path) -> Result<Process> {
    let log = File::options().append(true).create(true).open(dir.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(Process(command.spawn().with_context(|| format!("{command:?}"))?))
}

fn log_agent(binary: &Path, place: &Place, pattern: &str, sink: SocketAddr) -> Result<Command> {
    // nobody listens there: a centre that is away
    let token = place.write("token", "none")?;
    let config = format!(
        "[api]\nurl = \"http://127.0.0.1:9\"\ntoken_file = {token:?}\n[node]\nname = \"bench\"\ndocker = \"\"\nstate_dir = {:?}\n[graphite]\ncarbon = []\n\
         [log-agent]\nlisten = \"127.0.0.1:0\"\nvolumes_root = {:?}\ninclude = [{pattern:?}]\nflume = [\"{sink}\"]\n{}\n",
        place.state(),
        place.dir.path().join("volumes"),
        place.more,
    );
    let mut command = Command::new(binary);
    command.arg("--config").arg(place.write("qae.toml", &config)?);
    Ok(command)
}

/// Tuned: raw lines, large batches, queues in memory, one worker each, framing that costs nothing, jemalloc where it is there; it waits for
/// its sink and never drops.
fn rsyslog(place: &Place, pattern: &str, sink: SocketAddr) -> Result<Command> {
    let config = format!(
        r#"global(workDirectory={state:?} maxMessageSize="64k" net.enableDNS="off")
module(load="imfile" mode="inotify")
main_queue(queue.type="FixedArray" queue.size="400000" queue.dequeueBatchSize="8192" queue.workerThreads="1" queue.timeoutEnqueue="2000000000")
template(name="raw" type="list") {{ property(name="msg") constant(value="\n") }}
ruleset(name="out" queue.type="FixedArray" queue.size="400000" queue.dequeueBatchSize="8192" queue.workerThreads="1" queue.timeoutEnqueue="2000000000") {{
  action(type="omfwd" target="{ip}" port="{port}" protocol="tcp" template="raw" TCP_Framing="traditional" KeepAlive="off"
         action.resumeRetryCount="-1" action.resumeInterval="1")
}}
input(type="imfile" file="{files}" tag="b" ruleset="out" freshStartTail="off" reopenOnTruncate="on" addMetadata="off"
      maxSubmitAtOnce="8192" persistStateInterval="50000" persistStateAfterSubmission="on")
"#,
        state = place.state(),
        ip = sink.ip(),
        port = sink.port(),
        files = place.volume().join(pattern).display(),
    );
    let mut command = Command::new("rsyslogd");
    command.arg("-n").arg("-f").arg(place.write("rsyslog.conf", &config)?);
    command.arg("-i").arg(place.state().join("pid"));
    let jemalloc = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
    if Path::new(jemalloc).exists() {
        command.env("LD_PRELOAD", jemalloc);
    }
    Ok(command)
}
