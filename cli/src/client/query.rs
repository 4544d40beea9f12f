//! Paths and queries, percent-encoded. Pure.

use std::fmt;

/// The part of a URL behind the question mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// Without parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&encoded(value));
        self
    }

    /// With one more, if there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text as one segment of a path, or a value of a query: everything but RFC 3986's unreserved characters is encoded.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_cannot_leave_their_place() {
        let query = Query::new().with("app", "a/b&c=d").maybe("node", None).maybe("q", Some("é"));
        assert_eq!(query.to_string(), "?app=a%2Fb%26c%3Dd&q=%C3%A9");
        assert_eq!(encoded("../x?#"), "..%2Fx%3F%23");
        assert_eq!(Query::new().to_string(), "");
    }

    proptest! {
        #[test]
        fn any_text_is_one_segment(text in any::<String>()) {
            let path = format!("/{}", encoded(&text));
            prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b)));
            prop_assert_eq!(path.matches('/').count(), 1);
        }
    }
}
