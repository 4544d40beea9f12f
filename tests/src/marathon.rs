//! A played Marathon: apps, tasks, health, deployments and events as Marathon 0.8 to 1.11 has them, on as many servers as wanted, with every
//! fault that is known of it, on demand. Written from Marathon's sources and apart from the code under test.
//!
//! One [`Marathon`] is a cluster; its servers share the state, one of them leads. What a test does to it ([`Marathon::launch`],
//! [`Marathon::kill`]...) changes what is listed and is told as the events that this version tells, unless [`Marathon::mute`]d.

mod cluster;
mod events;
mod faults;
mod json;
mod server;

pub use faults::Fault;
pub use server::Asked;

use anyhow::{Context, Result};
use cluster::Cluster;
use serde_json::Value;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which Marathon is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 0.8.2: no stream, no states, no embedding.
    V0_8,
    /// 0.10.1: a stream without `event:` lines.
    V0_10,
    /// 1.3.14: plain task ids, a launch is a status update, standbys proxy the stream.
    V1_3,
    /// 1.4.13: instances, null fields, old networking.
    V1_4,
    /// 1.9.109: new networking, incarnations, standbys redirect the stream.
    V1_9,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Self::V0_8 => "0.8.2",
            Self::V0_10 => "0.10.1",
            Self::V1_3 => "1.3.14",
            Self::V1_4 => "1.4.13",
            Self::V1_9 => "1.9.109",
        }
    }
}

/// The cluster and its servers. Everything ends when this goes.
#[derive(Debug)]
pub struct Marathon {
    shared: Arc<Shared>,
    addresses: Vec<String>,
}

#[derive(Debug)]
struct Shared {
    cluster: Mutex<Cluster>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Marathon {
    /// Starts one server, which leads.
    pub fn start(version: Version) -> Result<Self> {
        Self::with_servers(version, 1)
    }

    /// Starts so many; the first leads.
    pub fn with_servers(version: Version, count: usize) -> Result<Self> {
        let listeners: Vec<TcpListener> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let addresses: Vec<String> = listeners
            .iter()
            .map(|l| l.local_addr().map(|a| a.to_string()))
            .collect::<Result<_, _>>()?;
        let cluster = Cluster::new(version, addresses.clone());
        let shared = Arc::new(Shared { cluster: Mutex::new(cluster) });
        for (index, listener) in listeners.into_iter().enumerate() {
            let weak = Arc::downgrade(&shared);
            std::thread::spawn(move || server::accept(&listener, index, &weak));
        }
        Ok(Self { shared, addresses })
    }

    /// Where server `n` listens, `127.0.0.1:PORT`.
    pub fn address(&self, n: usize) -> &str {
        &self.addresses[n]
    }

    /// Lines of the API's config that follow it as this cluster, through all of its servers.
    pub fn config(&self, name: &str) -> String {
        let urls: Vec<String> = self.addresses.iter().map(|a| format!("\"http://{a}\"")).collect();
        Self::config_of(name, &urls.join(", "))
    }

    /// The same through given addresses.
    pub fn config_of(name: &str, urls: &str) -> String {
        format!(
            "\n[[cluster]]\nname = {name:?}\ndc = \"dc1\"\nkind = \"marathon\"\nurl = [{urls}]\n"
        )
    }

    /// Asks for these credentials from now on.
    pub fn require(&self, user: &str, password: &str) {
        self.shared.lock().credentials = Some((user.to_owned(), password.to_owned()));
    }

    /// Another server leads: all streams are closed, as the old leader does.
    pub fn lead(&self, server: usize) {
        let mut cluster = self.shared.lock();
        cluster.leader = Some(server);
        cluster.forget_health();
        cluster.close_streams();
    }

    /// Nobody leads.
    pub fn lose_leader(&self) {
        let mut cluster = self.shared.lock();
        cluster.leader = None;
        cluster.close_streams();
    }

    /// Begins a fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.lock().faults.begin(fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.shared.lock().faults = faults::Faults::default();
    }

    /// Closes every stream.
    pub fn close_streams(&self) {
        self.shared.lock().close_streams();
    }

    /// Changes from now on are not told; until [`Self::unmute`].
    pub fn mute(&self) {
        self.shared.lock().muted = true;
    }

    /// Changes are told again.
    pub fn unmute(&self) {
        self.shared.lock().muted = false;
    }

    /// Time between heartbeats; 10 s unless set.
    pub fn heartbeat(&self, every: Duration) {
        self.shared.lock().heartbeat = every;
    }

    /// Events that fit into a reader's buffer; 1024 unless set. A reader that has more to come is cut off (1.8+), or misses events.
    pub fn buffer(&self, events: usize) {
        self.shared.lock().buffer = events;
    }

    /// Open streams.
    pub fn streams(&self) -> usize {
        self.shared.lock().streams()
    }

    /// Requests so far, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.lock().asked.clone()
    }

    /// How often a path (without its query) was asked for.
    pub fn count(&self, path: &str) -> usize {
        self.shared.lock().asked.iter().filter(|a| a.path == path).count()
    }

    /// Defines an app on a bridge, with one port, one health check, and as many running, healthy tasks as wanted.
    pub fn run_app(&self, id: &str, instances: u32) -> Result<Vec<String>> {
        self.define(id, instances);
        let tasks: Vec<String> = (0..instances).map(|_| self.launch(id)).collect::<Result<_>>()?;
        for task in &tasks {
            self.started(task)?;
            self.check(task, true)?;
        }
        Ok(tasks)
    }

    /// Creates an app, or another definition of it, without tasks.
    pub fn define(&self, id: &str, instances: u32) {
        self.shared.lock().define(id, instances);
    }

    /// Sets a label, which is another definition.
    pub fn label(&self, app: &str, key: &str, value: &str) -> Result<()> {
        self.shared.lock().label(app, key, value)
    }

    /// Puts an app onto the host's network, its own addresses (`container`), or a bridge.
    pub fn network(&self, app: &str, mode: &str) -> Result<()> {
        self.shared.lock().network(app, mode)
    }

    /// Deletes an app with its tasks.
    pub fn delete(&self, app: &str) -> Result<()> {
        self.shared.lock().delete(app)
    }

    /// A new task of an app, staging. Answers its id.
    pub fn launch(&self, app: &str) -> Result<String> {
        self.shared.lock().launch(app)
    }

    /// It runs.
    pub fn started(&self, task: &str) -> Result<()> {
        self.shared.lock().status(task, "TASK_RUNNING", "")
    }

    /// Mesos says something of it: `TASK_FAILED`, `TASK_KILLING`... Ended ones are listed no more.
    pub fn say(&self, task: &str, status: &str, message: &str) -> Result<()> {
        self.shared.lock().status(task, status, message)
    }

    /// It is killed.
    pub fn kill(&self, task: &str) -> Result<()> {
        self.say(task, "TASK_KILLED", "Container exited with status 143")
    }

    /// Its check has a result.
    pub fn check(&self, task: &str, alive: bool) -> Result<()> {
        self.shared.lock().check(task, alive)
    }

    /// It fails and is started again: under the same instance from 1.8 on. Answers the new task's id.
    pub fn replace(&self, task: &str) -> Result<String> {
        self.shared.lock().replace(task)
    }

    /// Its host is lost. With `given_up` it is expunged at once, as the default strategy has it: no end is told.
    pub fn unreachable(&self, task: &str, given_up: bool) -> Result<()> {
        self.shared.lock().unreachable(task, given_up)
    }

    /// An event of any kind.
    pub fn tell(&self, kind: &str, body: Value) {
        self.shared.lock().tell(kind, body);
    }

    /// Bytes into every stream, as they are.
    pub fn raw(&self, bytes: &[u8]) {
        self.shared.lock().raw(bytes);
    }

    /// The ids of the tasks that are listed.
    pub fn tasks(&self) -> Vec<String> {
        self.shared.lock().tasks.keys().cloned().collect()
    }

    /// The instance of a task, for events of one's own.
    pub fn instance(&self, task: &str) -> Result<String> {
        let cluster = self.shared.lock();
        let task = cluster.tasks.get(task).with_context(|| format!("no task {task}"))?;
        Ok(task.instance.clone())
    }
}

impl Drop for Marathon {
    fn drop(&mut self) {
        // streams hold on to the state until they are closed; a listener that is woken sees that it is gone
        self.shared.lock().end();
        for address in &self.addresses {
            drop(std::net::TcpStream::connect(address));
        }
    }
}
