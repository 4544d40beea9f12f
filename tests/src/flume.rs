//! A real Apache Flume of a test's own, by the project's scripts: Avro source, channel, and what came out of it in files.

use crate::http;
use crate::wait::eventually;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How a node is set up, in the words of `flume/up.sh`; empty takes its default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings<'a> {
    /// `1.11.0` or `1.9.0`.
    pub version: &'a str,
    /// `file` or `memory`.
    pub channel: &'a str,
    /// Events the channel holds.
    pub capacity: &'a str,
    /// Events a batch may have.
    pub transaction: &'a str,
    /// `file_roll`, `null` or `none`.
    pub sink: &'a str,
    /// Options of the JVM.
    pub java: &'a str,
    /// More lines of the agent's file.
    pub conf: &'a str,
}

/// An event as it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// The line.
    pub body: Vec<u8>,
}

/// The node; killed and removed when this goes.
#[derive(Debug)]
pub struct Flume {
    dir: TempDir,
    set: BTreeMap<String, String>,
}

impl Flume {
    /// Starts one; it listens when this returns.
    pub fn start(settings: &Settings<'_>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("qae-flume.").tempdir()?;
        let mut flume = Self { dir, set: BTreeMap::new() };
        flume.start_again(settings)?;
        Ok(flume)
    }

    /// Starts one that was ended, on the same port and channel.
    pub fn start_again(&mut self, settings: &Settings<'_>) -> Result<()> {
        let set = [
            ("FLUME_VERSION", settings.version),
            ("FLUME_CHANNEL", settings.channel),
            ("FLUME_CAPACITY", settings.capacity),
            ("FLUME_TRANSACTION", settings.transaction),
            ("FLUME_SINK", settings.sink),
            ("FLUME_JAVA", settings.java),
            ("FLUME_CONF", settings.conf),
        ];
        let said = script("up.sh", self.dir.path(), &[], &set)?;
        let pairs = said.lines().filter_map(|line| line.split_once('='));
        self.set = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Ok(())
    }

    /// Ends it in order: what is under way is taken, its answer may be lost.
    pub fn stop(&self) -> Result<()> {
        script("down.sh", self.dir.path(), &[], &[]).map(drop)
    }

    /// Ends it as a crash would.
    pub fn kill(&self) -> Result<()> {
        script("down.sh", self.dir.path(), &["-9"], &[]).map(drop)
    }

    fn said(&self, name: &str) -> Result<&str> {
        self.set.get(name).map(String::as_str).with_context(|| format!("up.sh did not say {name}"))
    }

    /// Its Avro source, `host:port`.
    pub fn address(&self) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.said("FLUME_PORT")?))
    }

    /// Its process.
    pub fn pid(&self) -> Result<i32> {
        Ok(self.said("FLUME_PID")?.parse()?)
    }

    /// A counter: of `SOURCE.r1` `EventAcceptedCount`, of `CHANNEL.c1` `ChannelSize`.
    pub fn counter(&self, of: &str, name: &str) -> Result<u64> {
        let address = format!("127.0.0.1:{}", self.said("FLUME_METRICS_PORT")?);
        let all: Value = http::get(&address, "/metrics")?.json()?;
        let text = all[of][name].as_str().with_context(|| format!("no {of} {name} in {all}"))?;
        text.parse().with_context(|| format!("{of} {name} is {text}"))
    }

    /// Everything that came out, in the order it came, once `complete` says so of it. A sink without work naps up to 5 s.
    pub fn drained(&self, complete: impl Fn(&[Event]) -> Result<()>) -> Result<Vec<Event>> {
        eventually(Duration::from_secs(30), "everything comes out", || {
            let events = self.events()?;
            complete(&events)?;
            Ok(events)
        })
    }

    /// What came out so far.
    pub fn events(&self) -> Result<Vec<Event>> {
        let mut files: Vec<_> = fs::read_dir(self.said("FLUME_OUT")?)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        // named by the time of the start and a number
        files.sort_by_key(|path| path.as_os_str().len());
        files.sort();
        let mut events = Vec::new();
        for path in files {
            let text = fs::read(&path).with_context(|| path.display().to_string())?;
            let mut lines: Vec<_> = text.split(|b| *b == b'\n').collect();
            // what a crash tore is written again to the next file
            lines.pop();
            for line in lines {
                events
                    .push(event(line).with_context(|| String::from_utf8_lossy(line).into_owned())?);
            }
        }
        Ok(events)
    }
}

impl Drop for Flume {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{error:#}");
        }
    }
}

/// `{app=shop, file=a.log} the line`
fn event(line: &[u8]) -> Result<Event> {
    let end = line.windows(2).position(|w| w == b"} ").context("no headers")?;
    let headers = std::str::from_utf8(&line[..end])?.strip_prefix('{').context("no headers")?;
    let headers = headers.split(", ").filter(|entry| !entry.is_empty());
    let headers = headers
        .map(|entry| entry.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())))
        .collect::<Option<_>>();
    Ok(Event { headers: headers.context("no headers")?, body: line[end + 2..].to_vec() })
}

fn script(name: &str, dir: &Path, more: &[&str], set: &[(&str, &str)]) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("flume").join(name);
    let mut command = Command::new(&script);
    command.arg(dir).args(more);
    command.envs(set.iter().filter(|(_, value)| !value.is_empty()).copied());
    let out = command.output().with_context(|| script.display().to_string())?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{} {}: {said}", script.display(), dir.display());
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}
