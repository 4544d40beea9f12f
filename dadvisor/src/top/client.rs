//! Asks a dadvisor for what `top` shows.

use super::row::NEEDED;
use crate::config::Config;
use crate::http::view::{ContainerView, NodeView, Page};
use common::http::{self, Options, Url, get};
use common::serve::reachable;
use common::tls;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address to ask.
    #[error(
        "`listen` of the config file has port 0, which is any free one; name the address with --url"
    )]
    AnyPort,
    /// Nothing to check its TLS by.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// Nobody, or somebody else, is there.
    #[error(
        "{0}\nis dadvisor running? start it with `dadvisor`, or name another one with --url http[s]://HOST:PORT"
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
    options: Options,
}

/// Most bytes of one answer: a page of containers with everything.
const BODY_MOST: usize = 32 << 20;
/// Containers on a page.
const PAGE: usize = 500;

impl Client {
    /// The dadvisor at `url`, else the one that listens as configured here.
    pub fn new(url: Option<&str>, config: &Config) -> Result<Self, Error> {
        let base = match url {
            Some(url) => Url::parse(url).map_err(Error::NoAnswer)?,
            None if config.dadvisor.listen.port() == 0 => return Err(Error::AnyPort),
            None => return Self::at(config.dadvisor.listen, config),
        };
        let authorities = config.api.as_ref().and_then(|api| api.ca_file.as_deref());
        let tls = if base.tls() { Some(tls::Client::load(authorities)?) } else { None };
        Ok(Self { base, options: options(tls) })
    }

    /// The dadvisor of this host, which listens there.
    pub fn at(listen: SocketAddr, config: &Config) -> Result<Self, Error> {
        // over loopback, by no name its certificate has: it is known by the certificate itself
        let certificate = config.node.tls.as_ref();
        let tls = certificate.map(|files| tls::Client::pinned(&files.cert)).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let base = Url::parse(&format!("{scheme}://{}/", reachable(listen)));
        Ok(Self { base: base.map_err(Error::NoAnswer)?, options: options(tls) })
    }

    /// The same, with this patience for an answer.
    pub fn within(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
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

    /// What it answers at a path.
    pub async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let url = self.base.at(path);
        let answer = get(&url, &self.options).await.map_err(Error::NoAnswer)?;
        serde_json::from_slice(&answer.body)
            .map_err(|source| Error::Foreign { url: url.to_string(), source })
    }
}

fn options(tls: Option<tls::Client>) -> Options {
    Options { timeout: Duration::from_secs(5), max_body: BODY_MOST, tls, ..Options::default() }
}
