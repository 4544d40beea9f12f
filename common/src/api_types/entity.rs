//! What the bus carries: the three kinds of things, each with a key.

use super::{AppSpec, Instance, Node};

/// Kind of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An app.
    App,
    /// An instance.
    Instance,
    /// A node.
    Node,
}

impl Kind {
    /// One word, as in a digest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Instance => "instance",
            Self::Node => "node",
        }
    }
}

/// One entity, whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Entity {
    /// An app.
    App(AppSpec),
    /// An instance.
    Instance(Box<Instance>),
    /// A node.
    Node(Node),
}

impl Entity {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::App(_) => Kind::App,
            Self::Instance(_) => Kind::Instance,
            Self::Node(_) => Kind::Node,
        }
    }

    /// Unique within its kind: the app's id, the instance's key, the node's name.
    pub fn key(&self) -> &str {
        match self {
            Self::App(app) => app.id.as_str(),
            Self::Instance(instance) => &instance.key,
            Self::Node(node) => node.name.as_str(),
        }
    }
}
