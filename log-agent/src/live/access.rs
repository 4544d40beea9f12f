//! Who may see what: the ticket, and from where it may be shown. Pure.
//!
//! A ticket names instances by their keys in the centre, `<cluster>/<task id>` or `<cluster>/<node>/<id>`. This agent does not know its
//! cluster's name; what is left of a key must be one of its own instances.

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderValue};
use common::api_types::live::PROTOCOL_TICKET;
use common::ids::NodeName;
use common::moment::Moment;
use common::ticket::{Right, Ticket};

/// What a viewer may see of one instance.
#[derive(Debug, Clone)]
pub struct Access {
    ticket: Ticket,
    key: String,
}

impl Access {
    /// To an instance of this node; None if the ticket is not for it.
    pub fn new(ticket: Ticket, node: &NodeName, instance: &str) -> Option<Self> {
        let key = ticket.instances.iter().find(|key| fits(key, node.as_str(), instance))?.clone();
        Some(Self { ticket, key })
    }

    /// Whether a file of this name may be seen.
    pub fn reads(&self, file: &str) -> bool {
        self.ticket.allows(&self.key, file, Right::Read)
    }

    /// Whether it may be taken away.
    pub fn downloads(&self, file: &str) -> bool {
        self.ticket.allows(&self.key, file, Right::Download)
    }

    /// When it ends.
    pub fn expires(&self) -> Moment {
        self.ticket.expires
    }

    /// The ticket's name.
    pub fn ticket(&self) -> &str {
        &self.ticket.id
    }
}

/// Whether a key of the centre is that of an instance of this node.
fn fits(key: &str, node: &str, instance: &str) -> bool {
    let Some((cluster, rest)) = key.split_once('/') else { return false };
    let of_node = rest.strip_prefix(node).and_then(|rest| rest.strip_prefix('/'));
    !cluster.is_empty() && !instance.is_empty() && (rest == instance || of_node == Some(instance))
}

/// The id of an instance in a path, given as that or as its key.
pub fn named<'a>(instance: &'a str, node: &NodeName) -> &'a str {
    let Some((_, rest)) = instance.split_once('/') else { return instance };
    let of_node = rest.strip_prefix(node.as_str()).and_then(|rest| rest.strip_prefix('/'));
    of_node.unwrap_or(rest)
}

/// The ticket that a request shows.
pub fn shown(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let protocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut protocols =
        protocols.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    bearer.or_else(|| protocols.find_map(|name| name.trim().strip_prefix(PROTOCOL_TICKET)))
}

/// Whether the page that asks, if it is one, may: this agent's own, or one of these.
pub fn from_here(headers: &HeaderMap, allowed: &[String]) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let (Ok(origin), None) = (origin.to_str(), origins.next()) else { return false };
    let own = headers.get(HOST).map(HeaderValue::to_str).and_then(Result::ok);
    let of_scheme = |scheme| origin.strip_prefix(scheme).filter(|host| !host.is_empty());
    let host = of_scheme("http://").or_else(|| of_scheme("https://"));
    let is_own = matches!((host, own), (Some(host), Some(own)) if host.eq_ignore_ascii_case(own));
    is_own || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticket(keys: &[&str], files: &str) -> Ticket {
        Ticket {
            id: "t".into(),
            user: "u".into(),
            instances: keys.iter().map(|k| (*k).to_owned()).collect(),
            files: files.into(),
            rights: vec![Right::Read],
            issued: Moment::from_unix_ms(0),
            expires: Moment::LAST,
        }
    }

    fn access(key: &str, instance: &str) -> Option<Access> {
        Access::new(ticket(&[key], "*.log"), &NodeName::new("h1"), instance)
    }

    #[test]
    fn keys_of_this_node_only() {
        for (key, instance, fits) in [
            ("c/h1/abc", "abc", true),
            ("c/task.1-2", "task.1-2", true),
            ("c/h2/abc", "abc", false),
            ("c/h1/abcd", "abc", false),
            ("c/h1/abc/", "abc", false),
            ("c/x/h1/abc", "abc", false),
            ("abc", "abc", false),
            ("/abc", "abc", false),
            ("c/", "", false),
            ("c/h1/", "", false),
            ("c/h1", "h1", true),
        ] {
            assert_eq!(access(key, instance).is_some(), fits, "{key} {instance}");
            if fits {
                assert_eq!(named(key, &NodeName::new("h1")), instance);
            }
        }
        assert_eq!(named("abc", &NodeName::new("h1")), "abc");
    }

    #[test]
    fn files_and_rights_of_the_ticket() {
        let access = access("c/h1/abc", "abc").unwrap();
        assert!(access.reads("a.log") && !access.downloads("a.log"));
        for other in ["a.txt", "x/a.log", "../a.log", "/a.log", ""] {
            assert!(!access.reads(other), "{other}");
        }
    }

    #[test]
    fn tickets_and_pages() {
        let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
        };
        assert_eq!(shown(&headers(&[("authorization", "bearer  x")])), Some("x"));
        assert_eq!(shown(&headers(&[("authorization", "Basic x")])), None);
        let protocols = headers(&[("sec-websocket-protocol", "qae.logs.1, qae.ticket.qtk1.a.b.c")]);
        assert_eq!(shown(&protocols), Some("qtk1.a.b.c"));
        let allowed = ["https://qae.example".to_owned()];
        for (origin, good) in [
            ("http://h1:7002", true),
            ("https://H1:7002", true),
            ("https://qae.example", true),
            ("http://evil.example", false),
            ("http://h1:7002.evil.example", false),
            ("https://qae.example.evil", false),
            ("null", false),
            ("", false),
        ] {
            let headers = headers(&[("host", "h1:7002"), ("origin", origin)]);
            assert_eq!(from_here(&headers, &allowed), good, "{origin}");
        }
        assert!(from_here(&headers(&[("host", "h1")]), &[]));
    }

    proptest! {
        #[test]
        fn no_foreign_key_fits(key in "[a-z/]{0,14}", instance in "[a-z/]{1,8}") {
            if fits(&key, "h", &instance) {
                let (cluster, rest) = key.split_once('/').unwrap();
                let of_node = format!("h/{instance}");
                prop_assert!(!cluster.is_empty() && (rest == instance || rest == of_node));
            }
        }
    }
}
