//! One value for a whole scoped state, so that a follower and the API can tell in a few bytes whether they hold the same.
//!
//! For every entity one line `<kind> <key> <hex>\n`, where hex is the SHA-256 of its JSON, compact and with the keys of every object
//! sorted; the lines sorted by bytes; the digest is `sha256:` and the hex SHA-256 of them all. Any language can compute it.

use super::entity::Kind;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Hashes of the entities of a copy, by kind and key, kept up to date one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digest {
    lines: BTreeMap<String, String>,
}

impl Digest {
    /// Enters or replaces an entity.
    pub fn put(&mut self, kind: Kind, key: &str, entity: &impl Serialize) {
        self.lines.insert(line(kind, key), hash(entity));
    }

    /// Takes an entity out.
    pub fn forget(&mut self, kind: Kind, key: &str) {
        self.lines.remove(&line(kind, key));
    }

    /// The digest of all that was entered.
    pub fn value(&self) -> String {
        let mut sha = Sha256::new();
        for (line, hash) in &self.lines {
            sha.update(line.as_bytes());
            sha.update(b" ");
            sha.update(hash.as_bytes());
            sha.update(b"\n");
        }
        format!("sha256:{}", hex(&sha.finalize()))
    }
}

fn line(kind: Kind, key: &str) -> String {
    format!("{} {key}", kind.name())
}

/// SHA-256 of a value's canonical JSON, in hex.
pub fn hash(value: &impl Serialize) -> String {
    // a `Value`'s objects are sorted maps, so going through one sorts the keys
    let value = serde_json::to_value(value).unwrap_or_default();
    hex(&Sha256::digest(value.to_string().as_bytes()))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_history_leave_no_trace() {
        let (mut a, mut b) = (Digest::default(), Digest::default());
        a.put(Kind::App, "x", &json!({"b": 1, "a": 2}));
        a.put(Kind::Node, "n", &json!({}));
        b.put(Kind::Node, "n", &json!({"old": true}));
        b.put(Kind::Node, "m", &json!({}));
        b.put(Kind::App, "x", &json!({"a": 2, "b": 1}));
        b.put(Kind::Node, "n", &json!({}));
        assert_ne!(a.value(), b.value());
        b.forget(Kind::Node, "m");
        assert_eq!(a.value(), b.value());
    }

    #[test]
    fn anyone_can_compute_it() {
        // printf 'app x %s\n' "$(printf '{"a":2}' | sha256sum | cut -d' ' -f1)" | sha256sum
        let mut digest = Digest::default();
        digest.put(Kind::App, "x", &json!({"a": 2}));
        assert_eq!(
            digest.value(),
            "sha256:77a2eb64a77b03b803e6f19caebdf82204e7caf04c549702df368ae2bad1de12"
        );
        assert_eq!(Digest::default().value(), format!("sha256:{}", hex(&Sha256::digest(b""))));
    }
}
