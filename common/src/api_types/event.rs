//! An event of the bus (contracts.md section 1).

use super::entity::Entity;
use super::{AppSpec, Instance, Node};
use crate::ids::Cursor;
use crate::moment::Moment;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! event_types {
    ($($variant:ident $name:literal $doc:literal,)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum EventType {
            $(#[doc = $doc] $variant,)+
            /// One of a newer version; its payload is none of the entities.
            #[serde(other)]
            Other,
        }

        impl EventType {
            /// Every type of this version.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ Self::Other => "other" }
            }
        }
    };
}

event_types! {
    AppChanged "app_changed" "An app is new or defined otherwise; payload: the app.",
    AppDeleted "app_deleted" "An app is no more; payload: the app as it was.",
    InstanceChanged "instance_changed" "An instance is new or different; payload: the instance.",
    InstanceGone "instance_gone" "An instance ended; payload: the instance, `ended`.",
    HealthChanged "health_changed" "Only the health is different; payload: the instance.",
    NodeChanged "node_changed" "A node or an agent of it is new, different, or back; payload: the node.",
    NodeSilent "node_silent" "An agent missed three reports; payload: the node.",
    NodeDeleted "node_deleted" "A node is no more, by an admin's word; payload: the node as it was.",
    OomKilled "oom_killed" "The kernel killed a process of an instance for memory; payload: the instance.",
    LogGap "log_gap" "Lines of an instance's logs will never be shipped; payload: the instance, and what was lost under `lost`.",
    TicketUsed "ticket_used" "A viewer came with a ticket; payload: who, which instance.",
}

impl EventType {
    /// Whether an event of this type changes an entity: its payload has to be one.
    pub const fn has_effect(self) -> bool {
        !matches!(self, Self::OomKilled | Self::LogGap | Self::TicketUsed | Self::Other)
    }

    /// From its name in JSON.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| t.name() == name)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One change, as it was committed together with the state it describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Which store it belongs to.
    pub epoch: String,
    /// Its number, without gaps within the epoch, from 1.
    pub seq: u64,
    /// When it was written.
    pub time: Moment,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// What it is about: the entity's key ([`Entity::key`]).
    pub subject: String,
    /// Who made it: `user:<token name>`, `node:<name>`, `cluster:<name>`, `api`.
    pub actor: String,
    /// Why, in a few words for people.
    #[serde(default)]
    pub cause: String,
    /// See [`EventType`].
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: serde_json::Value,
}

impl Event {
    /// The place right after it.
    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch.clone(), seq: self.seq }
    }

    /// What a follower does with it: put the entity in its place, or forget it. None if it changes no entity, and for payloads that are
    /// not what the type promises.
    pub fn effect(&self) -> Option<Effect> {
        // from the payload as it is, which spares a copy of it
        let payload = &self.payload;
        Some(match self.kind {
            EventType::AppChanged => Effect::Put(Entity::App(AppSpec::deserialize(payload).ok()?)),
            EventType::AppDeleted => {
                Effect::Forget(Entity::App(AppSpec::deserialize(payload).ok()?))
            }
            EventType::InstanceChanged | EventType::HealthChanged => {
                Effect::Put(Entity::Instance(Box::new(Instance::deserialize(payload).ok()?)))
            }
            EventType::InstanceGone => {
                Effect::Forget(Entity::Instance(Box::new(Instance::deserialize(payload).ok()?)))
            }
            EventType::NodeChanged | EventType::NodeSilent => {
                Effect::Put(Entity::Node(Node::deserialize(payload).ok()?))
            }
            EventType::NodeDeleted => {
                Effect::Forget(Entity::Node(Node::deserialize(payload).ok()?))
            }
            EventType::OomKilled | EventType::LogGap | EventType::TicketUsed | EventType::Other => {
                return None;
            }
        })
    }
}

/// What an event does to a copy of the state.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// It is there, and like this.
    Put(Entity),
    /// It is no more; as it last was.
    Forget(Entity),
}
