//! Values that are typed as text and mean something else: durations, sizes, addresses. For `#[serde(with = ...)]`; a wrong one is
//! refused with what to write instead. Pure.

use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// Accepts a string and parses it.
struct Text<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

fn read<'de, T, D: Deserializer<'de>>(
    from: D,
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    from.deserialize_str(Text { expected, parse })
}

/// `10s`, `500ms`, `1m 30s`.
pub mod duration {
    use serde::{Deserializer, Serializer};
    use std::time::Duration;

    const EXPECTED: &str = "a duration in quotes: \"10s\", \"500ms\" or \"5m\"";

    /// Prints it in the form it is read in.
    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*value))
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        super::read(from, EXPECTED, parse)
    }

    fn parse(text: &str) -> Result<Duration, String> {
        humantime::parse_duration(text).map_err(|_| format!("write {EXPECTED}"))
    }
}

/// `512MiB`, `8KiB`, `1GB`.
pub mod size {
    use bytesize::ByteSize;
    use serde::{Deserializer, Serializer};

    const EXPECTED: &str = "a size in quotes: \"512MiB\" or \"10GiB\"";
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

    /// Prints it in the largest binary unit that loses nothing.
    pub fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        let unit = UNITS.iter().find(|(_, bits)| *value > 0 && value.trailing_zeros() >= *bits);
        match unit {
            Some((name, bits)) => to.collect_str(&format_args!("{}{name}", value >> bits)),
            None => to.collect_str(&format_args!("{value}B")),
        }
    }

    /// Reads it, in bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        super::read(from, EXPECTED, parse)
    }

    fn parse(text: &str) -> Result<u64, String> {
        text.parse::<ByteSize>().map(|size| size.as_u64()).map_err(|_| format!("write {EXPECTED}"))
    }
}

/// `127.0.0.1:7001`, `[::1]:7001`: where a daemon listens. Port 0 means any free port.
pub mod listen {
    use serde::{Deserializer, Serializer};
    use std::net::SocketAddr;

    const EXPECTED: &str = "an IP address and port in quotes: \"127.0.0.1:7001\" or \"[::1]:7001\"";

    /// Prints it in the form it is read in.
    pub fn serialize<S: Serializer>(value: &SocketAddr, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
        super::read(from, EXPECTED, parse)
    }

    fn parse(text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| format!("write {EXPECTED}"))
    }
}

/// Whether this is `host:port` as a destination: a name, an IPv4 address or an IPv6 address in brackets, and a port that is not 0.
pub fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port_ok =
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    let host_ok = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            !host.is_empty() && host.len() <= 253 && host.bytes().all(allowed)
        }
    };
    port_ok && host_ok
}

/// Whether this is an `http://` or `https://` address with a host, without blanks or control characters.
pub fn is_http_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && rest.chars().all(|c| !c.is_whitespace() && !c.is_control())
    })
}
