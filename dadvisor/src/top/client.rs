//! Asks a dadvisor for what `top` shows.

use super::row::NEEDED;
use crate::config::Dadvisor;
use crate::http::view::{ContainerView, NodeView, Page};
use common::http::{self, Options, Url, get};
use serde::de::DeserializeOwned;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address to ask.
    #[error(
        "`listen` of the config file has port 0, which is any free one; name the address with --url"
    )]
    AnyPort,
    /// Nobody, or somebody else, is there.
    #[error(
        "{0}\nis dadvisor running? start it with `dadvisor`, or name another one with --url http://HOST:PORT"
    )]
    NoAnswer(#[source] http::Error),
    /// What answers is no dadvisor of this kind.
    #[error("{url}: answers, but not as a dadvisor of this version: {source}")]
    Foreign {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A dadvisor to ask.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
}

/// Most bytes of one answer: a page of containers with everything.
const BODY_MOST: usize = 32 << 20;
/// Containers on a page.
const PAGE: usize = 500;

impl Client {
    /// The dadvisor at `url`, else the one that listens as configured here.
    pub fn new(url: Option<&str>, config: &Dadvisor) -> Result<Self, Error> {
        let base = match url {
            Some(url) => Url::parse(url).map_err(Error::NoAnswer)?,
            None if config.listen.port() == 0 => return Err(Error::AnyPort),
            None => return Self::at(reachable(config.listen)),
        };
        Ok(Self { base })
    }

    /// The dadvisor that listens there.
    pub fn at(address: SocketAddr) -> Result<Self, Error> {
        let base = Url::parse(&format!("http://{address}/")).map_err(Error::NoAnswer)?;
        Ok(Self { base })
    }

    /// The node.
    pub async fn node(&self) -> Result<NodeView, Error> {
        self.ask("/v1/node").await
    }

    /// All containers with what a line needs.
    pub async fn lines(&self) -> Result<Vec<ContainerView>, Error> {
        self.all(&format!("&metrics={}", NEEDED.join(","))).await
    }

    /// All containers with all their metrics.
    pub async fn everything(&self) -> Result<Vec<ContainerView>, Error> {
        self.all("").await
    }

    async fn all(&self, query: &str) -> Result<Vec<ContainerView>, Error> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/containers?limit={PAGE}{query}{cursor}");
            let page: Page<ContainerView> = self.ask(&path).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let url = self.base.at(path);
        let options =
            Options { timeout: Duration::from_secs(5), max_body: BODY_MOST, ..Options::default() };
        let answer = get(&url, &options).await.map_err(Error::NoAnswer)?;
        serde_json::from_slice(&answer.body)
            .map_err(|source| Error::Foreign { url: url.to_string(), source })
    }
}

/// Where a listener is reached from its own host.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
