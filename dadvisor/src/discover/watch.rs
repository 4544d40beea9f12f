//! Every container of the host as one list: Docker's ([`common::docker`]), the Mesos containerizer's, and plain cgroups that are asked for.
//!
//! Docker's changes are passed on at once; cgroups are scanned every few seconds. The Mesos agent is asked beside that, never waited for: until it
//! answers, or while it is away, a container goes by its id. What has not changed is the same `Arc` as before, and a list that has not changed is
//! not sent.

mod merge;

pub use merge::{Merged, merge};

use crate::discover::cgroup_scan::{Found, Kind, Places, ScanStats, Scanner};
use common::container::Container;
use common::docker::{Engine, Inventory};
use common::ids::NodeName;
use common::logging::Episode;
use common::mesos::{Agent, Answer, AskError, Book, Names};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// The list, as consumers get it: sorted by id.
pub type Containers = Arc<Vec<Arc<Container>>>;

/// The list, and what it is worth to somebody who asks who is *not* here.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The list.
    pub containers: Containers,
    /// Every container of the host is on it, under its own name: the engine answers and all it lists was looked at, the cgroups could be
    /// read, the Mesos agent has named what only it can name.
    pub complete: bool,
    /// How the engine is.
    pub engine: Engine,
}

impl Seen {
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.containers, &other.containers)
            && self.complete == other.complete
            && self.engine == other.engine
    }
}

/// Where the list goes.
#[derive(Debug)]
pub struct Out {
    /// For those who read what is here.
    pub list: watch::Sender<Containers>,
    /// For those who tell others.
    pub seen: watch::Sender<Seen>,
}

/// What is watched.
#[derive(Debug)]
pub struct Settings {
    /// A Docker engine is followed.
    pub docker: bool,
    /// Where cgroups are looked for.
    pub places: Places,
    /// This node: the instance of every plain cgroup's app.
    pub node: NodeName,
    /// Between two scans, 5 s.
    pub interval: Duration,
    /// The Mesos agent, on a Mesos node.
    pub agent: Option<Agent>,
}

/// Counters since start, and figures of the moment.
#[derive(Debug, Default)]
pub struct Stats {
    /// Of the scans.
    pub scan: ScanStats,
    /// Questions to the Mesos agent.
    pub agent_asked: AtomicU64,
    /// Questions it did not answer.
    pub agent_errors: AtomicU64,
    /// Of these, while it was recovering (503).
    pub agent_recovering: AtomicU64,
    /// Questions it answered in part.
    pub agent_partial: AtomicU64,
    /// Mesos containers that go by their id now, for want of a name.
    pub unnamed: AtomicU64,
    /// Containers whose instance got a suffix now, because another of the same app and instance is there.
    pub collisions: AtomicU64,
}

/// Keeps `out` up to date until `stop`.
pub async fn watch(
    settings: Settings,
    mut docker: watch::Receiver<Arc<Inventory>>,
    out: Out,
    stats: Arc<Stats>,
    stop: CancellationToken,
) {
    let mut watcher = Watcher {
        docker: settings.docker,
        scanner: Scanner::new(settings.places),
        scanned: false,
        node: settings.node,
        agent: settings.agent,
        book: Book::default(),
        asking: JoinSet::new(),
        found: Vec::new(),
        made_of: None,
        out,
        stats,
        naming: Episode::new("naming containers by the Mesos agent"),
        telling_apart: Episode::new("a name for each container"),
        heard: false,
    };
    let mut ticks = tokio::time::interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut following = true;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = docker.changed(), if following => following = changed.is_ok(),
            _ = ticks.tick() => watcher.scan(),
            Some(answer) = watcher.asking.join_next() => watcher.answered(answer),
        }
        let inventory = Arc::clone(&docker.borrow_and_update());
        watcher.publish(&inventory);
        watcher.ask(&inventory);
    }
}

struct Watcher {
    docker: bool,
    scanner: Scanner,
    /// The cgroups were read once.
    scanned: bool,
    node: NodeName,
    agent: Option<Agent>,
    book: Book,
    /// The one question under way.
    asking: JoinSet<Result<Answer, AskError>>,
    found: Vec<Found>,
    /// What the list was made of, beside `found`; none if that has changed since.
    made_of: Option<(Arc<Inventory>, Arc<Names>)>,
    out: Out,
    stats: Arc<Stats>,
    naming: Episode,
    telling_apart: Episode,
    /// The engine has said something.
    heard: bool,
}

impl Watcher {
    fn scan(&mut self) {
        let whole = self.scanner.whole();
        let found = self.scanner.scan(&self.stats.scan);
        let first = !std::mem::replace(&mut self.scanned, true);
        if first || found != self.found || whole != self.scanner.whole() {
            self.found = found;
            self.made_of = None;
        }
    }

    fn publish(&mut self, inventory: &Arc<Inventory>) {
        let names = self.book.names();
        let same = |(docker, book): &(Arc<_>, Arc<_>)| {
            Arc::ptr_eq(docker, inventory) && Arc::ptr_eq(book, names)
        };
        if self.made_of.as_ref().is_some_and(same) {
            return;
        }
        self.made_of = Some((Arc::clone(inventory), Arc::clone(names)));
        let before = Arc::clone(&self.out.list.borrow());
        let merged = merge(inventory, &self.found, self.book.names(), &self.node, &before);
        self.stats.unnamed.store(merged.unnamed as u64, Relaxed);
        self.stats.collisions.store(merged.collisions.len() as u64, Relaxed);
        match merged.collisions.first() {
            Some(name) => {
                self.telling_apart
                    .failed(&format_args!("two are {name}; the younger one gets a suffix"));
            }
            None => self.telling_apart.recovered(),
        }
        let same = before.len() == merged.containers.len()
            && before.iter().zip(&merged.containers).all(|(a, b)| Arc::ptr_eq(a, b));
        // the first word of the engine is passed on even if it is that nothing runs: somebody waits for it
        let first =
            inventory.engine != Engine::Unknown && !std::mem::replace(&mut self.heard, true);
        if !same || first {
            self.out.list.send_replace(Arc::new(merged.containers));
        }
        let answers =
            !self.docker || matches!(inventory.engine, Engine::Up { .. }) && inventory.whole;
        let seen = Seen {
            containers: Arc::clone(&self.out.list.borrow()),
            complete: answers && self.scanned && self.scanner.whole() && merged.unnamed == 0,
            engine: inventory.engine.clone(),
        };
        self.out.seen.send_if_modified(|before| {
            let modified = !before.same(&seen);
            *before = seen;
            modified
        });
    }

    /// Asks the agent if there is anything that only it can name.
    fn ask(&mut self, inventory: &Inventory) {
        let Some(agent) = &self.agent else { return };
        let mesos = self.found.iter().filter_map(|f| match &f.kind {
            Kind::Mesos(id) => Some(id.as_str()),
            Kind::Plain => None,
        });
        let docker = inventory.containers.values().filter_map(|c| Names::wanted_by(c));
        if self.book.due(mesos.chain(docker), Instant::now()) {
            self.stats.agent_asked.fetch_add(1, Relaxed);
            let agent = agent.clone();
            self.asking.spawn(async move { agent.ask().await });
        }
    }

    fn answered(&mut self, answer: Result<Result<Answer, AskError>, tokio::task::JoinError>) {
        let names = match answer {
            Ok(Ok(Answer { names, missing })) => {
                match missing {
                    Some(error) => {
                        self.stats.agent_partial.fetch_add(1, Relaxed);
                        self.naming.failed(&error);
                    }
                    None => self.naming.recovered(),
                }
                Some(names)
            }
            Ok(Err(error)) => {
                self.stats.agent_errors.fetch_add(1, Relaxed);
                self.stats.agent_recovering.fetch_add(error.is_recovering().into(), Relaxed);
                self.naming.failed(&error);
                None
            }
            Err(error) => {
                self.stats.agent_errors.fetch_add(1, Relaxed);
                self.naming.failed(&error);
                None
            }
        };
        self.book.answered(names, Instant::now());
    }
}

#[cfg(test)]
mod tests;
