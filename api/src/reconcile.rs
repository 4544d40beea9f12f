//! What was observed and what is stored, into changes. Pure.
//!
//! Two kinds of observers speak: schedulers ([`cluster`]: Marathon's list of apps and tasks) and nodes ([`node`]: dadvisor's inventory of
//! containers). **Every field of an instance has one owner**: of a task the scheduler owns state, health, ports, version, start and
//! count of restarts, the node owns container, image and log volumes; of a container without scheduler the node owns all. An observer
//! writes what it owns and leaves the rest, and looks up what the other has said when it meets an instance for the first time. So
//! whoever speaks first, the state that both leave is the same.
//!
//! What is missing in an observation ends something only if the observation is whole; a report that does not come ends nothing.

pub mod observed;

pub use observed::{ClusterFacts, ListedApp, ListedTask, Listing};
