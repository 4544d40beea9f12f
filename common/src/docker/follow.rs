//! The conversation with one engine: connect, subscribe, list, then listen; and again from the start when that ends.

use super::api::{self, Api, Events, Said};
use super::desk::{Desk, Seen};
use super::last_good::Keeper;
use super::wire::Listed;
use super::{Engine, Event, Inventory, Settings, Stats};
use crate::container::{Container, Inspected, Rules};
use crate::logging::Episode;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::HashSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Most looks under way at once.
const LOOKS: usize = 8;
/// Longest time a change waits for others before it is published.
const GATHER: Duration = Duration::from_millis(50);
/// Between two tries to reach an engine that is away: from, to. It is on this host, and a refused connection costs nothing.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Most things remembered as said.
const MAX_SAID: usize = 1000;

/// Follows the engine until `stop`. `inventory` always holds the last known state; `events` gets the changes, each after the inventory that has it, and
/// is never waited for: what finds no room is counted.
pub async fn follow(
    settings: Settings,
    inventory: watch::Sender<Arc<Inventory>>,
    events: mpsc::Sender<Event>,
    stats: Arc<Stats>,
    stop: CancellationToken,
) {
    let mut keeper = Keeper::new(&settings, &stats);
    let past = keeper.load();
    let kept = keeper.keep(inventory.subscribe(), &stop);
    let mut follower = Follower::new(&settings, past, inventory, events, &stats);
    let sessions = async {
        follower.publish();
        let mut pause = PAUSE.0;
        loop {
            let Err(error) = follower.converse().await;
            if follower.lost(&error) {
                pause = PAUSE.0;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
            stats.reconnects.fetch_add(1, Relaxed);
        }
    };
    // the sessions never end by themselves
    let sessions = async { stop.run_until_cancelled(sessions).await.is_some() };
    tokio::join!(sessions, kept);
}

/// What a call under way comes back with.
enum Done {
    List(Result<(Vec<Listed>, usize), api::Error>),
    Look(String, Result<Box<Inspected>, api::Error>),
}

type Calls = FuturesUnordered<BoxFuture<'static, Done>>;

struct Follower<'a> {
    api: Api,
    rules: Arc<Rules>,
    resync: Duration,
    desk: Desk,
    engine: Engine,
    version: String,
    asks_root: bool,
    root: Option<PathBuf>,
    inventory: watch::Sender<Arc<Inventory>>,
    events: mpsc::Sender<Event>,
    stats: &'a Stats,
    said: HashSet<String>,
    telling: Episode,
    /// When the oldest change that is not published yet came.
    dirty: Option<Instant>,
}

/// The lists of one session.
struct Lists {
    next: Instant,
    under_way: bool,
    /// The next one has to look at everything.
    all: bool,
    /// One was made out of turn since the last in turn.
    early: bool,
}

impl<'a> Follower<'a> {
    fn new(
        settings: &Settings,
        past: Option<Vec<Container>>,
        inventory: watch::Sender<Arc<Inventory>>,
        events: mpsc::Sender<Event>,
        stats: &'a Stats,
    ) -> Self {
        Self {
            api: Api::new(&settings.socket, settings.timeout),
            rules: Arc::new(settings.rules.clone()),
            resync: settings.resync,
            desk: Desk::new(past),
            engine: Engine::Unknown,
            version: String::new(),
            asks_root: settings.asks_root,
            root: None,
            inventory,
            events,
            stats,
            said: HashSet::new(),
            telling: Episode::new("container events"),
            dirty: None,
        }
    }

    /// One session, from connecting to the error that ends it.
    async fn converse(&mut self) -> Result<Infallible, api::Error> {
        self.version = self.api.version().await?;
        self.ask_root().await;
        // subscribed before the list is asked for, so that nothing falls between
        let mut events = self.api.events().await?;
        let mut calls = Calls::new();
        let mut lists = Lists { next: Instant::now(), under_way: false, all: true, early: false };
        loop {
            while let Some(id) = self.desk.next_look(LOOKS) {
                calls.push(self.look(id));
            }
            self.step(&mut events, &mut calls, &mut lists).await?;
            if self.desk.has_news() && self.dirty.is_none() {
                self.dirty = Some(Instant::now());
            }
            if self.dirty.is_some_and(|since| !self.desk.busy() || since.elapsed() >= GATHER) {
                self.publish();
            }
        }
    }

    /// What it does not say it may not want to say: there are proxies before the socket that refuse this.
    async fn ask_root(&mut self) {
        if !self.asks_root {
            return;
        }
        match self.api.root().await {
            Ok(root) => self.root = root.or(self.root.take()),
            Err(error) => {
                self.count(&error);
                if self.once("the engine's data") {
                    tracing::warn!(%error, "Docker does not say where its data is; going on by the configuration");
                }
            }
        }
    }

    /// Waits for one thing, and takes it in.
    async fn step(
        &mut self,
        events: &mut Events,
        calls: &mut Calls,
        lists: &mut Lists,
    ) -> Result<(), api::Error> {
        let publish_at = self.dirty.map_or(lists.next, |since| since + GATHER);
        tokio::select! {
            said = events.next() => self.hear(said?, lists),
            Some(done) = calls.next(), if !calls.is_empty() => self.done(done, lists)?,
            () = sleep_until(publish_at), if self.dirty.is_some() => {}
            () = sleep_until(lists.next), if !lists.under_way => {
                lists.under_way = true;
                self.desk.list_began();
                let api = self.api.clone();
                calls.push(async move { Done::List(api.list().await) }.boxed());
            }
        }
        Ok(())
    }

    fn hear(&mut self, said: Said, lists: &mut Lists) {
        match said {
            Said::Heard(heard) => {
                self.stats.events.fetch_add(1, Relaxed);
                self.desk.heard(&heard);
            }
            Said::Unreadable(cause) => {
                self.stats.events_unreadable.fetch_add(1, Relaxed);
                if self.once("an event") {
                    tracing::warn!(%cause, "a Docker event cannot be read; comparing everything");
                }
                self.desk.missed();
                lists.out_of_turn();
            }
        }
    }

    fn done(&mut self, done: Done, lists: &mut Lists) -> Result<(), api::Error> {
        match done {
            Done::List(answer) => {
                lists.under_way = false;
                let (entries, left_out) = answer.inspect_err(|_| self.desk.list_failed())?;
                self.stats.resyncs.fetch_add(1, Relaxed);
                self.stats.left_out.fetch_add(left_out as u64, Relaxed);
                if left_out > 0 && self.once("a list") {
                    tracing::warn!(left_out, "Docker lists more containers than are followed");
                }
                self.desk.listed(&entries, std::mem::take(&mut lists.all), now_ms());
                lists.early = false;
                lists.next = Instant::now() + self.resync;
                self.up();
            }
            Done::Look(id, answer) => {
                // an engine that hangs is noticed by the list, unless it was just that
                if answer.as_ref().is_err_and(api::Error::is_timeout) {
                    lists.out_of_turn();
                }
                let seen = self.seen(&id, answer);
                self.desk.looked(&id, seen, self.stats);
            }
        }
        Ok(())
    }

    fn look(&self, id: String) -> BoxFuture<'static, Done> {
        self.stats.inspects.fetch_add(1, Relaxed);
        let (api, rules) = (self.api.clone(), Arc::clone(&self.rules));
        async move {
            let answer = api.inspect(&id, &rules).await.map(Box::new);
            Done::Look(id, answer)
        }
        .boxed()
    }

    /// Counts and tells what was wrong with a look.
    fn seen(&mut self, id: &str, answer: Result<Box<Inspected>, api::Error>) -> Seen {
        match answer {
            Ok(inspected) => {
                self.stats.left_out.fetch_add(inspected.left_out.len() as u64, Relaxed);
                if !inspected.left_out.is_empty() && self.once(id) {
                    let (container, left_out) = (&inspected.container.name, &inspected.left_out);
                    tracing::warn!(%container, ?left_out, "parts of a container are left out");
                }
                Seen::Answer(inspected)
            }
            Err(api::Error::Http(error)) if error.status() == Some(404) => Seen::Gone,
            Err(error) => {
                self.count(&error);
                if self.once(id) {
                    tracing::warn!(%error, "a container cannot be inspected; trying again with each comparison");
                }
                Seen::Failed
            }
        }
    }

    fn up(&mut self) {
        let up = Engine::Up { version: self.version.clone() };
        if self.engine != up {
            tracing::info!(version = %self.version, "following Docker");
            self.engine = up;
            self.dirty.get_or_insert_with(Instant::now);
        }
    }

    /// The session has ended. True if it had got as far as a list.
    fn lost(&mut self, error: &api::Error) -> bool {
        self.count(error);
        self.desk.disconnected();
        let was_up = matches!(self.engine, Engine::Up { .. });
        let now = if error.is_timeout() {
            Engine::Hung
        } else {
            Engine::Gone { cause: error.to_string() }
        };
        if self.engine != now {
            let known = self.desk.containers().len();
            tracing::warn!(%error, known, "Docker does not answer; going on with the containers known");
            self.engine = now;
        }
        self.publish();
        was_up
    }

    fn count(&self, error: &api::Error) {
        match error {
            api::Error::Http(error) => self.stats.failed(error),
            api::Error::Json { .. } | api::Error::Inspect { .. } | api::Error::Ended { .. } => {
                self.stats.errors_answer.fetch_add(1, Relaxed);
            }
        }
    }

    /// First the inventory, then the events about it.
    fn publish(&mut self) {
        self.dirty = None;
        let containers = self.desk.take_changed().then(|| self.desk.containers());
        let (engine, whole) = (self.engine.clone(), self.desk.whole());
        self.inventory.send_if_modified(|current| {
            if containers.is_none() && current.engine == engine && current.root == self.root {
                return false;
            }
            let containers = containers.unwrap_or_else(|| current.containers.clone());
            let revision = current.revision + 1;
            *current = Arc::new(Inventory {
                containers,
                engine,
                whole,
                root: self.root.clone(),
                revision,
            });
            true
        });
        for event in self.desk.take_news() {
            if self.events.try_send(event).is_ok() {
                self.telling.recovered();
            } else {
                self.stats.events_dropped.fetch_add(1, Relaxed);
                self.telling.failed(&"some are dropped, nobody takes them fast enough");
            }
        }
    }

    /// True the first time something is to be said of `what`.
    fn once(&mut self, what: &str) -> bool {
        if self.said.len() >= MAX_SAID {
            self.said.clear();
        }
        self.said.insert(what.to_owned())
    }
}

impl Lists {
    /// Lists now rather than in turn, once per turn: a thing that stays broken must not make a loop.
    fn out_of_turn(&mut self) {
        if !std::mem::replace(&mut self.early, true) {
            self.next = Instant::now();
        }
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
