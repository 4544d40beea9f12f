//! What is to become of the state, as reconciling decides it, and the event that each change is. Pure.

use crate::world::World;
use common::api_types::{Entity, EventType, Instance, InstanceState};
use common::container::Health;
use serde_json::Value;

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The entity is there and like this. Nothing happens if it already is; an ended instance is [`Change::Forget`]ten.
    Put(Entity),
    /// It is no more: an app is deleted, an instance ended (as given, in state `ended`), a node removed.
    Forget(Entity),
    /// Something happened that changes no entity.
    Note {
        /// `oom_killed`, `log_gap`, `ticket_used`.
        kind: EventType,
        /// What it is about.
        subject: String,
        /// See [`EventType`].
        payload: Value,
    },
}

impl Change {
    /// The event it is in this world; None if nothing would be different.
    pub fn event_type(&self, world: &World) -> Option<EventType> {
        match self {
            Self::Note { kind, .. } => Some(*kind),
            Self::Put(Entity::App(app)) => {
                (world.app(&app.id).is_none_or(|a| **a != *app)).then_some(EventType::AppChanged)
            }
            Self::Put(Entity::Node(node)) => {
                let before = world.node(&node.name);
                let silent =
                    |n: &common::api_types::Node| n.agents.iter().filter(|a| a.silent).count();
                let fell_silent = before.is_some_and(|b| silent(node) > silent(b));
                before.is_none_or(|b| **b != *node).then_some(if fell_silent {
                    EventType::NodeSilent
                } else {
                    EventType::NodeChanged
                })
            }
            Self::Put(Entity::Instance(instance)) => match world.instance(&instance.key) {
                _ if instance.state == InstanceState::Ended => gone(world, instance),
                None => Some(EventType::InstanceChanged),
                Some(before) if **before == **instance => None,
                Some(before) if only_health_differs(before, instance) => {
                    Some(EventType::HealthChanged)
                }
                Some(_) => Some(EventType::InstanceChanged),
            },
            Self::Forget(Entity::App(app)) => world.app(&app.id).map(|_| EventType::AppDeleted),
            Self::Forget(Entity::Instance(instance)) => gone(world, instance),
            Self::Forget(Entity::Node(node)) => {
                world.node(&node.name).map(|_| EventType::NodeDeleted)
            }
        }
    }
}

/// An end is told once, of instances that were known.
fn gone(world: &World, instance: &Instance) -> Option<EventType> {
    world.instance(&instance.key).map(|_| EventType::InstanceGone)
}

fn only_health_differs(a: &Instance, b: &Instance) -> bool {
    let without = |i: &Instance| Instance { health: Health::Unknown, ..i.clone() };
    a.health != b.health && without(a) == without(b)
}
