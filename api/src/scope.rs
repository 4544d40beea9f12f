//! What a reader of the bus sees: its topics, confined to the apps of its token. Pure.
//!
//! An app is in scope of `apps`, `upstreams` and `all`; an instance of `upstreams`, `all`, `instances:<glob>` of its app and
//! `node:<name>` of its node; a node of `all` and `node:<name>`. What happened to an instance without changing it (`oom_killed`,
//! `log_gap`, `ticket_used`) is where the instance is, but for `upstreams`, which has no use for it. A token for some apps hides the others' apps
//! and instances under every topic; nodes it does not hide.

mod globs;
#[cfg(test)]
mod tests;

pub use globs::{AppGlobs, GlobError};

use common::api_types::{AppSpec, Event, EventType, Instance, Node, Topic};
use common::ids::{AppId, NodeName};
use std::collections::BTreeSet;

/// Topics and apps, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    name: String,
    topics: Vec<Topic>,
    all: bool,
    apps: bool,
    upstreams: bool,
    globs: AppGlobs,
    nodes: BTreeSet<NodeName>,
    admitted: AppGlobs,
}

/// What an event is about, as far as scopes ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    what: What,
    app: Option<AppId>,
    node: Option<NodeName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    App,
    Instance,
    Node,
    /// Changes no entity.
    Note,
}

impl Scope {
    /// Of these topics, for somebody who may see these apps.
    pub fn new(topics: &[Topic], admitted: &AppGlobs) -> Self {
        let has = |topic| topics.contains(&topic);
        let all = has(Topic::All);
        let mut topics = if all { vec![Topic::All] } else { topics.to_vec() };
        topics.sort();
        topics.dedup();
        let globs = topics.iter().filter_map(|t| match t {
            Topic::Instances(glob) => Some(glob.clone()),
            _ => None,
        });
        let globs = AppGlobs::of(globs);
        let nodes = topics.iter().filter_map(|t| match t {
            Topic::Node(name) => Some(NodeName::new(name.as_str())),
            _ => None,
        });
        let nodes = nodes.collect();
        let upstreams = has(Topic::Upstreams);
        let mut name = topics.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        if !admitted.is_all() {
            // neither a topic nor a pattern can hold a newline, so no two scopes share a name
            name = format!("{name}\n{admitted}");
        }
        Self {
            name,
            all,
            apps: all || upstreams || has(Topic::Apps),
            upstreams,
            globs,
            nodes,
            admitted: admitted.clone(),
            topics,
        }
    }

    /// The same for equal scopes, different for others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its topics, sorted; `all` stands alone.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// Whether the app is in it.
    pub fn app(&self, app: &AppSpec) -> bool {
        self.app_id(&app.id)
    }

    /// Whether the instance is in it.
    pub fn instance(&self, instance: &Instance) -> bool {
        self.upstreams && self.admitted.admits(&instance.app)
            || self.placed(Some(&instance.app), instance.node.as_ref())
    }

    /// Whether the node is in it.
    pub fn node(&self, node: &Node) -> bool {
        self.node_named(&node.name)
    }

    /// Whether the event is in it.
    pub fn event(&self, event: &Event) -> bool {
        self.about(&About::of(event))
    }

    /// [`Self::event`], of what was taken from the event before.
    pub fn about(&self, about: &About) -> bool {
        let (app, node) = (about.app.as_ref(), about.node.as_ref());
        match about.what {
            What::App => app.is_some_and(|a| self.app_id(a)),
            What::Node => node.is_some_and(|n| self.node_named(n)),
            What::Instance if self.upstreams => {
                app.is_some_and(|a| self.admitted.admits(a)) || self.placed(app, node)
            }
            What::Instance | What::Note => self.placed(app, node),
        }
    }

    fn app_id(&self, app: &AppId) -> bool {
        self.apps && self.admitted.admits(app)
    }

    fn node_named(&self, name: &NodeName) -> bool {
        self.all || self.nodes.contains(name)
    }

    /// By `all`, the app's globs or the node.
    fn placed(&self, app: Option<&AppId>, node: Option<&NodeName>) -> bool {
        let admitted = app.map_or(self.admitted.is_all(), |a| self.admitted.admits(a));
        admitted
            && (self.all
                || node.is_some_and(|n| self.nodes.contains(n))
                || app.is_some_and(|a| self.globs.admits(a)))
    }
}

impl About {
    /// What the event is about.
    pub fn of(event: &Event) -> Self {
        let text = |key| event.payload.get(key).and_then(serde_json::Value::as_str);
        let what = match event.kind {
            EventType::AppChanged | EventType::AppDeleted => What::App,
            EventType::NodeChanged | EventType::NodeSilent | EventType::NodeDeleted => What::Node,
            EventType::InstanceChanged | EventType::HealthChanged | EventType::InstanceGone => {
                What::Instance
            }
            EventType::OomKilled | EventType::LogGap | EventType::TicketUsed | EventType::Other => {
                What::Note
            }
        };
        let (app, node) = match what {
            What::App => (Some(event.subject.as_str()), None),
            What::Node => (None, Some(event.subject.as_str())),
            What::Instance | What::Note => (text("app"), text("node")),
        };
        Self { what, app: app.map(AppId::new), node: node.map(NodeName::new) }
    }

    /// The app it is about.
    pub fn app(&self) -> Option<&AppId> {
        self.app.as_ref()
    }

    /// The node it is about.
    pub fn node(&self) -> Option<&NodeName> {
        self.node.as_ref()
    }
}
