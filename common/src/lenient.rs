//! Reading JSON that others write: a field that is missing, null or of another type is its default, and never costs the rest.
//!
//! Use on every field of a wire struct: `#[serde(default, deserialize_with = "lenient")]`.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// The field's value, or the default when it is not what was expected.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Expected(T),
        Other(IgnoredAny),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Expected(value) => value,
        Either::Other(_) => T::default(),
    })
}

/// Parses JSON bytes; what is not UTF-8 in them (no JSON should have it, labels of old engines do) is replaced, not refused.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_str(&String::from_utf8_lossy(json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Wire {
        #[serde(default, deserialize_with = "lenient")]
        name: String,
        #[serde(default, deserialize_with = "lenient")]
        ports: Vec<u16>,
    }

    #[test]
    fn a_bad_field_costs_only_itself() {
        for json in [r#"{}"#, r#"{"name":null,"ports":null}"#, r#"{"name":[1],"ports":{"a":1}}"#] {
            assert_eq!(from_json::<Wire>(json.as_bytes()).unwrap(), Wire::default(), "{json}");
        }
        let got: Wire = from_json(br#"{"name":7,"ports":[80],"more":{"x":[]}}"#).unwrap();
        assert_eq!(got, Wire { name: String::new(), ports: vec![80] });
    }

    #[test]
    fn foreign_bytes_are_replaced() {
        let got: Wire = from_json(b"{\"name\":\"a\xffb\"}").unwrap();
        assert_eq!(got.name, "a\u{fffd}b");
        assert!(from_json::<Wire>(b"\xff").is_err());
    }
}
