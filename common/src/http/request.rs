//! What is asked, apart from where. Pure.

use super::{Error, Options, Url};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request as Wire};

/// A method, headers and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// Without headers of its own and without a body.
    pub fn new(method: Method) -> Self {
        Self { method, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A GET.
    pub fn get() -> Self {
        Self::new(Method::GET)
    }

    /// With this header, in place of one of its name. `Host`, `Connection` and those that frame the body are not the caller's.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a body of this media type.
    #[must_use]
    pub fn body(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE, HeaderValue::from_static(kind))
    }

    /// Whether doing it twice does what doing it once does (RFC 9110 section 9.2.2).
    pub(super) fn idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET
                | Method::HEAD
                | Method::PUT
                | Method::DELETE
                | Method::OPTIONS
                | Method::TRACE
        )
    }

    /// As it goes out; `last`: nothing is to follow on its connection.
    pub(super) fn to_wire(
        &self,
        url: &Url,
        options: &Options,
        last: bool,
    ) -> Result<Wire<Full<Bytes>>, Error> {
        let foreign = |why| Error::Url { url: url.to_string(), why };
        let path = url.path().parse().map_err(|_| foreign("its path has foreign bytes"))?;
        let host = HeaderValue::try_from(url.authority())
            .map_err(|_| foreign("its host has foreign bytes"))?;
        let mut wire = Wire::new(Full::new(self.body.clone()));
        *wire.method_mut() = self.method.clone();
        *wire.uri_mut() = path;
        let headers = wire.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(options.accept));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("qae"));
        if let Some(basic) = &options.basic {
            headers.insert(header::AUTHORIZATION, basic.value());
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
            headers.remove(name);
        }
        headers.insert(header::HOST, host);
        // said in so many words: some servers wait for the body of a PUT that does not tell
        if matches!(self.method, Method::PUT | Method::POST | Method::PATCH) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        if last {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(wire)
    }
}

/// The `Authorization` header's value for a token; None if it has bytes no header takes. Never printed.
pub fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_the_request_is_not_the_callers() {
        let url = Url::parse("https://h:7000/v1/x?a=b").unwrap();
        let request = Request::new(Method::PUT)
            .body("application/json", "{}")
            .header(header::HOST, HeaderValue::from_static("evil"))
            .header(header::CONTENT_LENGTH, HeaderValue::from_static("99"))
            .header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))
            .header(header::ACCEPT, HeaderValue::from_static("text/plain"));
        let wire = request.to_wire(&url, &Options::default(), false).unwrap();
        assert_eq!(wire.uri(), "/v1/x?a=b");
        let header = |name| wire.headers().get(name).and_then(|v| v.to_str().ok());
        assert_eq!(header(header::HOST), Some("h:7000"));
        assert_eq!(header(header::CONTENT_LENGTH), Some("2"));
        assert_eq!(header(header::ACCEPT), Some("text/plain"));
        assert_eq!((header(header::TRANSFER_ENCODING), header(header::CONNECTION)), (None, None));
        let empty = Request::new(Method::PUT).to_wire(&url, &Options::default(), true).unwrap();
        assert_eq!(empty.headers()[header::CONTENT_LENGTH], "0");
    }

    #[test]
    fn a_token_is_never_printed_and_never_splits_a_header() {
        let request = Request::get().header(header::AUTHORIZATION, bearer("qae_secret").unwrap());
        assert!(!format!("{request:?}").contains("secret"), "{request:?}");
        assert_eq!(bearer("a\r\nx: y"), None);
        let options =
            Options { basic: Some(super::super::Basic::new("u", "p")), ..Options::default() };
        let wire =
            Request::get().to_wire(&Url::parse("http://h").unwrap(), &options, true).unwrap();
        assert!(!format!("{wire:?}").contains("dTpw"), "{wire:?}");
    }
}
