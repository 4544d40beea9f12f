//! What is done every second: who is silent, what is to be written, which claims are over; now and then, what others wrote and which apps are idle.

use super::entry::Now;
use super::{EVERY, Entry, Nodes, ReportError, judge, load, lock, rows};
use crate::centre::{self, Origin};
use crate::reconcile;
use common::ids::{AppId, NodeName};
use common::logging::Episode;
use common::moment::Moment;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// A look that comes so late means that this process was asleep, or had no time to take reports either.
const ASLEEP: Duration = Duration::from_secs(5);
/// How old `last_seen` in the store may get, for an agent that has nothing new to say.
const STORE_SEEN: Duration = Duration::from_secs(60);
/// Likewise where other processes read it.
const STORE_SEEN_SHARED: Duration = EVERY;
/// Between two looks at what other processes wrote.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// What reports to other processes may be seen late: their second, their and our rounds.
const LONGER: Duration = Duration::from_secs(30);
/// Between two looks for apps that nobody runs any more.
const FORGET: Duration = Duration::from_secs(3_600);
/// For so long an app without instances is kept, where no scheduler defines it.
const KEEP_APP: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Most agents called silent in one transaction.
const MOST_AT_ONCE: usize = 500;

/// Until the stop; then what is unwritten is written.
pub(super) async fn run(nodes: Nodes, stop: CancellationToken) {
    let mut sweep = Sweep::new(nodes);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = look.tick() => sweep.look(sweep.nodes.now()).await,
        }
    }
    sweep.write(Duration::ZERO, sweep.nodes.now()).await;
}

pub(super) struct Sweep {
    nodes: Nodes,
    last: Duration,
    written: Duration,
    taken_over: Duration,
    forgotten: Duration,
    writing: Episode,
    taking_over: Episode,
    forgetting: Episode,
}

impl Sweep {
    pub fn new(nodes: Nodes) -> Self {
        let now = nodes.now().mono;
        Self {
            nodes,
            last: now,
            written: now,
            taken_over: now,
            forgotten: now,
            writing: Episode::new("writing reports of agents"),
            taking_over: Episode::new("reading what other processes know of agents"),
            forgetting: Episode::new("looking for idle apps"),
        }
    }

    /// One round.
    pub async fn look(&mut self, now: Now) {
        if now.mono.saturating_sub(self.last) > ASLEEP {
            self.nodes.inner.grant_grace(now);
        }
        self.last = now.mono;
        let inner = Arc::clone(&self.nodes.inner);
        self.take_over(now).await;
        if inner.lease.held() && !inner.in_grace(now) {
            self.silence(now).await;
        }
        self.claims(now);
        let every = if inner.shared { STORE_SEEN_SHARED } else { STORE_SEEN };
        self.write(every, now).await;
        if inner.lease.held() && now.mono.saturating_sub(self.forgotten) >= FORGET {
            self.forgotten = now.mono;
            match self.forget_apps(now).await {
                Ok(()) => self.forgetting.recovered(),
                Err(error) => self.forgetting.failed(&error),
            }
        }
        // however long this took, it was not sleep
        self.last = self.last.max(self.nodes.now().mono);
    }

    /// Calls silent whom it concerns. They are marked first and looked at again in the decision, so that a report that comes between
    /// is either seen there, or comes after it and takes the mark away.
    async fn silence(&self, now: Now) {
        let mut overdue = Vec::new();
        for entry in self.nodes.entries() {
            let mut node = lock(&entry.node);
            let agents: Vec<String> = node.overdue(now, LONGER).map(str::to_owned).collect();
            for agent in agents {
                if let Some(known) = node.agent_mut(&agent) {
                    known.agent.silent = true;
                }
                overdue.push((Arc::clone(&entry), agent));
            }
        }
        for some in overdue.chunks(MOST_AT_ONCE) {
            let some: Arc<[(Arc<Entry>, String)]> = some.into();
            let decided = Arc::clone(&some);
            let origin = Origin { actor: "api".into(), cause: "three reports missed".into() };
            let change = self.nodes.inner.centre.change(origin, move |world| {
                let still: Vec<(NodeName, String)> = decided
                    .iter()
                    .filter(|(entry, agent)| is_overdue(entry, agent, now))
                    .map(|(entry, agent)| (entry.name.clone(), agent.clone()))
                    .collect();
                reconcile::silent(world, &still)
            });
            match change.await {
                Ok(_) => {
                    let silences = u64::try_from(some.len()).unwrap_or(u64::MAX);
                    self.nodes.inner.counts.silences.fetch_add(silences, Ordering::Relaxed);
                }
                // the store's trouble is told by the centre; the next round tries again
                Err(_) => some.iter().for_each(|(entry, agent)| unmark(entry, agent)),
            }
        }
    }

    fn claims(&self, now: Now) {
        for entry in self.nodes.entries() {
            let (over, show) = {
                let mut node = lock(&entry.node);
                (node.expire_claim(now), node.show_claim())
            };
            if over {
                lock(&entry.claims).recovered();
            }
            if over || show {
                self.nodes.inner.tasks.spawn(judge::show_claim(self.nodes.clone(), entry));
            }
        }
    }

    /// Writes what is new, and when agents were last heard of if the store has that from longer ago than `every`.
    pub async fn write(&mut self, every: Duration, now: Now) {
        let inner = Arc::clone(&self.nodes.inner);
        let store = inner.centre.store();
        let rows: Vec<_> = std::mem::take(&mut *lock(&inner.unwritten)).into_iter().collect();
        let (keys, rows): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        if let Err(error) = rows::save(store, &rows).await {
            let mut unwritten = lock(&inner.unwritten);
            for (key, row) in keys.into_iter().zip(rows) {
                // what came meanwhile is newer
                unwritten.entry(key).or_insert(row);
            }
            drop(unwritten);
            inner.counts.write_failures.fetch_add(1, Ordering::Relaxed);
            self.writing.failed(&error);
            return;
        }
        if now.mono.saturating_sub(self.written) < every {
            return self.writing.recovered();
        }
        self.written = now.mono;
        for (at, agents) in self.unstored() {
            if let Err(error) = rows::saw(store, &agents, at).await {
                inner.counts.write_failures.fetch_add(1, Ordering::Relaxed);
                return self.writing.failed(&error);
            }
            for (node, agent) in &agents {
                if let Some(entry) = self.nodes.entry(node) {
                    stored(&entry, agent, at);
                }
            }
        }
        self.writing.recovered();
    }

    /// Agents that the store knows as last heard of longer ago, by when they were, in steps of 10 s.
    fn unstored(&self) -> BTreeMap<Moment, Vec<(NodeName, String)>> {
        let step = u64::try_from(EVERY.as_millis()).unwrap_or(u64::MAX);
        let mut due: BTreeMap<Moment, Vec<(NodeName, String)>> = BTreeMap::new();
        for entry in self.nodes.entries() {
            let node = lock(&entry.node);
            for known in node.agents().filter(|k| !k.elsewhere) {
                let at = Moment::from_unix_ms(known.seen_at.unix_ms() / step * step);
                if at > known.stored_at {
                    let agent = (entry.name.clone(), known.agent.name.clone());
                    due.entry(at).or_default().push(agent);
                }
            }
        }
        due
    }

    async fn take_over(&mut self, now: Now) {
        if !self.nodes.inner.shared || now.mono.saturating_sub(self.taken_over) < TAKE_OVER {
            return;
        }
        self.taken_over = now.mono;
        // more than a round back: rows are written late and by other clocks
        let since = now.wall.before(4 * LONGER);
        load::take_over_silence(&self.nodes);
        match load::take_over(&self.nodes, since, now).await {
            Ok(()) => self.taking_over.recovered(),
            Err(error) => self.taking_over.failed(&error),
        }
    }

    /// Forgets plain apps that nobody has run for a week.
    pub async fn forget_apps(&self, now: Now) -> Result<(), ReportError> {
        let inner = Arc::clone(&self.nodes.inner);
        let mut long = HashSet::new();
        for app in inner.centre.read(reconcile::idle) {
            let last = rows::last_end(inner.centre.store(), &app).await;
            let last = last.map_err(centre::Error::from)?;
            if last.is_none_or(|at| now.wall.since(at) >= KEEP_APP) {
                long.insert(app);
            }
        }
        if long.is_empty() {
            return Ok(());
        }
        self.expire(long).await
    }

    async fn expire(&self, long: HashSet<AppId>) -> Result<(), ReportError> {
        let inner = Arc::clone(&self.nodes.inner);
        let cause = "no instance for 7 days".to_owned();
        let change =
            self.nodes.inner.centre.change(Origin { actor: "api".into(), cause }, move |world| {
                let view = inner.view.read().unwrap_or_else(PoisonError::into_inner);
                reconcile::expired(world, &view, &long)
            });
        change.await?;
        Ok(())
    }
}

fn is_overdue(entry: &Entry, agent: &str, now: Now) -> bool {
    lock(&entry.node).agent(agent).is_some_and(|known| known.is_overdue(now, LONGER))
}

fn unmark(entry: &Entry, agent: &str) {
    if let Some(known) = lock(&entry.node).agent_mut(agent) {
        known.agent.silent = false;
    }
}

fn stored(entry: &Entry, agent: &str, at: Moment) {
    if let Some(known) = lock(&entry.node).agent_mut(agent) {
        known.stored_at = known.stored_at.max(at);
    }
}
