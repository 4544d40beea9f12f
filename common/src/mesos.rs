//! Names for the containers of a Mesos agent, from its `/state` and `/containers` (marathon.md section 7).
//!
//! Containers of the Mesos containerizer are cgroups called by a UUID; who they are only the agent knows. It is asked rarely ([`Book`] says when) and
//! read tolerantly ([`Names`]); while it is away the last good names stay, and what is new goes by its container id.

mod agent;
mod book;
mod names;
mod wire;

pub use agent::{Agent, Answer, AskError};
pub use book::Book;
pub use names::{Names, Task};
