//! What a container asks for by label: `http://[user:password@]:PORT/PATH`, on its own loopback and nowhere else. Pure.
//!
//! A label is written by whoever may start containers, who need not be allowed to make this host send requests elsewhere: a host part
//! that is not loopback is refused, and so is `https` (there is no name a certificate could be checked against). The user and password
//! go into one request header; they are in no error, no log line and no `Debug` output.

use common::http::Basic;
use std::collections::BTreeMap;
use std::fmt;

/// Longest URL taken from a label, in bytes.
const MAX_URL: usize = 1024;

/// What kind of page is behind the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Prometheus text.
    Prometheus,
    /// Tomcat's `/manager/status?XML=true`.
    Tomcat,
    /// Jolokia, the bridge from HTTP to JMX.
    Jolokia,
    /// nginx's `stub_status`.
    Nginx,
}

impl Kind {
    /// Every kind, in the order they are scraped: the first to give a figure names it.
    pub const ALL: [Self; 4] = [Self::Tomcat, Self::Jolokia, Self::Nginx, Self::Prometheus];

    /// The label that asks for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Prometheus => "qae.metrics",
            Self::Tomcat => "qae.tomcat",
            Self::Jolokia => "qae.jolokia",
            Self::Nginx => "qae.nginx",
        }
    }
}

/// One page to scrape.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// What to expect there.
    pub kind: Kind,
    /// Port on the container's loopback.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// User and password, if the URL has them.
    pub(super) basic: Option<Basic>,
}

/// Why a label is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// TLS cannot be checked on a loopback address.
    #[error("https is not spoken here; use http://:PORT/PATH on the container's loopback")]
    Https,
    /// Another scheme, or none.
    #[error("the URL does not begin with http://; write http://:PORT/PATH")]
    Scheme,
    /// Another machine's address or name.
    #[error("the URL names a host; only the container's own loopback is asked: http://:PORT/PATH")]
    Host,
    /// Not 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// Blanks, control or foreign characters.
    #[error("the URL has characters that belong percent-encoded")]
    Characters,
    /// Over 1024 bytes.
    #[error("the URL is longer than {MAX_URL} bytes")]
    TooLong,
}

/// The pages a container asks for.
pub fn asked(labels: &BTreeMap<String, String>) -> Vec<(Kind, Result<Target, Refused>)> {
    let one = |kind: Kind| labels.get(kind.label()).map(|url| (kind, parse(kind, url)));
    Kind::ALL.into_iter().filter_map(one).collect()
}

pub(super) fn parse(kind: Kind, url: &str) -> Result<Target, Refused> {
    if url.len() > MAX_URL {
        return Err(Refused::TooLong);
    }
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").ok_or(Refused::Scheme)?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" => {}
        "https" => return Err(Refused::Https),
        _ => return Err(Refused::Scheme),
    }
    if !rest.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(Refused::Characters);
    }
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let basic = user.map(basic).transpose()?;
    Ok(Target { kind, port: port(host)?, path, basic })
}

/// The port of `HOST:PORT`, if the host is loopback.
fn port(host: &str) -> Result<u16, Refused> {
    let (host, port) = match host.rsplit_once(':') {
        // the last colon of a bare [::1] is not a port's
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if !matches!(host.to_ascii_lowercase().as_str(), "" | "localhost" | "127.0.0.1" | "[::1]") {
        return Err(Refused::Host);
    }
    match port.map(str::parse::<u16>) {
        None => Ok(80),
        Some(Ok(port)) if port > 0 => Ok(port),
        Some(_) => Err(Refused::Port),
    }
}

/// `user:password`, percent-encoded in the URL.
fn basic(user: &str) -> Result<Basic, Refused> {
    let mut plain = Vec::with_capacity(user.len());
    let mut bytes = user.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit().zip(digit()).and_then(|(h, l)| u8::try_from(h * 16 + l).ok());
        plain.push(value.ok_or(Refused::Characters)?);
    }
    if !plain.contains(&b':') {
        plain.push(b':');
    }
    Ok(Basic::of_pair(plain))
}

/// A label's value as it may be shown: what stands between `//` and `@` is left out. For any text, URL or not.
pub fn without_userinfo(label: &str) -> String {
    let Some((scheme, rest)) = label.split_once("//") else { return label.to_owned() };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{scheme}//{}", &rest[at + 1..]),
        // a '/' within the password ends the authority for a URL parser, and not for whoever typed it
        None if rest.contains('@') => {
            format!("{scheme}//{}", &rest[rest.rfind('@').map_or(0, |at| at + 1)..])
        }
        None => label.to_owned(),
    }
}

/// The URL without user, password and query.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "http://:{}{path}", self.port)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {self}", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prometheus(url: &str) -> Result<Target, Refused> {
        parse(Kind::Prometheus, url)
    }

    #[test]
    fn loopback_in_all_its_spellings() {
        for url in [
            "http://:9100/metrics",
            "http://localhost:9100/metrics",
            "HTTP://127.0.0.1:9100/metrics ",
            "http://[::1]:9100/metrics",
        ] {
            let target = prometheus(url).unwrap();
            assert_eq!((target.port, target.path.as_str()), (9100, "/metrics"), "{url}");
        }
        assert_eq!(prometheus("http://").unwrap().to_string(), "http://:80/");
        assert_eq!(prometheus("http://[::1]").unwrap().port, 80);
        assert_eq!(prometheus("http://:81?x=1").unwrap().path, "/?x=1");
    }

    #[test]
    fn anything_else_is_refused_with_its_cause() {
        for (url, refused) in [
            ("https://:9100/metrics", Refused::Https),
            ("ftp://:9100/", Refused::Scheme),
            (":9100/metrics", Refused::Scheme),
            ("http://10.0.0.1:9100/", Refused::Host),
            ("http://metadata.internal/", Refused::Host),
            ("http://localhost:9100@evil:80/", Refused::Host),
            ("http://0.0.0.0:9100/", Refused::Host),
            ("http://::1/", Refused::Host),
            ("http://:0/", Refused::Port),
            ("http://:65536/", Refused::Port),
            ("http://:/", Refused::Port),
            ("http://:80/a b", Refused::Characters),
            ("http://:80/a\r\nX: y", Refused::Characters),
            ("http://a%zz@:80/", Refused::Characters),
        ] {
            assert_eq!(prometheus(url), Err(refused), "{url}");
        }
        assert_eq!(prometheus(&format!("http://:80/{}", "x".repeat(1100))), Err(Refused::TooLong));
    }

    #[test]
    fn passwords_go_into_the_header_and_nowhere_else() {
        let target = parse(Kind::Tomcat, "http://adm%40in:s3%3Acret@:8080/manager/status?XML=true");
        let target = target.unwrap();
        assert_eq!(target.basic, Some(Basic::new("adm@in", "s3:cret")));
        assert_eq!(format!("{target:?}"), "Tomcat http://:8080/manager/status");
        assert_eq!(without_userinfo("http://a:b@:8080/x?y"), "http://:8080/x?y");
        assert_eq!(without_userinfo("http://a:b/c@:8080/x"), "http://:8080/x");
        assert_eq!(without_userinfo("http://:8080/x"), "http://:8080/x");
        assert_eq!(without_userinfo("video/api"), "video/api");
    }

    proptest! {
        #[test]
        fn no_label_panics_or_leaks(url in "(https?://)?\\PC{0,6}:?SECRET\\PC{0,3}@\\PC{0,9}(:[0-9]{0,6})?\\PC{0,9}") {
            match parse(Kind::Nginx, &url) {
                Ok(target) if target.basic.is_some() => {
                    let shown = format!("{target}{target:?}");
                    prop_assert!(!shown.contains("SECRET"), "{}", shown);
                }
                Ok(_) => {}
                Err(refused) => prop_assert!(!refused.to_string().contains("SECRET")),
            }
        }

        #[test]
        fn shown_labels_have_no_password(tail in "\\PC{0,9}") {
            let shown = without_userinfo(&format!("http://u:SECRET@:80/{tail}"));
            prop_assert!(!shown.contains("SECRET"), "{}", shown);
        }
    }
}
