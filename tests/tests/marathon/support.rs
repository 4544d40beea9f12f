//! A played Marathon, a centre that follows it, a reader of the bus.

use anyhow::{Context, Result, ensure};
use e2e::centre::{Centre, Home, Settings};
use e2e::marathon::{Marathon, Version};
use e2e::sse::{Frame, Sse};
use e2e::wait::eventually;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What has to be seen soon is seen within this.
pub const SOON: Duration = Duration::from_secs(5);
/// A connection was lost and is made again: two waits of up to some seconds.
pub const AGAIN: Duration = Duration::from_secs(12);

/// All three.
pub struct Lab {
    pub marathon: Marathon,
    pub home: Home,
    pub centre: Centre,
}

impl Lab {
    /// One server.
    pub fn new(version: Version) -> Result<Self> {
        Self::of(Marathon::start(version)?)
    }

    /// Through all of its servers.
    pub fn of(marathon: Marathon) -> Result<Self> {
        let config = marathon.config("m");
        Self::with(marathon, &config)
    }

    /// With a config of one's own.
    pub fn with(marathon: Marathon, config: &str) -> Result<Self> {
        let home = Home::new(&Settings { more: config.to_owned(), ..Settings::default() })?;
        let centre = home.start()?;
        Ok(Self { marathon, home, centre })
    }

    /// Tasks by id, those that have not ended.
    pub fn tasks(&self) -> Result<BTreeMap<String, Value>> {
        let items = self.centre.items("/v1/instances?limit=1000")?;
        let named = |i: Value| Some((i["id"].as_str()?.to_owned(), i));
        Ok(items.into_iter().filter_map(named).collect())
    }

    /// Until exactly these tasks live.
    pub fn until(&self, within: Duration, wanted: &[String]) -> Result<()> {
        let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        eventually(within, "these tasks", || {
            let tasks = self.tasks()?;
            let have: Vec<&str> = tasks.keys().map(String::as_str).collect();
            ensure!(have == wanted, "{have:?} instead of {wanted:?}; {}", self.cluster("m")?);
            Ok(())
        })
    }

    /// Until a task is so: `running healthy`.
    pub fn until_task(&self, within: Duration, task: &str, wanted: &str) -> Result<Value> {
        eventually(within, &format!("{task} {wanted}"), || {
            let tasks = self.tasks()?;
            let found = tasks.get(task).with_context(|| format!("no {task} in {tasks:?}"))?;
            let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
            let is = format!("{} {}", text("state"), text("health"));
            ensure!(is == wanted, "{task} is {is}; {}", self.cluster("m")?);
            Ok(found.clone())
        })
    }

    /// A cluster as `/v1/clusters` has it.
    pub fn cluster(&self, name: &str) -> Result<Value> {
        let all = self.centre.items("/v1/clusters")?;
        let found = all.iter().find(|c| c["name"] == name);
        found.cloned().with_context(|| format!("no cluster {name} in {all:?}"))
    }

    /// Until the cluster is in this state and its detail has these words.
    pub fn until_cluster(&self, within: Duration, state: &str, detail: &str) -> Result<Value> {
        eventually(within, &format!("cluster {state}, {detail:?}"), || {
            let cluster = self.cluster("m")?;
            let told = cluster["detail"].as_str().unwrap_or_default();
            ensure!(cluster["state"] == state && told.contains(detail), "{cluster}");
            Ok(cluster)
        })
    }

    /// A figure of `/metrics`.
    pub fn figure(&self, name: &str) -> Result<f64> {
        let text = String::from_utf8(self.centre.call("GET", "/metrics", "")?.body)?;
        let begin = format!("qae_marathon_{name}{{cluster=\"m\"}} ");
        let line = text.lines().find_map(|l| l.strip_prefix(&begin));
        line.with_context(|| format!("no {begin}"))?.parse().with_context(|| begin.clone())
    }

    /// Follows the bus from now on.
    pub fn bus(&self) -> Result<Sse> {
        let head = self.centre.json("/v1/snapshot?topics=apps")?;
        let cursor = head["cursor"].as_str().context("no cursor")?.to_owned();
        self.centre.follow("all", &cursor)
    }
}

/// The next event of a kind about a subject.
pub fn told(bus: &Sse, kind: &str, subject: &str) -> Result<Frame> {
    bus.wait(SOON, &format!("{kind} of {subject}"), |frame| {
        frame.kind == kind && frame.data["subject"] == subject
    })
}
