//! HTTP basic credentials (RFC 7617), never printed.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use std::fmt;

/// A user and password, encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Basic(String);

impl Basic {
    /// From their plain forms. A user has no colon.
    pub fn new(user: &str, password: &str) -> Self {
        Self::of_pair(format!("{user}:{password}"))
    }

    /// From `user:password` in one, of any bytes.
    pub fn of_pair(pair: impl AsRef<[u8]>) -> Self {
        Self(BASE64_STANDARD.encode(pair))
    }

    /// The `Authorization` header's value: as good as the password itself.
    pub fn header(&self) -> String {
        format!("Basic {}", self.0)
    }

    /// The same for a header map, marked as not to be printed.
    pub(super) fn value(&self) -> HeaderValue {
        // base64 is plain text
        let mut value =
            HeaderValue::try_from(self.header()).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Basic(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let basic = Basic::new("Aladdin", "open sesame");
        assert_eq!(basic.header(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{basic:?}").contains("QWxh"));
    }
}
