//! Which servers are the Marathon that is meant, so that its password goes to no other. Pure.
//!
//! Trusted are the configured servers, and the leader that one of them announces (`X-Marathon-Leader`, `/v2/info`, `/v2/leader`). Where a
//! redirect points is not trusted for that: it is followed only to a server that is trusted already. If every configured address is
//! `https://`, nothing is asked without TLS.

use common::http::Url;

/// The servers of one cluster.
#[derive(Debug, Clone)]
pub struct Hosts {
    configured: Vec<Url>,
    leader: Option<Url>,
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It names no place.
    #[error("it names no address")]
    NoAddress,
    /// Not one of the cluster's servers.
    #[error("{0} is neither in `url` of this cluster nor the leader that its servers announce")]
    Foreign(String),
    /// It leaves TLS.
    #[error("{0} is without TLS, and every `url` of this cluster is https")]
    NoTls(String),
}

impl Hosts {
    /// The configured ones.
    pub fn new(configured: Vec<Url>) -> Self {
        Self { configured, leader: None }
    }

    /// The configured ones, in their order.
    pub fn configured(&self) -> &[Url] {
        &self.configured
    }

    /// The leader that was announced last.
    pub fn leader(&self) -> Option<&Url> {
        self.leader.as_ref()
    }

    /// Takes in who leads, as `via` says: `host:port`, or a URL. Only a configured server is believed.
    pub fn announce(&mut self, via: &Url, leader: &str) {
        if !self.configured.iter().any(|url| same_place(url, via)) {
            return;
        }
        let text = match leader.contains("://") {
            true => leader.to_owned(),
            false => format!("{}://{leader}", if via.tls() { "https" } else { "http" }),
        };
        if let Ok(url) = Url::parse(&text) {
            self.leader = Some(url.at("/"));
        }
    }

    /// Nobody leads, or another one does.
    pub fn forget_leader(&mut self) {
        self.leader = None;
    }

    /// Whether this server may be asked, with the password.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        let mut known = self.configured.iter().chain(&self.leader);
        if !known.any(|k| same_place(k, url)) {
            return Err(Refusal::Foreign(place(url)));
        }
        if !url.tls() && self.configured.iter().all(Url::tls) {
            return Err(Refusal::NoTls(place(url)));
        }
        Ok(())
    }

    /// Where a redirect leads, if it may be followed: a URL, `//host:port/path`, or a path.
    pub fn redirect(&self, from: &Url, location: &str) -> Result<Url, Refusal> {
        let target = if location.starts_with("//") {
            Url::parse(&format!("{}:{location}", if from.tls() { "https" } else { "http" }))
        } else if location.starts_with('/') {
            Ok(from.at(location))
        } else {
            Url::parse(location)
        };
        let target = target.map_err(|_| Refusal::NoAddress)?;
        self.check(&target)?;
        Ok(target)
    }
}

fn same_place(a: &Url, b: &Url) -> bool {
    a.host().eq_ignore_ascii_case(b.host()) && a.port() == b.port()
}

/// Without a path: what stands there is not ours to print.
fn place(url: &Url) -> String {
    url.at("").to_string().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn hosts(configured: &[&str]) -> Hosts {
        Hosts::new(configured.iter().map(|u| url(u)).collect())
    }

    #[test]
    fn the_password_goes_to_the_configured_and_to_the_leader_they_announce() {
        let mut h = hosts(&["http://m1:8080", "http://m2:8080"]);
        let from = url("http://m1:8080/v2/events?a=b");
        let to = "http://m3:8080/v2/events?a=b";
        assert_eq!(
            h.redirect(&from, to).unwrap_err().to_string(),
            "http://m3:8080 is neither in `url` of this cluster nor the leader that its servers announce"
        );
        assert_eq!(h.redirect(&from, "http://M2:8080/x").unwrap().path(), "/x");
        h.announce(&url("http://m9:8080"), "m3:8080");
        assert!(h.leader().is_none(), "a foreign server is not believed");
        h.announce(&url("http://m2:8080/v2/info"), "m3:8080");
        assert_eq!(h.redirect(&from, to).unwrap(), url(to));
        // another port at the same host is another server
        assert!(h.redirect(&from, "http://m3:9999/").is_err());
        h.announce(&url("http://m2:8080"), "http://m4:8080");
        assert!(h.redirect(&from, to).is_err(), "no longer the leader");
        assert!(h.redirect(&from, "//m4:8080/y").is_ok());
        assert_eq!(h.redirect(&from, "/z").unwrap().to_string(), "http://m1:8080/z");
        for odd in ["", "x", "ftp://m1:8080/", "http://u:p@m1:8080/", "http://", "//"] {
            assert!(h.redirect(&from, odd).is_err(), "{odd}");
        }
        h.forget_leader();
        assert!(h.check(&url("http://m4:8080/")).is_err());
    }

    #[test]
    fn tls_is_not_left() {
        let mut h = hosts(&["https://m1:8443"]);
        let from = url("https://m1:8443/v2/events");
        h.announce(&from, "http://m2:8080");
        let refused = h.redirect(&from, "http://m2:8080/v2/events").unwrap_err();
        assert_eq!(refused, Refusal::NoTls("http://m2:8080".into()));
        h.announce(&from, "m2:8443");
        assert!(h.redirect(&from, "https://m2:8443/v2/events").is_ok());
        let mut mixed = hosts(&["https://m1:8443", "http://m2:8080"]);
        mixed.announce(&from, "http://m3:8080");
        assert!(mixed.redirect(&from, "http://m3:8080/v2/events").is_ok());
    }
}
