//! What happened once must be told once, also by an API that was restarted after it told and before it noted that it did.

use crate::change::Change;
use crate::world::World;
use common::api_types::{Entity, EventType};
use common::moment::Moment;
use serde_json::Value;
use std::collections::HashMap;

/// Key in the payload of `oom_killed`: the container's count after this kill.
pub const OOM_COUNT: &str = "oom_kills";
/// Likewise: how many kills the note speaks of, 1 but for a flood.
pub const OOM_KILLS: &str = "kills";

/// What the store has of ends and kills that a report speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    ends: HashMap<String, Moment>,
    kills: HashMap<String, u64>,
}

/// What is to be looked up before it is told: both empty, almost always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Instances whose end comes without their life being known.
    pub ends: Vec<String>,
    /// Instances in which the kernel killed, with their apps.
    pub kills: Vec<(String, String)>,
}

impl Told {
    /// The latest end of an instance in the store.
    pub fn enter_end(&mut self, key: String, at: Moment) {
        self.ends.insert(key, at);
    }

    /// The latest `oom_killed` about an instance in the store, by its payload.
    pub fn enter_kill(&mut self, subject: String, payload: &Value) {
        let count = payload.get(OOM_COUNT).and_then(Value::as_u64).unwrap_or(0);
        self.kills.insert(subject, count);
    }

    pub(super) fn end(&self, key: &str, at: Moment) -> bool {
        self.ends.get(key).is_some_and(|told| *told >= at)
    }

    pub(super) fn kill(&self, subject: &str, count: u64) -> bool {
        self.kills.get(subject).is_some_and(|told| *told >= count)
    }
}

/// What of these changes may have been told before.
pub fn doubts(world: &World, changes: &[Change]) -> Doubts {
    let mut doubts = Doubts::default();
    for change in changes {
        match change {
            Change::Forget(Entity::Instance(i)) if world.instance(&i.key).is_none() => {
                doubts.ends.push(i.key.clone());
            }
            Change::Note { kind: EventType::OomKilled, subject, payload } => {
                let app = payload.get("app").and_then(Value::as_str).unwrap_or_default();
                doubts.kills.push((subject.clone(), app.to_owned()));
            }
            _ => {}
        }
    }
    doubts.kills.dedup();
    doubts
}

impl Doubts {
    /// Nothing to look up.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.kills.is_empty()
    }
}
