//! What a browser sends by itself, and when that may count: the session cookie, and where a request comes from. Pure.
//!
//! A cookie goes along with every request to this host, whichever page makes it. `SameSite=Strict` keeps other sites away, but other
//! ports of this host are the same site. So a request that changes something and is signed in by cookie must also come from our own
//! page: browsers say that in `Sec-Fetch-Site` (to HTTPS and loopback) or in `Origin`, which no script can forge. Reading needs none of
//! it: without CORS headers, which we never send, no other page can see the answer.

use super::secret::{Kind, Secret};
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method};
use std::time::Duration;

/// The cookie's name.
pub const COOKIE_NAME: &str = "qae_session";

/// What the browser brings as our cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cookie {
    /// None.
    Absent,
    /// Something that is no session's secret.
    Nonsense,
    /// A secret, known or not.
    Session(Secret),
}

/// Our cookie among all that came; of several the first that can be one.
pub fn cookie(headers: &HeaderMap) -> Cookie {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|p| p.trim().split_once('='));
    let mut found = Cookie::Absent;
    for value in pairs.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value) {
        match Secret::parse(value).filter(|secret| secret.kind() == Kind::Session) {
            Some(secret) => return Cookie::Session(secret),
            None => found = Cookie::Nonsense,
        }
    }
    found
}

/// The cookie to set. `secure`: the browser may send it over TLS only.
pub fn set_cookie(secret: &Secret, lives: Duration, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let (text, age) = (secret.reveal(), lives.as_secs());
    format!("{COOKIE_NAME}={text}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

/// The cookie that takes it away.
pub fn clear_cookie(secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE_NAME}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}")
}

/// Whether a request changes nothing, whoever makes it.
pub fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the request comes from a page of this very server.
pub fn is_own_page(headers: &HeaderMap) -> bool {
    if let Some(site) = one(headers, "sec-fetch-site") {
        return site.is_ok_and(|site| site == "same-origin");
    }
    let (Some(Ok(origin)), Some(Ok(host))) =
        (one(headers, ORIGIN.as_str()), one(headers, HOST.as_str()))
    else {
        return false;
    };
    let at = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    at.is_some_and(|at| at.eq_ignore_ascii_case(host))
}

/// A header that may come once, as text; `Err` for several or for what is no text.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<Result<&'a str, ()>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str)?;
    Some(match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let secret = Secret::random(Kind::Session).unwrap();
        let set = set_cookie(&secret, Duration::from_secs(43_200), true);
        assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"));
        let pair = set.split(';').next().unwrap();
        for line in [pair.to_owned(), format!("a=b; {pair}"), format!("qae_session=; {pair};c")] {
            let found = cookie(&headers(&[("cookie", &line)]));
            assert_eq!(found, Cookie::Session(secret.clone()), "{line}");
        }
        let token = Secret::random(Kind::Token).unwrap();
        let line = format!("qae_session={}", token.reveal());
        assert_eq!(cookie(&headers(&[("cookie", &line)])), Cookie::Nonsense, "a token");
        assert_eq!(cookie(&headers(&[("cookie", "a=b; c")])), Cookie::Absent);
    }

    #[test]
    fn only_our_own_page_may_change_something() {
        let host = ("host", "qae.dc1:7000");
        for good in [
            &[host, ("sec-fetch-site", "same-origin")][..],
            &[host, ("origin", "http://qae.dc1:7000")],
            &[host, ("origin", "https://QAE.dc1:7000")],
            // behind a proxy that names another host the browser's own word is enough
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "https://qae.example")],
        ] {
            assert!(is_own_page(&headers(good)), "{good:?}");
        }
        for bad in [
            &[host][..],
            &[host, ("sec-fetch-site", "same-site"), ("origin", "http://qae.dc1:7000")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[host, ("origin", "http://qae.dc1:8080")],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://qae.dc1:7000"), ("origin", "http://evil.example")],
            &[host, ("origin", "ftp://qae.dc1:7000")],
            &[("origin", "http://qae.dc1:7000")],
        ] {
            assert!(!is_own_page(&headers(bad)), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cookie_breaks_it(line in "[ -~]{0,200}") {
            let headers = headers(&[("cookie", &line)]);
            if let Cookie::Session(secret) = cookie(&headers) {
                prop_assert!(line.contains(secret.reveal()));
            }
        }
    }
}
