//! The calls that are made to an engine, each on a connection of its own.

use super::lines::{Line, Lines};
use super::wire::{Heard, Listed, Version, parse_event, parse_list, parse_root};
use crate::container::{InspectError, Inspected, Rules, from_inspect};
use crate::http::{self, Options, Streaming, Url, get_on, open_on};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixStream;

/// Containers and the connections of containers, only what changes them: health checks alone would make an `exec_*` event a second each.
/// `{"type":["container","network"],"event":["start","die","oom","destroy","rename","update","pause","unpause","health_status",
/// "connect","disconnect"]}`
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%2C%22event%22%3A%5B%22start%22%2C%22die%22%2C\
    %22oom%22%2C%22destroy%22%2C%22rename%22%2C%22update%22%2C%22pause%22%2C%22unpause%22%2C%22health_status%22%2C%22connect%22%2C\
    %22disconnect%22%5D%7D";
const MAX_LIST: usize = 64 << 20;
const MAX_INFO: usize = 1 << 20;
const MAX_INSPECT: usize = 4 << 20;
/// An event carries all the labels of its container.
const MAX_EVENT: usize = 1 << 20;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error("{url}: the answer cannot be read: {cause}")]
    Json { url: String, cause: serde_json::Error },
    #[error("{url}: {cause}")]
    Inspect { url: String, cause: InspectError },
    #[error("{url}: the event stream ended")]
    Ended { url: String },
}

impl Error {
    /// The engine is there but does not answer.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Http(http::Error::Timeout { .. }))
    }
}

/// An engine, as it is reached.
#[derive(Debug, Clone)]
pub(super) struct Api {
    socket: String,
    /// `/v1.44`, once the version is known.
    prefix: String,
    timeout: Duration,
}

impl Api {
    /// For `unix:///path` or a path.
    pub(super) fn new(socket: &str, timeout: Duration) -> Self {
        let socket = socket.strip_prefix("unix://").unwrap_or(socket).to_owned();
        Self { socket, prefix: String::new(), timeout }
    }

    /// Asks for the version, and speaks the common one from then on.
    pub(super) async fn version(&mut self) -> Result<String, Error> {
        let url = Url::unix(&self.socket, "/version");
        let body = self.ask(&url, 64 << 10).await?;
        let version =
            Version::parse(&body).map_err(|cause| Error::Json { url: url.to_string(), cause })?;
        self.prefix = version.prefix();
        Ok(version.version)
    }

    /// Where the engine keeps its data; None if it does not say.
    pub(super) async fn root(&self) -> Result<Option<PathBuf>, Error> {
        let url = self.url("/info");
        let body = self.ask(&url, MAX_INFO).await?;
        parse_root(&body).map_err(|cause| Error::Json { url: url.to_string(), cause })
    }

    /// What runs, and how many entries were left out.
    pub(super) async fn list(&self) -> Result<(Vec<Listed>, usize), Error> {
        let url = self.url("/containers/json");
        let body = self.ask(&url, MAX_LIST).await?;
        parse_list(&body).map_err(|cause| Error::Json { url: url.to_string(), cause })
    }

    /// One container.
    pub(super) async fn inspect(&self, id: &str, rules: &Rules) -> Result<Inspected, Error> {
        let url = self.url(&format!("/containers/{id}/json"));
        let body = self.ask(&url, MAX_INSPECT).await?;
        from_inspect(&body, rules).map_err(|cause| Error::Inspect { url: url.to_string(), cause })
    }

    /// Subscribes.
    pub(super) async fn events(&self) -> Result<Events, Error> {
        let url = self.url(EVENTS);
        let stream = open_on(self.connect(&url).await?, &url, &self.options(0)).await?;
        Ok(Events { url, stream, lines: Lines::new(MAX_EVENT) })
    }

    fn url(&self, path: &str) -> Url {
        Url::unix(&self.socket, &format!("{}{path}", self.prefix))
    }

    fn options(&self, max_body: usize) -> Options {
        Options { timeout: self.timeout, max_body, ..Options::default() }
    }

    async fn ask(&self, url: &Url, max_body: usize) -> Result<bytes::Bytes, Error> {
        let stream = self.connect(url).await?;
        Ok(get_on(stream, url, &self.options(max_body)).await?.body)
    }

    /// A full backlog makes this wait, so it has the time-out too.
    async fn connect(&self, url: &Url) -> Result<UnixStream, http::Error> {
        let (url, after) = (url.to_string(), self.timeout);
        match tokio::time::timeout(after, UnixStream::connect(&self.socket)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(cause)) => Err(http::Error::Connect { url, cause }),
            Err(_) => Err(http::Error::Timeout { url, after }),
        }
    }
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Events {
    url: Url,
    stream: Streaming,
    lines: Lines,
}

/// What comes out of a subscription.
#[derive(Debug)]
pub(super) enum Said {
    /// An event that matters.
    Heard(Heard),
    /// An event that cannot be read, with the cause.
    Unreadable(String),
}

impl Events {
    /// The next event that matters. Cancel safe: what has been read stays in the buffer.
    pub(super) async fn next(&mut self) -> Result<Said, Error> {
        loop {
            match self.lines.next() {
                Some(Line::TooLong) => {
                    return Ok(Said::Unreadable(format!("longer than {MAX_EVENT} bytes")));
                }
                Some(Line::Whole(line)) => match parse_event(&line) {
                    Ok(Some(heard)) => return Ok(Said::Heard(heard)),
                    Ok(None) => {}
                    Err(cause) => return Ok(Said::Unreadable(cause.to_string())),
                },
                None => match self.stream.chunk().await? {
                    Some(piece) => self.lines.push(&piece),
                    None => return Err(Error::Ended { url: self.url.to_string() }),
                },
            }
        }
    }
}
