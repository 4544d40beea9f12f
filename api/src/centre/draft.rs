//! Changes become events, each decided on the world that the one before has left. Pure.
//!
//! A follower keeps entities by key and knows only the events of its scope. So that a copy stays right whatever its scope, an instance
//! that changes its app, or its node, first ends where it was; and an end carries the app and the node under which it was known.

use super::Origin;
use crate::change::Change;
use crate::world::World;
use common::api_types::{Entity, Event, EventType, Instance, InstanceState, Kind};
use common::moment::Moment;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Longest key, in bytes: PostgreSQL indexes no more than about 2,700, and nothing real comes near.
const LONGEST: usize = 1024;

/// A world with events that are not stored yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) world: World,
    pub(super) touched: BTreeSet<(Kind, String)>,
    pub(super) refused: Vec<Refused>,
    latest: Moment,
}

/// A change that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("a key of {0} bytes, at most {LONGEST} are taken: \"{1}...\"")]
    Long(usize, String),
    #[error("a key with a NUL character: \"{0}\"")]
    Nul(String),
    #[error("its JSON: {0}")]
    Json(String),
}

impl Draft {
    pub(super) fn new(world: World, latest: Moment) -> Self {
        Self { world, touched: BTreeSet::new(), refused: Vec::new(), latest }
    }

    /// What the changes are in this world, taken into it. Times never go back, so that the timeline's order is that of the numbers.
    pub(super) fn take(
        &mut self,
        origin: &Origin,
        changes: Vec<Change>,
        now: Moment,
    ) -> Vec<Arc<Event>> {
        let mut events = Vec::new();
        for change in changes {
            for change in apart(&self.world, change, now) {
                match self.event(origin, &change, now) {
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => {}
                    Err(refused) => self.refused.push(refused),
                }
            }
        }
        events
    }

    /// Takes in an event as it was stored.
    pub(super) fn apply(&mut self, event: &Event) {
        if let Some(kind) = entity(event.kind) {
            self.touched.insert((kind, event.subject.clone()));
        }
        self.latest = self.latest.max(event.time);
        self.world.apply(event);
    }

    /// What was touched since the last time.
    pub(super) fn settled(&mut self) -> BTreeSet<(Kind, String)> {
        std::mem::take(&mut self.touched)
    }

    fn event(
        &mut self,
        origin: &Origin,
        change: &Change,
        now: Moment,
    ) -> Result<Option<Arc<Event>>, Refused> {
        let Some(kind) = change.event_type(&self.world) else { return Ok(None) };
        let (subject, payload) = match change {
            Change::Put(entity) | Change::Forget(entity) => {
                check(entity)?;
                (entity.key(), json(entity)?)
            }
            Change::Note { subject, payload, .. } => {
                key(subject)?;
                for about in ["app", "node"] {
                    payload.get(about).and_then(Value::as_str).map_or(Ok(()), key)?;
                }
                (subject.as_str(), payload.clone())
            }
        };
        let cursor = self.world.cursor();
        let event = Event {
            epoch: cursor.epoch.clone(),
            seq: cursor.seq + 1,
            time: now.max(self.latest),
            kind,
            subject: subject.to_owned(),
            actor: plain(&origin.actor),
            cause: plain(&origin.cause),
            payload,
        };
        self.apply(&event);
        Ok(Some(Arc::new(event)))
    }
}

/// The change as a follower of any scope can take it.
fn apart(world: &World, change: Change, now: Moment) -> Vec<Change> {
    let put = match change {
        Change::Put(Entity::Instance(i)) if i.state != InstanceState::Ended => i,
        Change::Put(Entity::Instance(i)) | Change::Forget(Entity::Instance(i)) => {
            return vec![Change::Forget(Entity::Instance(Box::new(ended(world, *i, now))))];
        }
        other => return vec![other],
    };
    let Some(old) = world.instance(&put.key) else {
        return vec![Change::Put(Entity::Instance(put))];
    };
    let moved = old.node.is_some() && old.node != put.node;
    let mut changes = Vec::new();
    if old.app != put.app || moved {
        let old = ended(world, Instance::clone(old), now);
        changes.push(Change::Forget(Entity::Instance(Box::new(old))));
    }
    changes.push(Change::Put(Entity::Instance(put)));
    changes
}

fn ended(world: &World, mut instance: Instance, now: Moment) -> Instance {
    if let Some(known) = world.instance(&instance.key) {
        instance.app = known.app.clone();
        instance.node = known.node.clone().or(instance.node);
    }
    instance.state = InstanceState::Ended;
    instance.ended_at = instance.ended_at.or(Some(now));
    instance
}

fn check(entity: &Entity) -> Result<(), Refused> {
    key(entity.key())?;
    if let Entity::Instance(instance) = entity {
        key(instance.app.as_str())?;
        key(instance.id.as_str())?;
        instance.node.as_ref().map_or(Ok(()), |n| key(n.as_str()))?;
    }
    Ok(())
}

fn key(key: &str) -> Result<(), Refused> {
    let shown = || key.chars().take(60).flat_map(char::escape_debug).collect();
    match key {
        _ if key.len() > LONGEST => Err(Refused::Long(key.len(), shown())),
        // PostgreSQL's TEXT cannot hold one
        _ if key.contains('\0') => Err(Refused::Nul(shown())),
        _ => Ok(()),
    }
}

fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn json(entity: &Entity) -> Result<Value, Refused> {
    let value = match entity {
        Entity::App(app) => serde_json::to_value(app),
        Entity::Instance(instance) => serde_json::to_value(instance),
        Entity::Node(node) => serde_json::to_value(node),
    };
    value.map_err(|e| Refused::Json(e.to_string()))
}

/// The kind of entity that events of this type carry.
fn entity(kind: EventType) -> Option<Kind> {
    match kind {
        EventType::AppChanged | EventType::AppDeleted => Some(Kind::App),
        EventType::InstanceChanged | EventType::HealthChanged | EventType::InstanceGone => {
            Some(Kind::Instance)
        }
        EventType::NodeChanged | EventType::NodeSilent | EventType::NodeDeleted => Some(Kind::Node),
        EventType::OomKilled | EventType::LogGap | EventType::TicketUsed | EventType::Other => None,
    }
}
