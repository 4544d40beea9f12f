//! The nodes: takes the reports of their agents, notices who falls silent, and knows what every node said last.
//!
//! ```text
//! report --> who speaks? (run, claim) --> known digest? --yes--> last seen, done: no SQL, a microsecond
//!                                               |no
//!                                               v
//!                          one at a time per node: facts into the view --> reconcile --> centre --> row of `agents`, within a second
//! ```
//!
//! A report is accepted once what it changes is committed. If that fails, its digest is not known, and the agent sends it whole again. The rows
//! of `agents` may be a second old after a crash: then digests differ, reports come whole, and the store is asked before a short life or
//! an OOM kill is told ([`crate::reconcile::Told`]). Nobody is called silent in the first 30 s of a process, nor when it was itself asleep.
//!
//! Several processes may share a store. Each takes what reaches it; the others read its rows every few seconds; one of them, by lease,
//! calls agents silent.

mod counts;
mod entry;
mod error;
mod forget;
mod judge;
mod load;
mod lost;
pub(crate) mod rows;
mod run;
mod shipped;
mod sweep;
#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use error::ReportError;
pub use forget::{ForgetError, version};
pub use shipped::Shipped;

use crate::centre::{Centre, Lease};
use crate::reconcile::{Clusters, NodeFactsView, Seen};
use common::api_types::{NodeStatus, Report};
use common::ids::{AppId, Cursor, NodeName};
use common::logging::Episode;
use common::moment::Moment;
use entry::{Node, Now, Verdict};
use rows::Row;
use run::Run;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two reports.
pub const EVERY: Duration = Duration::from_secs(10);
/// Three of them missed.
pub const SILENT_AFTER: Duration = Duration::from_secs(30);
/// Most nodes.
const MOST_NODES: usize = 20_000;
/// Most agents of one node.
const MOST_AGENTS: usize = 8;
/// The agent whose facts are the node's containers.
pub const DADVISOR: &str = "dadvisor";
/// The agent that serves and ships logs.
pub const LOG_AGENT: &str = "log-agent";

/// All nodes. Clones are the same.
#[derive(Clone)]
pub struct Nodes {
    inner: Arc<Inner>,
}

struct Inner {
    centre: Centre,
    nodes: RwLock<HashMap<NodeName, Arc<Entry>>>,
    view: RwLock<NodeFactsView>,
    /// Reports that are to be written.
    unwritten: Mutex<BTreeMap<(NodeName, String), Row>>,
    counts: Counts,
    lease: Lease,
    /// Other processes share the store.
    shared: bool,
    tasks: TaskTracker,
    started: Instant,
    /// Until then, in ms of [`Now::mono`], nobody is called silent.
    grace_ms: AtomicU64,
}

/// A node and who waits for it.
struct Entry {
    name: NodeName,
    node: Mutex<Node>,
    /// One report is judged at a time.
    turn: tokio::sync::Mutex<()>,
    claims: Mutex<Episode>,
}

/// A report that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The state that has it.
    pub cursor: Cursor,
    /// When the next one is expected.
    pub every: Duration,
}

impl Nodes {
    /// Takes up what the store has of agents, and watches over them until the stop.
    pub async fn open(
        centre: Centre,
        clusters: Clusters,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, ReportError> {
        let nodes = Self::new(centre, clusters, tasks);
        load::load(&nodes).await?;
        tasks.spawn(sweep::run(nodes.clone(), stop));
        Ok(nodes)
    }

    fn new(centre: Centre, clusters: Clusters, tasks: &TaskTracker) -> Self {
        let grace = u64::try_from(SILENT_AFTER.as_millis()).unwrap_or(u64::MAX);
        let inner = Inner {
            lease: centre.lease("nodes"),
            shared: centre.store().engine() == crate::store::Engine::Postgres,
            centre,
            nodes: RwLock::default(),
            view: RwLock::new(NodeFactsView::new(clusters)),
            unwritten: Mutex::default(),
            counts: Counts::default(),
            tasks: tasks.clone(),
            started: Instant::now(),
            grace_ms: AtomicU64::new(grace),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes a report: what its headers say, and its content unless that is to be what it was.
    pub async fn report(
        &self,
        node: &NodeName,
        agent: &str,
        run: &str,
        digest: &str,
        report: Option<Report>,
    ) -> Result<Accepted, ReportError> {
        let now = self.now();
        let taken = self.take(node, agent, (run, digest), report, now).await;
        self.inner.counts.enter(&taken);
        taken.map(|()| Accepted { cursor: self.inner.centre.head(), every: EVERY })
    }

    async fn take(
        &self,
        node: &NodeName,
        agent: &str,
        (run, digest): (&str, &str),
        report: Option<Report>,
        now: Now,
    ) -> Result<(), ReportError> {
        let run = Run::parse(run).ok_or(ReportError::Run)?;
        if !(1..=128).contains(&digest.len()) || !digest.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ReportError::Digest);
        }
        let entry = match self.entry(node) {
            Some(entry) => entry,
            None => self.enter(node, agent, report.is_some())?,
        };
        let whole = report.is_some();
        let verdict = lock(&entry.node).hear(node.as_str(), agent, &run, digest, whole, now);
        match verdict {
            Ok(Verdict::Same) => return Ok(()),
            Ok(Verdict::Judge | Verdict::Back) => {}
            Err(error) => return Err(self.refuse(&entry, error)),
        }
        check_agent(agent)?;
        let digest = digest.to_owned();
        let work = judge::Work { agent: agent.to_owned(), run, digest, report, now };
        // by a task of its own: a request that is given up in the middle leaves no half-judged report
        let judged = self.inner.tasks.spawn(judge::judge(self.clone(), entry, work));
        judged.await.map_err(|_| ReportError::Stopping)?
    }

    fn entry(&self, node: &NodeName) -> Option<Arc<Entry>> {
        self.inner.nodes.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }

    /// A node that was not known. Only a whole report makes one.
    fn enter(&self, node: &NodeName, agent: &str, whole: bool) -> Result<Arc<Entry>, ReportError> {
        check_node(node)?;
        check_agent(agent)?;
        if !whole {
            return Err(ReportError::DigestUnknown);
        }
        self.add(node)
    }

    fn add(&self, node: &NodeName) -> Result<Arc<Entry>, ReportError> {
        let mut nodes = self.inner.nodes.write().unwrap_or_else(PoisonError::into_inner);
        if nodes.len() >= MOST_NODES && !nodes.contains_key(node) {
            return Err(ReportError::Nodes);
        }
        let entry = nodes.entry(node.clone()).or_insert_with(|| {
            Arc::new(Entry {
                name: node.clone(),
                node: Mutex::default(),
                turn: tokio::sync::Mutex::default(),
                claims: Mutex::new(Episode::new(format!("node {node}"))),
            })
        });
        Ok(Arc::clone(entry))
    }

    fn refuse(&self, entry: &Arc<Entry>, error: ReportError) -> ReportError {
        if matches!(error, ReportError::NodeClaimed { .. }) {
            lock(&entry.claims).failed(&error);
            if lock(&entry.node).show_claim() {
                self.inner.tasks.spawn(judge::show_claim(self.clone(), Arc::clone(entry)));
            }
        }
        error
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        self.inner.nodes.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn now(&self) -> Now {
        Now { mono: self.inner.started.elapsed(), wall: Moment::now() }
    }

    /// Looks at what the nodes said last: for deciding what a scheduler's word changes. Call it inside the decision, so that no report comes
    /// between.
    pub fn with_view<T>(&self, look: impl FnOnce(&NodeFactsView) -> T) -> T {
        look(&self.inner.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a node's dadvisor said last.
    pub fn facts(&self, node: &NodeName) -> Option<Arc<Seen>> {
        self.with_view(|view| view.get(node).cloned())
    }

    /// Where an agent listens, `host:port`, as others reach it: one that listens on all addresses is at its node's.
    pub fn address(&self, node: &NodeName, agent: &str) -> Option<String> {
        let entry = self.entry(node)?;
        let listens = lock(&entry.node).agent(agent).map(|known| known.agent.address.clone())?;
        let (host, port) = listens.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if !host.is_empty() && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            return Some(listens);
        }
        let seen = self.facts(node);
        let address = seen.as_deref().map(Seen::address).filter(|address| !address.is_empty());
        let address = address.unwrap_or(node.as_str());
        let brackets = address.contains(':');
        Some(if brackets { format!("[{address}]:{port}") } else { format!("{address}:{port}") })
    }

    /// What is shipped of every app, by data centre, from nodes whose log-agent is not silent.
    pub fn shipped(&self) -> BTreeMap<String, BTreeMap<AppId, Shipped>> {
        let mut all: BTreeMap<String, BTreeMap<AppId, Shipped>> = BTreeMap::new();
        for entry in self.entries() {
            let node = lock(&entry.node);
            if let Some(known) = node.agent(LOG_AGENT).filter(|known| !known.agent.silent) {
                known.lines.add_to(all.entry(known.dc.clone()).or_default());
            }
        }
        all
    }

    /// All nodes, by name, as they are shown.
    pub fn statuses(&self) -> Vec<NodeStatus> {
        let nodes = self.inner.centre.read(|world| {
            let counted = |node: &Arc<_>| (Arc::clone(node), count(world, node));
            world.nodes().map(counted).collect::<Vec<_>>()
        });
        nodes.iter().map(|(node, instances)| self.shown(node, *instances)).collect()
    }

    /// One node, as it is shown.
    pub fn status(&self, node: &NodeName) -> Option<NodeStatus> {
        let found = self
            .inner
            .centre
            .read(|world| world.node(node).map(|node| (Arc::clone(node), count(world, node))));
        found.map(|(node, instances)| self.shown(&node, instances))
    }

    fn shown(&self, node: &common::api_types::Node, instances: u32) -> NodeStatus {
        let last_seen = self.entry(&node.name).and_then(|entry| lock(&entry.node).last_seen());
        NodeStatus { node: node.clone(), silent: node.silent(), last_seen, instances }
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }
}

fn count(world: &crate::world::World, node: &common::api_types::Node) -> u32 {
    u32::try_from(world.on_node(&node.name).count()).unwrap_or(u32::MAX)
}

fn check_node(node: &NodeName) -> Result<(), ReportError> {
    let name = node.as_str();
    let foreign = |c: char| c.is_control() || c.is_whitespace() || c == '/' || c == ',';
    if (1..=255).contains(&name.len()) && !name.contains(foreign) {
        return Ok(());
    }
    Err(ReportError::Node(name.chars().take(60).flat_map(char::escape_debug).collect()))
}

fn check_agent(agent: &str) -> Result<(), ReportError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=32).contains(&agent.len()) && agent.bytes().all(plain) {
        return Ok(());
    }
    Err(ReportError::Agent(agent.chars().take(60).flat_map(char::escape_debug).collect()))
}

/// A poisoned lock means a bug elsewhere; what it guards is whole, since values are only replaced.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn in_grace(&self, now: Now) -> bool {
        now.mono < Duration::from_millis(self.grace_ms.load(Ordering::Relaxed))
    }

    fn grant_grace(&self, now: Now) {
        let until = u64::try_from((now.mono + SILENT_AFTER).as_millis()).unwrap_or(u64::MAX);
        self.grace_ms.store(until, Ordering::Relaxed);
    }
}
