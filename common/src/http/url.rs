//! The two kinds of address that are asked: `http[s]://host:port/path`, and a path at a Unix socket. Pure.

use super::Error;
use hyper::Uri;
use std::fmt;

/// An address, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// How errors name it.
    shown: String,
    tls: bool,
    /// The Unix socket, if it is one.
    socket: Option<String>,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    /// `http://host[:port][/path][?query]` or `https://`, IPv6 in brackets. Credentials in it are refused: they would show up in every error.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why| {
            // what stands before an @ may be a password
            let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
            Error::Url { url: shown.chars().take(200).collect(), why }
        };
        let uri: Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("credentials belong into their own setting"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, digits)) if !digits.contains(']') => digits.parse().ok().filter(|p| *p > 0),
            _ => Some(usual(tls)),
        };
        // a query right behind the host stands for one of /
        let path = match uri.path_and_query().map_or("/", |p| p.as_str()) {
            path if path.starts_with('/') => path.to_owned(),
            query => format!("/{query}"),
        };
        Ok(Self {
            shown: format!("{}://{authority}{path}", if tls { "https" } else { "http" }),
            tls,
            socket: None,
            host: host.to_owned(),
            port: port.ok_or_else(|| wrong("its port is no number from 1 to 65535"))?,
            path,
        })
    }

    /// A path at the program behind a Unix socket. Errors show it without its query.
    pub fn unix(socket: &str, path: &str) -> Self {
        let shown = path.split_once('?').map_or(path, |(path, _)| path);
        Self {
            shown: format!("unix://{socket}{shown}"),
            tls: false,
            socket: Some(socket.to_owned()),
            host: "localhost".to_owned(),
            port: 80,
            path: path.to_owned(),
        }
    }

    /// Another path at the same place.
    pub fn at(&self, path: &str) -> Self {
        let base = self.shown.strip_suffix(self.path.as_str()).unwrap_or(&self.shown);
        Self { shown: format!("{base}{path}"), path: path.to_owned(), ..self.clone() }
    }

    /// Whether it is asked over TLS.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The Unix socket, if it is one.
    pub(super) fn socket(&self) -> Option<&str> {
        self.socket.as_deref()
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, at least `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The `Host` header's value.
    pub(super) fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual(self.tls) { host } else { format!("{host}:{}", self.port) }
    }
}

/// The port that need not be named.
fn usual(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts() {
        let url = Url::parse("http://127.0.0.1:5051/state?a=b").unwrap();
        assert_eq!((url.host(), url.port(), url.path()), ("127.0.0.1", 5051, "/state?a=b"));
        assert_eq!(url.authority(), "127.0.0.1:5051");
        let url = Url::parse("http://[::1]:80").unwrap();
        assert_eq!((url.host(), url.port(), url.path()), ("::1", 80, "/"));
        assert_eq!(url.authority(), "[::1]");
        assert_eq!(Url::parse("http://[fe80::1]/x").unwrap().port(), 80);
        let url = Url::parse("http://[::1]:505?x=1").unwrap();
        assert_eq!(
            (url.path(), url.at("/a").to_string().as_str()),
            ("/?x=1", "http://[::1]:505/a")
        );
        assert_eq!(Url::parse("http://h/b#c").unwrap().at("/a").to_string(), "http://h/a");
        assert_eq!(
            Url::parse("http://h").unwrap().at("/containers").to_string(),
            "http://h/containers"
        );
        assert_eq!(Url::parse("http://h/").unwrap().at("/a").to_string(), "http://h/a");
        let url = Url::parse("https://h/x").unwrap();
        assert_eq!((url.port(), url.tls(), url.authority().as_str()), (443, true, "h"));
        assert_eq!(url.to_string(), "https://h/x");
        let url = Url::parse("https://h:80/x").unwrap();
        assert_eq!((url.port(), url.authority().as_str()), (80, "h:80"));
        assert_eq!(Url::unix("/run/d.sock", "/version").to_string(), "unix:///run/d.sock/version");
    }

    #[test]
    fn refused_and_no_password_shown() {
        for text in [
            "",
            "/x",
            "httpx://h/",
            "https://",
            "http://",
            "http://h:0/",
            "http://h:99999/",
            "http://:80/",
            "unix:///x",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        let error = Url::parse("http://user:secret@h/").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,40}|https?://[a-z:@\\[\\]0-9./?]{0,30}") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert!(!url.host().is_empty() && url.port() > 0 && url.path().starts_with('/'));
            }
        }
    }
}
