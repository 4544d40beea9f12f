//! The JSON of the seams (contracts.md): what the API, the agents, the command line and the page say to each other. Pure.
//!
//! The *entities* of the bus are [`AppSpec`], [`Instance`] and [`Node`]: a snapshot lists them, an event carries one whole. A follower
//! keeps them by [`Entity::key`], replaces what an event brings and forgets what it ends, so that applying one twice changes nothing;
//! [`digest::Digest`] tells whether two copies are the same. What is only shown (counts, last seen) is not part of them.
//!
//! Reading is lenient (an unknown key is left alone, an unknown event type is [`EventType::Other`]), so that parts of different
//! versions work together while a fleet is upgraded; what people write is checked strictly where it is taken.

mod app;
pub mod digest;
mod entity;
mod event;
mod instance;
pub mod live;
mod loss;
mod node;
mod report;
mod snapshot;
mod topic;

pub use app::{App, AppDc, AppSpec, Wanted};
pub use entity::{Entity, Kind};
pub use event::{Effect, Event, EventType};
pub use instance::{Backend, Exit, Instance, InstanceState};
pub use loss::{LOST, LogGap, LogLossFact, Lost, MOST_LOSSES};
pub use node::{Agent, AgentState, Node, NodeStatus};
pub use report::{
    ContainerFact, DadvisorFacts, EndedFact, HEADER_DIGEST, HEADER_RUN, LogAgentFacts, LogAppFact,
    LogInstanceFact, NodeFacts, Report, SinkFact,
};
pub use snapshot::{Page, Snapshot};
pub use topic::{Topic, TopicError};
