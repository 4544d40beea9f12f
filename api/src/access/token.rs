//! A token: what is stored and shown of it, and what may be asked for. Pure. The secret is not part of it.

use super::role::Role;
use crate::scope::AppGlobs;
use crate::version::Version;
use axum::http::StatusCode;
use common::api_types::Topic;
use common::ids::NodeName;
use common::moment::Moment;
use common::printable::printable;
use common::serve::Problem;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest name, in bytes.
const NAME: usize = 64;
/// Most app globs, and most topics.
const LISTED: usize = 100;
/// Longest node name, glob, in bytes.
const TEXT: usize = 255;
/// Longest life: what is meant to live for ever has no end instead.
const LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    /// Its row, and what its sessions point to.
    #[serde(skip)]
    pub id: String,
    /// Unique; `[a-zA-Z0-9._-]{1,64}`.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The apps it may see: `*` stands for anything within a path segment, `**` for any segments.
    pub apps: Vec<String>,
    /// The node whose agents hold it; null unless the role is `node`.
    #[schema(value_type = Option<String>)]
    pub node: Option<NodeName>,
    /// The only topics of the bus it may read; null for any.
    #[schema(value_type = Option<Vec<String>>)]
    pub topics: Option<Vec<Topic>>,
    /// When it was made.
    pub created: Moment,
    /// When it ends; null for never.
    pub expires: Option<Moment>,
    /// When it was last used, give or take a minute.
    pub last_used: Option<Moment>,
}

impl Token {
    /// Whether its time is over.
    pub fn expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Its version. A token is never changed, but another one may have its name.
    pub fn version(&self) -> Version {
        Version::of(&self.id)
    }

    /// As events and the audit log name it.
    pub fn actor(&self) -> String {
        match &self.node {
            Some(node) => format!("node:{node}"),
            None => format!("user:{}", self.name),
        }
    }
}

/// A token as it is asked for.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Unique; `[a-zA-Z0-9._-]{1,64}`.
    pub name: String,
    /// What it may do; left out: `node` where a node is named, else `viewer`.
    #[serde(default)]
    pub role: Option<Role>,
    /// The apps it may see, as globs; all if left out. Not for `admin` and `node`.
    #[serde(default)]
    pub apps: Option<Vec<String>>,
    /// The node whose agents hold it; needed for role `node`, and only for it.
    #[serde(default)]
    pub node: Option<String>,
    /// The only topics of the bus it may read; any if left out. Not for `node`, whose topics are set.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub topics: Option<Vec<Topic>>,
    /// How long it is valid, such as `24h` or `30d`; for ever if left out or null.
    #[serde(default)]
    #[schema(example = "24h")]
    pub expires_in: Option<String>,
}

impl NewToken {
    /// The token it asks for, or what is wrong with it.
    pub fn check(self, now: Moment) -> Result<Token, Problem> {
        if !is_name(&self.name) {
            let detail = format!("`name` must be 1 to {NAME} letters, digits, or any of . _ -");
            return Err(invalid(detail));
        }
        let role = self.role.unwrap_or(match self.node {
            Some(_) => Role::Node,
            None => Role::Viewer,
        });
        let (apps, node, topics) = match (role, self.node) {
            (Role::Node, Some(node)) => {
                nothing("apps", role, self.apps.as_ref())?;
                nothing("topics", role, self.topics.as_ref())?;
                let topics = vec![Topic::Node(node.clone()), Topic::Upstreams];
                let topics = bounded("node", &node).and_then(|()| own_topics(topics))?;
                (all_apps(), Some(NodeName::new(node)), Some(topics))
            }
            (Role::Node, None) => {
                return Err(invalid("a token of role node needs `node`, the node's name"));
            }
            (role, Some(_)) => {
                return Err(invalid(format!("`node` is for tokens of role node, not {role}")));
            }
            (Role::Admin, None) => {
                // an admin makes tokens for any app, so that limiting its own would be a show
                nothing("apps", role, self.apps.as_ref())?;
                (all_apps(), None, checked_topics(self.topics)?)
            }
            (_, None) => (checked_apps(self.apps)?, None, checked_topics(self.topics)?),
        };
        let life = self.expires_in.as_deref().map(|text| life(text, LIFE)).transpose()?;
        let expires = life.map(|life| now.after(life));
        let (name, created) = (self.name, now);
        Ok(Token {
            id: String::new(),
            name,
            role,
            apps,
            node,
            topics,
            created,
            expires,
            last_used: None,
        })
    }
}

/// Every app.
pub fn all_apps() -> Vec<String> {
    vec!["**".to_owned()]
}

/// 422 `invalid_body`.
pub fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail)
}

/// A duration as typed, from a second to `longest`.
pub fn life(text: &str, longest: Duration) -> Result<Duration, Problem> {
    let wrong = |what: &str| {
        let shown: String = text.chars().take(40).collect();
        invalid(format!("`expires_in` is \"{}\": {what}", printable(&shown)))
    };
    let life = (text.len() <= 40).then(|| humantime::parse_duration(text));
    match life {
        Some(Ok(life)) if life < Duration::from_secs(1) => Err(wrong("at least 1s")),
        Some(Ok(life)) if life > longest => {
            Err(wrong(&format!("at most {}", humantime::format_duration(longest))))
        }
        Some(Ok(life)) => Ok(life),
        _ => Err(wrong("not a duration such as 15m, 24h or 30d")),
    }
}

/// Whether it can be a token's name.
pub fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=NAME).contains(&name.len()) && name.bytes().all(allowed)
}

fn checked_apps(apps: Option<Vec<String>>) -> Result<Vec<String>, Problem> {
    let Some(mut apps) = apps else { return Ok(all_apps()) };
    if apps.is_empty() || apps.len() > LISTED {
        return Err(invalid(format!("`apps` must have 1 to {LISTED} globs; left out: all apps")));
    }
    for glob in &apps {
        bounded("apps", glob)?;
    }
    apps.sort();
    apps.dedup();
    AppGlobs::parse(&apps).map_err(|e| invalid(format!("`apps`: {e}")))?;
    Ok(apps)
}

fn checked_topics(topics: Option<Vec<Topic>>) -> Result<Option<Vec<Topic>>, Problem> {
    let Some(topics) = topics else { return Ok(None) };
    if topics.is_empty() || topics.len() > LISTED {
        return Err(invalid(format!("`topics` must have 1 to {LISTED}; left out: any topic")));
    }
    own_topics(topics).map(Some)
}

fn own_topics(mut topics: Vec<Topic>) -> Result<Vec<Topic>, Problem> {
    topics.sort();
    topics.dedup();
    // what is stored must read back: a name with a comma, say, makes a topic that cannot be asked for
    match topics.iter().find(|topic| Topic::parse(&topic.to_string()).as_ref() != Ok(topic)) {
        Some(topic) => Err(invalid(format!("\"{}\" is no topic", printable(&topic.to_string())))),
        None => Ok(topics),
    }
}

fn bounded(field: &str, text: &str) -> Result<(), Problem> {
    if (1..=TEXT).contains(&text.len()) && !text.contains(common::printable::acts) {
        Ok(())
    } else {
        Err(invalid(format!("`{field}` must be 1 to {TEXT} bytes of plain text")))
    }
}

fn nothing<T>(field: &str, role: Role, given: Option<&T>) -> Result<(), Problem> {
    match given {
        None => Ok(()),
        Some(_) => Err(invalid(format!("`{field}` is not for role {role}: leave it out"))),
    }
}

#[cfg(test)]
mod tests;
