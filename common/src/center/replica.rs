//! A copy of the scoped state: a snapshot, kept up to date by events. Pure.
//!
//! - Applying an event twice, or events in another order than they were written, ends in the same state: an entity is what the event with
//!   the highest number says of it ([`Replica::apply`]).
//! - A scoped stream has holes where events were out of scope, so a lost event cannot be seen by its number. What can be seen asks for a
//!   snapshot ([`Broken`]): another epoch, a server that is behind us, an event that cannot be read. What cannot shows when digests are
//!   compared ([`Replica::digest`]).

use crate::api_types::digest::Digest;
use crate::api_types::{AppSpec, Effect, Entity, Event, EventType, Instance, Kind, Node, Snapshot};
use crate::ids::Cursor;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Why the copy cannot go on without a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The centre's store was replaced.
    #[error("the centre's epoch is {theirs} now, the copy is of {ours}")]
    Epoch {
        /// The copy's.
        ours: String,
        /// The centre's.
        theirs: String,
    },
    /// The centre has fewer events than the copy.
    #[error("the centre is at {theirs}, behind the copy at {ours}: its store was set back")]
    Behind {
        /// The copy's cursor.
        ours: Cursor,
        /// The centre's.
        theirs: Cursor,
    },
    /// The event's payload is not what its type promises.
    #[error("event {cursor} ({kind}) cannot be read")]
    Unreadable {
        /// Which event.
        cursor: Cursor,
        /// Its type.
        kind: EventType,
    },
}

/// A snapshot that is not what its digest says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot's digest is {said}, but its content has {found}")]
pub struct Mismatch {
    /// What it says.
    pub said: String,
    /// What was computed.
    pub found: String,
}

/// The copy. A clone is cheap: entities are shared.
#[derive(Debug, Clone)]
pub struct Replica {
    cursor: Cursor,
    topics: Vec<String>,
    apps: BTreeMap<String, Arc<AppSpec>>,
    instances: BTreeMap<String, Arc<Instance>>,
    nodes: BTreeMap<String, Arc<Node>>,
    digest: Digest,
    /// The last event that was known to be whole: everything up to it is in the copy.
    base: u64,
    /// For what events have told of since `base`, the number of the one that counts.
    told: HashMap<(Kind, String), u64>,
}

impl Replica {
    /// The copy as of the snapshot, if that is what its digest says.
    pub fn new(snapshot: Snapshot) -> Result<Self, Mismatch> {
        let base = snapshot.cursor.seq;
        let mut replica = Self {
            cursor: snapshot.cursor,
            topics: snapshot.topics,
            apps: BTreeMap::new(),
            instances: BTreeMap::new(),
            nodes: BTreeMap::new(),
            digest: Digest::default(),
            base,
            told: HashMap::new(),
        };
        let entities = snapshot
            .apps
            .into_iter()
            .map(Entity::App)
            .chain(snapshot.instances.into_iter().map(|i| Entity::Instance(Box::new(i))))
            .chain(snapshot.nodes.into_iter().map(Entity::Node));
        for entity in entities {
            replica.put(entity);
        }
        let found = replica.digest();
        let said = snapshot.digest;
        if found == said { Ok(replica) } else { Err(Mismatch { said, found }) }
    }

    /// Takes one event in. True if that changed the copy.
    pub fn apply(&mut self, event: &Event) -> Result<bool, Broken> {
        self.same_epoch(&event.epoch)?;
        if event.seq <= self.base {
            return Ok(false);
        }
        let effect = match event.effect() {
            Some(effect) => effect,
            None if event.kind.has_effect() => {
                return Err(Broken::Unreadable { cursor: event.cursor(), kind: event.kind });
            }
            None => {
                self.cursor.seq = self.cursor.seq.max(event.seq);
                return Ok(false);
            }
        };
        self.cursor.seq = self.cursor.seq.max(event.seq);
        let (Effect::Put(entity) | Effect::Forget(entity)) = &effect;
        let told = self.told.entry((entity.kind(), entity.key().to_owned())).or_default();
        if *told >= event.seq {
            return Ok(false);
        }
        *told = event.seq;
        Ok(match effect {
            Effect::Put(entity) => self.put(entity),
            Effect::Forget(entity) => self.forget(&entity),
        })
    }

    /// The centre says that everything in scope up to `head` has been sent.
    pub fn caught_up(&mut self, head: &Cursor) -> Result<(), Broken> {
        self.same_epoch(&head.epoch)?;
        if head.seq < self.cursor.seq {
            return Err(Broken::Behind { ours: self.cursor.clone(), theirs: head.clone() });
        }
        self.cursor.seq = head.seq;
        Ok(())
    }

    /// The copy was compared with the centre's state at its cursor and is the same: what is older is settled.
    pub fn verified(&mut self) {
        self.base = self.cursor.seq;
        self.told.clear();
    }

    fn same_epoch(&self, theirs: &str) -> Result<(), Broken> {
        if self.cursor.epoch == theirs {
            return Ok(());
        }
        let ours = self.cursor.epoch.clone();
        Err(Broken::Epoch { ours, theirs: theirs.chars().take(40).collect() })
    }

    fn put(&mut self, entity: Entity) -> bool {
        let key = entity.key().to_owned();
        match entity {
            Entity::App(app) => replace(&mut self.apps, &mut self.digest, Kind::App, key, app),
            Entity::Instance(instance) => {
                let (all, digest) = (&mut self.instances, &mut self.digest);
                replace(all, digest, Kind::Instance, key, *instance)
            }
            Entity::Node(node) => replace(&mut self.nodes, &mut self.digest, Kind::Node, key, node),
        }
    }

    fn forget(&mut self, entity: &Entity) -> bool {
        let key = entity.key();
        let was = match entity.kind() {
            Kind::App => self.apps.remove(key).is_some(),
            Kind::Instance => self.instances.remove(key).is_some(),
            Kind::Node => self.nodes.remove(key).is_some(),
        };
        if was {
            self.digest.forget(entity.kind(), key);
        }
        was
    }

    /// The event after which the centre's state was like this.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The scope, as the centre named it.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Digest of the content.
    pub fn digest(&self) -> String {
        self.digest.value()
    }

    /// Apps by id.
    pub fn apps(&self) -> &BTreeMap<String, Arc<AppSpec>> {
        &self.apps
    }

    /// Instances that have not ended, by key.
    pub fn instances(&self) -> &BTreeMap<String, Arc<Instance>> {
        &self.instances
    }

    /// Nodes by name.
    pub fn nodes(&self) -> &BTreeMap<String, Arc<Node>> {
        &self.nodes
    }

    /// The same as a snapshot, for the copy on disk.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            cursor: self.cursor.clone(),
            digest: self.digest(),
            topics: self.topics.clone(),
            apps: self.apps.values().map(|app| AppSpec::clone(app)).collect(),
            instances: self.instances.values().map(|i| Instance::clone(i)).collect(),
            nodes: self.nodes.values().map(|node| Node::clone(node)).collect(),
        }
    }
}

/// Enters an entity; false if it was there, just so.
fn replace<T: PartialEq + serde::Serialize>(
    all: &mut BTreeMap<String, Arc<T>>,
    digest: &mut Digest,
    kind: Kind,
    key: String,
    entity: T,
) -> bool {
    if all.get(&key).is_some_and(|known| **known == entity) {
        return false;
    }
    digest.put(kind, &key, &entity);
    all.insert(key, Arc::new(entity));
    true
}

#[cfg(test)]
mod tests;
