//! Snapshots: the scoped state as of a cursor, rendered once for all who ask, however many come back at once.
//!
//! A rendered one serves until an event of its scope has come since. Whoever asks while one is being rendered waits for it, and takes
//! it if it is no older than the question; so a herd of readers costs two renderings, not one each.

#[cfg(test)]
mod tests;

use crate::centre::Centre;
use crate::scope::Scope;
use crate::world::World;
use bytes::Bytes;
use common::api_types::digest::Digest;
use common::api_types::{AppSpec, Instance, Kind, Node, Topic};
use common::ids::{Cursor, NodeName};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Renderings at once: each takes a core.
const AT_ONCE: usize = 2;
/// Scopes whose last snapshot is kept.
const KEPT: usize = 64;
/// Bytes of those, at most, beyond the one just made.
const KEPT_BYTES: usize = 48 << 20;
/// Longest wait for a turn; then the reader is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A snapshot this many events behind the head is made anew though nothing of it changed: its cursor must not grow too old to follow.
const BEHIND: u64 = 2_000;

/// A snapshot, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The state is the one right after this event.
    pub cursor: Cursor,
    /// Digest of what is in it.
    pub digest: String,
    /// [`common::api_types::Snapshot`].
    pub json: Bytes,
    /// The same, compressed.
    pub gzip: Bytes,
}

/// Why there is no snapshot now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Answered 503 with Retry-After.
    #[error("too many snapshots are asked for at once: come again in a few seconds")]
    Busy,
    /// It cannot be rendered.
    #[error("the snapshot could not be rendered: {0}")]
    Failed(String),
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Snapshots rendered.
    pub renders: AtomicU64,
    /// Answers with one that was rendered before, or for somebody else.
    pub shared: AtomicU64,
    /// Readers told to come again.
    pub busy: AtomicU64,
}

/// All snapshots. Clones are the same.
#[derive(Clone)]
pub struct Snapshots {
    inner: Arc<Inner>,
}

struct Inner {
    centre: Centre,
    turns: Arc<Semaphore>,
    kept: Mutex<Kept>,
    counts: Counts,
}

#[derive(Default)]
struct Kept {
    uses: u64,
    scopes: HashMap<String, Entry>,
}

struct Entry {
    used: u64,
    slot: Arc<tokio::sync::Mutex<Option<Arc<Rendered>>>>,
    bytes: usize,
}

impl Snapshots {
    /// None rendered yet.
    pub fn new(centre: Centre) -> Self {
        let inner = Inner {
            centre,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            kept: Mutex::default(),
            counts: Counts::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The state in scope, no older than now.
    pub async fn get(&self, scope: &Scope) -> Result<Arc<Rendered>, Error> {
        let asked = self.inner.centre.head().seq;
        let made = tokio::time::timeout(PATIENCE, self.made(scope, asked)).await;
        made.unwrap_or_else(|_| {
            self.inner.counts.busy.fetch_add(1, Ordering::Relaxed);
            Err(Error::Busy)
        })
    }

    async fn made(&self, scope: &Scope, asked: u64) -> Result<Arc<Rendered>, Error> {
        let slot = self.kept().slot(scope.name());
        let mut slot = slot.lock().await;
        if let Some(rendered) = slot.as_ref().filter(|r| self.serves(r, scope, asked)) {
            self.inner.counts.shared.fetch_add(1, Ordering::Relaxed);
            return Ok(Arc::clone(rendered));
        }
        let turn = Arc::clone(&self.inner.turns).acquire_owned().await;
        let turn = turn.map_err(|e| Error::Failed(e.to_string()))?;
        self.inner.counts.renders.fetch_add(1, Ordering::Relaxed);
        let (centre, wanted) = (self.inner.centre.clone(), scope.clone());
        // the turn goes with the work, which ends even if nobody waits for it any more
        let rendering = tokio::task::spawn_blocking(move || {
            let rendered = render(&centre, &wanted);
            drop(turn);
            rendered
        });
        let rendered = rendering.await.map_err(|e| Error::Failed(e.to_string()))?;
        let rendered = Arc::new(rendered.map_err(Error::Failed)?);
        *slot = Some(Arc::clone(&rendered));
        self.kept().made(scope.name(), rendered.json.len() + rendered.gzip.len());
        Ok(rendered)
    }

    fn serves(&self, rendered: &Rendered, scope: &Scope, asked: u64) -> bool {
        let since = rendered.cursor.seq;
        since >= asked || asked - since < BEHIND && self.inner.centre.untouched(scope, since, asked)
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn slot(&mut self, name: &str) -> Arc<tokio::sync::Mutex<Option<Arc<Rendered>>>> {
        self.uses += 1;
        let uses = self.uses;
        let entry = self.scopes.entry(name.to_owned()).or_insert_with(|| Entry {
            used: uses,
            slot: Arc::default(),
            bytes: 0,
        });
        entry.used = uses;
        Arc::clone(&entry.slot)
    }

    /// Notes a size, and forgets those that were not asked for the longest.
    fn made(&mut self, name: &str, bytes: usize) {
        if let Some(entry) = self.scopes.get_mut(name) {
            entry.bytes = bytes;
        }
        while self.scopes.len() > 1
            && (self.scopes.len() > KEPT
                || self.scopes.values().map(|e| e.bytes).sum::<usize>() > KEPT_BYTES)
        {
            let oldest = self.scopes.iter().filter(|(n, _)| *n != name).min_by_key(|(_, e)| e.used);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.scopes.remove(&oldest);
        }
    }
}

/// As [`common::api_types::Snapshot`], without copying what the world holds.
#[derive(Serialize)]
struct View<'a> {
    cursor: &'a Cursor,
    digest: &'a str,
    topics: Vec<String>,
    apps: Vec<&'a AppSpec>,
    instances: Vec<&'a Instance>,
    nodes: Vec<&'a Node>,
}

/// The instances in scope, by key. Most scopes are a node each: those need not look at everything.
fn instances(world: &World, scope: &Scope) -> Vec<Arc<Instance>> {
    match scope.topics() {
        [Topic::Node(name)] => {
            let name = NodeName::new(name.as_str());
            world.on_node(&name).filter(|i| scope.instance(i)).cloned().collect()
        }
        _ => world.instances().filter(|i| scope.instance(i)).cloned().collect(),
    }
}

fn render(centre: &Centre, scope: &Scope) -> Result<Rendered, String> {
    let (cursor, apps, instances, nodes) = centre.read(|world| {
        let apps: Vec<_> = world.apps().filter(|a| scope.app(a)).cloned().collect();
        let instances = instances(world, scope);
        let nodes: Vec<_> = world.nodes().filter(|n| scope.node(n)).cloned().collect();
        (world.cursor().clone(), apps, instances, nodes)
    });
    let mut digest = Digest::default();
    apps.iter().for_each(|a| digest.put(Kind::App, a.id.as_str(), &**a));
    instances.iter().for_each(|i| digest.put(Kind::Instance, &i.key, &**i));
    nodes.iter().for_each(|n| digest.put(Kind::Node, n.name.as_str(), &**n));
    let digest = digest.value();
    let view = View {
        cursor: &cursor,
        digest: &digest,
        topics: scope.topics().iter().map(ToString::to_string).collect(),
        apps: apps.iter().map(|a| &**a).collect(),
        instances: instances.iter().map(|i| &**i).collect(),
        nodes: nodes.iter().map(|n| &**n).collect(),
    };
    let json = serde_json::to_vec(&view).map_err(|e| e.to_string())?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&json).map_err(|e| e.to_string())?;
    let gzip = gzip.finish().map_err(|e| e.to_string())?;
    Ok(Rendered { cursor, digest, json: Bytes::from(json), gzip: Bytes::from(gzip) })
}
