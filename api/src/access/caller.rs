//! Who is calling, and what that one may. Pure.

use super::role::Role;
use super::secret::Hash;
use super::token::Token;
use crate::scope::AppGlobs;
use axum::http::StatusCode;
use common::api_types::Topic;
use common::ids::{AppId, NodeName};
use common::moment::Moment;
use common::printable::printable;
use common::serve::Problem;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// What a token grants.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its row in the store.
    pub id: String,
    /// The token's name.
    pub name: String,
    /// As events and the audit log name it: `user:<token name>` or `node:<name>`.
    pub actor: String,
    /// What it may do.
    pub role: Role,
    /// The apps it may see. Of a node's token all, for the sake of `upstreams`; [`Caller::sees`] is what handlers ask.
    pub apps: AppGlobs,
    /// The node whose agents hold it.
    pub node: Option<NodeName>,
    /// The only topics it may read; None for any.
    pub topics: Option<Vec<Topic>>,
    /// When it ends.
    pub expires: Option<Moment>,
    /// The token as it is shown.
    pub token: Token,
}

impl Grant {
    /// From a stored token; it fails where the store has globs that are none.
    pub fn new(token: Token) -> Result<Self, String> {
        Ok(Self {
            id: token.id.clone(),
            name: token.name.clone(),
            actor: token.actor(),
            role: token.role,
            apps: AppGlobs::parse(&token.apps).map_err(|e| e.to_string())?,
            node: token.node.clone(),
            topics: token.topics.clone(),
            expires: token.expires,
            token,
        })
    }
}

/// A session of a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Hash of its secret.
    pub hash: Hash,
    /// When it ends.
    pub expires: Moment,
}

/// Who makes a request. It derefs to what its token grants.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) grant: Arc<Grant>,
    pub(super) session: Option<Session>,
    pub(super) cause: String,
    pub(super) address: IpAddr,
}

impl Deref for Caller {
    type Target = Grant;

    fn deref(&self) -> &Grant {
        &self.grant
    }
}

impl Caller {
    /// 403 `role_needed` unless it has this role or a higher one.
    pub fn need(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        let detail = format!("this needs role {role}; token \"{}\" has {}", self.name, self.role);
        Err(forbidden("role_needed", detail))
    }

    /// Whether it may know of this app. To one that it may not see, an app is not there: 404.
    pub fn sees(&self, app: &AppId) -> bool {
        self.role >= Role::Viewer && self.apps.admits(app)
    }

    /// 403 `topic_forbidden` unless it may read this topic.
    pub fn may_read(&self, topic: &Topic) -> Result<(), Problem> {
        match &self.topics {
            Some(topics) if !topics.contains(topic) && !topics.contains(&Topic::All) => {
                let allowed: Vec<String> = topics.iter().map(ToString::to_string).collect();
                let (asked, allowed) = (topic.to_string(), allowed.join(", "));
                let detail = format!(
                    "token \"{}\" may not read {}; it may read {}",
                    self.name,
                    printable(&asked),
                    printable(&allowed)
                );
                Err(forbidden("topic_forbidden", detail))
            }
            _ => Ok(()),
        }
    }

    /// 403 `not_this_node` unless it may report for this node: its own agents, and admins.
    pub fn may_report(&self, node: &NodeName) -> Result<(), Problem> {
        if self.role == Role::Admin || self.node.as_ref() == Some(node) {
            return Ok(());
        }
        let whose = match &self.node {
            Some(own) => format!("is node {}'s", printable(own.as_str())),
            None => format!("has role {}", self.role),
        };
        let detail = format!(
            "token \"{}\" {whose} and may not report for node {}",
            self.name,
            printable(node.as_str())
        );
        Err(forbidden("not_this_node", detail))
    }

    /// When its token or its session ends, whichever is first.
    pub fn ends(&self) -> Option<Moment> {
        let session = self.session.map(|session| session.expires);
        self.expires.into_iter().chain(session).min()
    }

    /// The browser's session it comes by; None for a token.
    pub fn session(&self) -> Option<Session> {
        self.session
    }

    /// Why, in its own words: header `qae-cause`.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Where it calls from.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

fn forbidden(code: &str, detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::token::NewToken;
    use serde_json::json;

    fn caller(asked: serde_json::Value) -> Caller {
        let asked: NewToken = serde_json::from_value(asked).unwrap();
        let token = asked.check(Moment::from_unix_ms(1_000)).unwrap();
        Caller {
            grant: Arc::new(Grant::new(token).unwrap()),
            session: None,
            cause: String::new(),
            address: IpAddr::from([127, 0, 0, 1]),
        }
    }

    #[test]
    fn a_viewer_reads_its_apps_and_no_more() {
        let viewer = caller(json!({"name": "v", "role": "viewer", "apps": ["video/**"]}));
        assert!(viewer.sees(&AppId::new("video/api")) && !viewer.sees(&AppId::new("shop")));
        assert!(viewer.need(Role::Viewer).is_ok());
        assert_eq!(viewer.need(Role::Operator).unwrap_err().code, "role_needed");
        assert!(viewer.may_read(&Topic::All).is_ok());
        let refused = viewer.may_report(&NodeName::new("v")).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (403, "not_this_node"));
    }

    #[test]
    fn a_node_reports_for_itself_and_reads_two_topics() {
        let node = caller(json!({"name": "n1", "role": "node", "node": "host-1"}));
        assert!(node.may_report(&NodeName::new("host-1")).is_ok());
        assert!(node.may_report(&NodeName::new("host-2")).is_err());
        assert!(node.may_report(&NodeName::new("n1")).is_err(), "the name is not the node");
        assert!(node.may_read(&Topic::Upstreams).is_ok());
        assert!(node.may_read(&Topic::Node("host-1".into())).is_ok());
        for foreign in [Topic::Node("host-2".into()), Topic::All, Topic::Apps] {
            assert_eq!(node.may_read(&foreign).unwrap_err().code, "topic_forbidden");
        }
        assert!(!node.sees(&AppId::new("video/api")) && node.need(Role::Viewer).is_err());
    }

    #[test]
    fn listed_topics_are_the_only_ones() {
        let one = caller(json!({"name": "x", "role": "viewer", "topics": ["instances:a/*"]}));
        assert!(one.may_read(&Topic::Instances("a/*".into())).is_ok());
        assert!(one.may_read(&Topic::Instances("a/**".into())).is_err());
        let any = caller(json!({"name": "x", "role": "admin", "topics": ["all"]}));
        assert!(any.may_read(&Topic::Apps).is_ok() && any.may_report(&NodeName::new("n")).is_ok());
    }

    #[test]
    fn it_ends_with_the_first_of_token_and_session() {
        let mut caller = caller(json!({"name": "x", "role": "viewer", "expires_in": "1h"}));
        let hour = Moment::from_unix_ms(3_601_000);
        assert_eq!(caller.ends(), Some(hour));
        let hash = Hash::from_hex(&"0".repeat(64)).unwrap();
        caller.session = Some(Session { hash, expires: Moment::from_unix_ms(5_000) });
        assert_eq!(caller.ends(), Some(Moment::from_unix_ms(5_000)));
    }
}
