//! What a reader of the bus wants to hear of: `apps`, `instances:<app glob>`, `node:<name>`, `upstreams`, `alerts`, `all`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Longest glob or name, in bytes.
const LONGEST: usize = 1024;

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Apps as they are defined.
    Apps,
    /// Instances of the apps that match: `*` stands for anything within a path segment, `**` for any segments.
    Instances(String),
    /// One node, its agents and the instances on it.
    Node(String),
    /// What nginx is made from: apps, and all instances.
    Upstreams,
    /// Alerts.
    Alerts,
    /// Everything.
    All,
}

/// This is no topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no topic; there are apps, instances:<app glob>, node:<name>, upstreams, alerts, all"
)]
pub struct TopicError(String);

impl Topic {
    /// Reads one topic.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        let wrong = || TopicError(text.chars().take(100).flat_map(char::escape_debug).collect());
        let bounded = |name: &str| {
            let good = !name.is_empty()
                && name.len() <= LONGEST
                && !name.contains(|c: char| c == ',' || c.is_control());
            good.then(|| name.to_owned()).ok_or_else(wrong)
        };
        match text.split_once(':') {
            Some(("instances", glob)) => Ok(Self::Instances(bounded(glob)?)),
            Some(("node", name)) => Ok(Self::Node(bounded(name)?)),
            Some(_) => Err(wrong()),
            None => match text {
                "apps" => Ok(Self::Apps),
                "upstreams" => Ok(Self::Upstreams),
                "alerts" => Ok(Self::Alerts),
                "all" => Ok(Self::All),
                _ => Err(wrong()),
            },
        }
    }

    /// Reads `a,b,c` into a sorted list without repetitions.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, TopicError> {
        let mut topics =
            text.split(',').map(|t| Self::parse(t.trim())).collect::<Result<Vec<_>, _>>()?;
        topics.sort();
        topics.dedup();
        Ok(topics)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apps => f.write_str("apps"),
            Self::Instances(glob) => write!(f, "instances:{glob}"),
            Self::Node(name) => write!(f, "node:{name}"),
            Self::Upstreams => f.write_str("upstreams"),
            Self::Alerts => f.write_str("alerts"),
            Self::All => f.write_str("all"),
        }
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_printed() {
        let topics = Topic::parse_list("node:h1, instances:video/*,apps,apps").unwrap();
        let shown: Vec<_> = topics.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["apps", "instances:video/*", "node:h1"]);
        for wrong in ["", "app", "instances:", "node", "node:a\nb", "x:y"] {
            assert!(Topic::parse_list(wrong).is_err(), "{wrong:?}");
        }
    }
}
