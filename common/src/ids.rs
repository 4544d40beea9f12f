//! Names: parse, print, and the one rule by which a foreign name becomes a Graphite path component.
//!
//! The rule (product.md, "Metric names"): a component is `[A-Za-z0-9_-]{1,200}` and starts with a letter or digit. Whatever is changed
//! or cut gets `-` and 8 hex digits of a hash of the original, so two different names never share a series.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Longest component this product writes, in bytes. Carbon's own limit is 251 (file name 255 with `.wsp`).
pub const MAX_COMPONENT: usize = 200;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
        pub struct $name(String);

        impl $name {
            /// Takes any text: names come from labels and schedulers, and are escaped where they leave, not where they enter.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// An app's id: the Marathon path without its leading slash (`video/transcode/api`), or `project/service`, or `docker/<name>`.
    AppId
}
name_type! {
    /// An instance's id: the Mesos task id, else the container's short id.
    InstanceId
}
name_type! {
    /// A host's name, as configured in `[node] name`, else its hostname.
    NodeName
}

/// A place in the event stream: `epoch:seq`. It names the state after the event `seq`; 0 is before the first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which store the numbers belong to: 1 to 32 letters and digits.
    pub epoch: String,
    /// Number of the last event seen.
    pub seq: u64,
}

impl Cursor {
    /// Reads `epoch:seq`; None for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = text.split_once(':')?;
        let named =
            (1..=32).contains(&epoch.len()) && epoch.bytes().all(|b| b.is_ascii_alphanumeric());
        // `parse` alone would take a leading `+`
        let number = !seq.is_empty() && seq.bytes().all(|b| b.is_ascii_digit());
        (named && number).then_some(())?;
        Some(Self {
            epoch: epoch.to_owned(),
            seq: seq.parse().ok().filter(|n| *n <= i64::MAX as u64)?,
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Cursor {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let text = utoipa::openapi::schema::Type::String;
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(text)
            .description(Some("A place in the event stream, `epoch:seq`."))
            .examples(["9f3c2a7d51e04b86:4711"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Cursor {}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a cursor, `epoch:seq`"))
    }
}

impl AppId {
    /// The app id as one Graphite component. In Marathon's usual alphabet (`a-z 0-9 - /`) each `/` becomes `_`, which loses nothing
    /// because that alphabet has no `_`; any other id is escaped like a foreign name.
    pub fn component(&self) -> String {
        let usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'/';
        let plain = self.0.bytes().all(usual) && self.0.len() <= MAX_COMPONENT;
        if plain && self.0.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) {
            return self.0.replace('/', "_");
        }
        // an underscore of its own would look like a slash: `a_b` and `a/b` must not share a series
        if self.0.contains('_') { hashed(&self.0) } else { component(&self.0) }
    }
}

impl InstanceId {
    /// The instance id as one Graphite component.
    pub fn component(&self) -> String {
        component(&self.0)
    }
}

impl NodeName {
    /// The node name as one Graphite component.
    pub fn component(&self) -> String {
        component(&self.0)
    }
}

/// Any foreign name (instance, host, interface, device, mount) as one Graphite path component.
pub fn component(name: &str) -> String {
    if starts_well(name) && name.len() <= MAX_COMPONENT && name.bytes().all(allowed) {
        return name.to_owned();
    }
    hashed(name)
}

/// The name with foreign bytes replaced and cut to length, told apart by a hash of the original.
fn hashed(name: &str) -> String {
    let mut out = String::with_capacity(name.len().min(MAX_COMPONENT) + 10);
    if !starts_well(name) {
        out.push('x');
    }
    // 9 bytes are kept for the hash, 1 for the leading letter
    for b in name.bytes().take(MAX_COMPONENT - 10) {
        out.push(if allowed(b) { char::from(b) } else { '_' });
    }
    out.push('-');
    out.push_str(&format!("{:08x}", fnv1a32(name.as_bytes())));
    out
}

fn allowed(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

fn starts_well(name: &str) -> bool {
    name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

/// FNV-1a, 32 bits: small, stable over releases, good enough to keep two escaped names apart.
fn fnv1a32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, b| (hash ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marathon_ids_lose_nothing() {
        assert_eq!(AppId::new("video/transcode/api").component(), "video_transcode_api");
        assert_eq!(AppId::new("shop-2/web").component(), "shop-2_web");
    }

    #[test]
    fn other_names_get_a_hash_and_stay_apart() {
        let dotted = component("a.b");
        assert!(dotted.starts_with("a_b-"), "{dotted}");
        assert_ne!(dotted, component("a_b"));
        assert_ne!(AppId::new("docker/a_b").component(), AppId::new("docker/a/b").component());
        assert_ne!(AppId::new("a_b").component(), AppId::new("a/b").component());
        assert_eq!(component("eth0"), "eth0");
        assert!(component("").starts_with("x-"));
        assert!(component("-x").starts_with("x-x-"));
    }

    #[test]
    fn a_cursor_is_an_epoch_and_a_number() {
        let cursor = Cursor::parse("9f3c:4711").unwrap();
        assert_eq!(
            (cursor.epoch.as_str(), cursor.seq, cursor.to_string().as_str()),
            ("9f3c", 4711, "9f3c:4711")
        );
        for wrong in
            ["", ":", "a:", ":1", "a:+1", "a:-1", "a:1:2", "a b:1", "a:99999999999999999999", "é:1"]
        {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_name_becomes_a_component(name in ".{0,400}") {
            for made in [component(&name), AppId::new(name.as_str()).component()] {
                prop_assert!(!made.is_empty() && made.len() <= MAX_COMPONENT);
                prop_assert!(made.as_bytes()[0].is_ascii_alphanumeric());
                prop_assert!(made.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            }
        }
    }
}
