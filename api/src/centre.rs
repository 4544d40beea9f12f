//! The centre: one writer of the state and its events, and many readers of both.
//!
//! [`Centre::change`] queues a decision. The writer takes all that wait, decides each on the world that the one before has left, and stores
//! the state, the events and the number of the last event in one transaction; then the world in memory moves on and the callers are
//! answered. So an answered change is on disk, `seq` has no gaps, and nobody sees a state whose events could still be lost. When the
//! store fails, the world stays as it was and the callers hear why.
//!
//! Several processes can share a PostgreSQL. The row of `head` is locked in each transaction, and what others have written is taken in
//! before anything is decided: there is one order of all events. In between a NOTIFY, or a look every second, brings the others' events.

mod commit;
mod draft;
mod lease;
mod listen;
mod recent;
mod retention;
#[cfg(test)]
mod tests;
mod writer;

pub use lease::Lease;
pub use recent::Told;

use crate::change::Change;
use crate::scope::Scope;
use crate::store::{self, Store};
use crate::world::World;
use common::api_types::{Event, Kind};
use common::ids::Cursor;
use recent::Recent;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[cfg(test)]
pub(crate) use tests::{TestCentre, app_named, decided, eventually, put};

/// Decisions that may wait; further callers wait to queue up.
const QUEUE: usize = 1024;

/// Who makes a change, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `user:<token name>`, `node:<name>`, `cluster:<name>`, `api`.
    pub actor: String,
    /// In a few words for people.
    pub cause: String,
}

/// How much is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Most events.
    pub keep_events: u64,
    /// Longest time, of events and of ended instances.
    pub keep_for: Duration,
    /// Most ended instances.
    pub keep_ended: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { keep_events: 100_000, keep_for: 7 * day, keep_ended: 100_000 }
    }
}

/// Why a change, or a look at the past, did not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nothing has changed.
    #[error("the change was not stored: {0}")]
    Store(Arc<store::Error>),
    /// The database went away in the middle of the commit: it may have happened. Deciding again on the world as it then is settles it.
    #[error("whether the change was stored is not known yet: {0}")]
    Unknown(Arc<store::Error>),
    /// Its time ran out; as [`Error::Unknown`].
    #[error("the store did not answer in {0:?}; whether the change was stored is not known yet")]
    Slow(Duration),
    /// Another store is in the place of the one this process began with.
    #[error("the store was replaced or restored from a backup while this process ran: restart it")]
    Replaced,
    /// The events asked for are not kept any more.
    #[error("events up to {oldest} are not kept any more")]
    TooOld {
        /// The first one that is.
        oldest: u64,
    },
    /// This process is ending.
    #[error("qae-api is stopping")]
    Stopping,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Transactions that stored something.
    pub commits: AtomicU64,
    /// Events stored by this process.
    pub events: AtomicU64,
    /// Events that other processes stored.
    pub others: AtomicU64,
    /// Transactions that failed.
    pub failures: AtomicU64,
    /// Changes that cannot be stored: a key too long, or with a NUL.
    pub refused: AtomicU64,
    /// Reads of events that were not in memory any more.
    pub replays: AtomicU64,
}

/// The centre. Clones are the same one.
#[derive(Clone)]
pub struct Centre {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    epoch: String,
    world: RwLock<World>,
    recent: Recent,
    head: watch::Sender<u64>,
    oldest: AtomicU64,
    requests: mpsc::Sender<Request>,
    nudge: Notify,
    trouble: Mutex<Option<String>>,
    counts: Counts,
    leases: lease::Leases,
    stop: CancellationToken,
}

type Decide = Box<dyn Fn(&World) -> Vec<Change> + Send>;
type Answer = Result<Vec<Arc<Event>>, Error>;

struct Request {
    origin: Origin,
    decide: Decide,
    answer: oneshot::Sender<Answer>,
}

impl Centre {
    /// Reads the state from the store and begins to write; ends with `stop`, after what waits then.
    pub async fn open(
        store: Store,
        settings: Settings,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let loaded = commit::load(&store).await?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let seq = loaded.world.cursor().seq;
        let inner = Inner {
            epoch: loaded.world.cursor().epoch.clone(),
            recent: Recent::new(seq),
            head: watch::Sender::new(seq),
            oldest: AtomicU64::new(loaded.oldest),
            requests,
            nudge: Notify::new(),
            trouble: Mutex::new(None),
            counts: Counts::default(),
            leases: lease::Leases::default(),
            stop: stop.clone(),
            world: RwLock::new(loaded.world.clone()),
            store,
        };
        let centre = Self { inner: Arc::new(inner) };
        centre.inner.recent.replace(loaded.told, seq);
        let draft = draft::Draft::new(loaded.world, loaded.latest);
        tasks.spawn(writer::run(centre.clone(), draft, queue));
        tasks.spawn(retention::run(centre.clone(), settings));
        tasks.spawn(lease::run(centre.clone()));
        if centre.shared() {
            tasks.spawn(listen::run(centre.clone()));
        }
        Ok(centre)
    }

    /// Has the writer decide what is to change, on the newest world, and stores it. Answers the events, none if nothing had to change.
    /// `decide` may be called more than once; the last time counts.
    pub async fn change(
        &self,
        origin: Origin,
        decide: impl Fn(&World) -> Vec<Change> + Send + 'static,
    ) -> Result<Vec<Arc<Event>>, Error> {
        let (answer, answered) = oneshot::channel();
        let request = Request { origin, decide: Box::new(decide), answer };
        self.inner.requests.send(request).await.map_err(|_| Error::Stopping)?;
        answered.await.map_err(|_| Error::Stopping)?
    }

    /// Looks at the world. Be short: take out `Arc`s, work on them afterwards.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.inner.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last event.
    pub fn head(&self) -> Cursor {
        self.read(|world| world.cursor().clone())
    }

    /// Which store the numbers belong to.
    pub fn epoch(&self) -> &str {
        &self.inner.epoch
    }

    /// Number of the oldest event that is kept; one more than the head's when there is none.
    pub fn oldest(&self) -> u64 {
        self.inner.oldest.load(Ordering::Relaxed)
    }

    /// Follows the number of the last event.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.head.subscribe()
    }

    /// Events after a number, in order and without a gap, at most `limit`; from the store.
    pub async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Arc<Event>>, Error> {
        let mut c = self.inner.store.read().acquire().await.map_err(store::Error::from)?;
        let events = store::events::after(&mut c, self.epoch(), seq, limit).await?;
        // the world knows of them before a reader of the store can be ahead of it only in this process; others may be faster
        let head = *self.inner.head.borrow();
        let first = events.first().map_or(seq + 1, |e| e.seq);
        if first != seq + 1 || (events.is_empty() && seq < head) {
            return Err(Error::TooOld { oldest: self.oldest().max(first) });
        }
        Ok(events.into_iter().take_while(|e| e.seq <= head).map(Arc::new).collect())
    }

    /// The same as a reader of the bus needs them, from memory where they are recent.
    pub async fn told_after(&self, seq: u64, limit: usize) -> Result<Vec<Arc<Told>>, Error> {
        if let Some(told) = self.inner.recent.after(seq, limit) {
            return Ok(told);
        }
        self.inner.counts.replays.fetch_add(1, Ordering::Relaxed);
        self.inner.recent.replay(self, seq, limit).await
    }

    /// Whether the events after a number are in memory.
    pub(crate) fn remembers(&self, seq: u64) -> bool {
        self.inner.recent.after(seq, 0).is_some()
    }

    /// Whether no event in scope came after `from`, up to `to`; false too where memory does not reach back.
    pub(crate) fn untouched(&self, scope: &Scope, from: u64, to: u64) -> bool {
        let most = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let told = self.inner.recent.after(from, most);
        told.is_some_and(|told| !told.iter().any(|told| scope.about(&told.about)))
    }

    /// Waits a moment for an event that another process may have told somebody of before this one has it; whether it is here.
    pub async fn reached(&self, seq: u64) -> bool {
        let mut head = self.watch();
        if *head.borrow_and_update() >= seq {
            return true;
        }
        if !self.shared() {
            return false;
        }
        self.inner.nudge.notify_one();
        let wait = head.wait_for(|head| *head >= seq);
        matches!(tokio::time::timeout(Duration::from_secs(2), wait).await, Ok(Ok(_)))
    }

    /// Takes part in who does what only one process may do, such as following one Marathon.
    pub fn lease(&self, name: &str) -> Lease {
        self.inner.leases.take(name, !self.shared())
    }

    /// Whether changes can be stored; else what is wrong.
    pub fn healthy(&self) -> Result<(), String> {
        if self.inner.requests.is_closed() {
            return Err("the writer has ended".into());
        }
        match self.trouble().clone() {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    /// The store beneath.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Cancelled when the process is to end.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.inner.stop
    }

    /// Other processes may write too.
    fn shared(&self) -> bool {
        self.inner.store.engine() == store::Engine::Postgres
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.inner.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Number of the last event that is stored and seen here.
    fn recent_head(&self) -> u64 {
        *self.head.borrow()
    }

    /// The world moves on to `other`, in what was touched.
    fn adopt(&self, other: &World, touched: &BTreeSet<(Kind, String)>) {
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        world.adopt(other, touched.iter().map(|(kind, key)| (*kind, key.as_str())));
        drop(world);
        self.head.send_replace(other.cursor().seq);
    }

    fn replace(&self, other: World) {
        let seq = other.cursor().seq;
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = other;
        self.head.send_replace(seq);
    }
}
