//! What comes back: whole, or piece by piece.

use super::Error;
use super::Url;
use super::connection::Connection;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::http::response::Parts;
use std::time::Duration;

/// How much of an error answer's body is shown.
const SHOWN: usize = 300;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header that is plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The beginning of the body, for a message to people.
    pub fn said(&self) -> String {
        shown(&self.body)
    }
}

/// An answer whose body is still coming. Dropping it closes the connection, at once.
#[derive(Debug)]
pub struct Streaming {
    url: Url,
    head: Parts,
    body: Incoming,
    connection: Connection,
}

impl Streaming {
    pub(super) fn new(url: Url, head: Parts, body: Incoming, connection: Connection) -> Self {
        Self { url, head, body, connection }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The next piece of the body, none at its end; about [`super::BUFFER`] bytes and never twice as many. Cancel safe.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        piece(&mut self.connection, &mut self.body, &self.url).await
    }

    /// As [`Self::chunk`], and an error if nothing comes for this long.
    pub async fn chunk_within(&mut self, idle: Duration) -> Result<Option<Bytes>, Error> {
        match tokio::time::timeout(idle, self.chunk()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout { url: self.url.to_string(), after: idle }),
        }
    }

    /// All that is still to come, up to `limit` bytes. Bound it in time: [`tokio::time::timeout`].
    pub async fn whole(mut self, limit: usize) -> Result<Response, Error> {
        let body = rest(&mut self.connection, &mut self.body, &self.url, limit).await?;
        Ok(response(self.head, body))
    }

    /// Itself if its status is 2xx, else the error that it is.
    pub(super) async fn wanted(mut self) -> Result<Self, Error> {
        if self.head.status.is_success() {
            return Ok(self);
        }
        // what it says is a courtesy: a body that breaks off is shown as far as it came
        let mut said = Vec::new();
        while let Ok(Some(data)) = self.chunk().await {
            said.extend_from_slice(&data[..data.len().min(SHOWN - said.len())]);
            if said.len() == SHOWN {
                break;
            }
        }
        let (url, status) = (self.url.to_string(), self.status());
        Err(Error::Status { url, status, body: shown(&said) })
    }
}

/// The beginning of a body, for a message to people.
pub(super) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).trim().to_owned()
}

pub(super) fn response(head: Parts, body: Bytes) -> Response {
    let content_type = head.headers.get(header::CONTENT_TYPE);
    Response {
        status: head.status.as_u16(),
        content_type: content_type.and_then(|v| v.to_str().ok()).map(str::to_owned),
        headers: head.headers,
        body,
    }
}

/// All of a body, up to `limit` bytes.
pub(super) async fn rest(
    connection: &mut Connection,
    body: &mut Incoming,
    url: &Url,
    limit: usize,
) -> Result<Bytes, Error> {
    let too_large = || Error::TooLarge { url: url.to_string(), limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut all = Vec::new();
    while let Some(data) = piece(connection, body, url).await? {
        if all.len() + data.len() > limit {
            return Err(too_large());
        }
        all.extend_from_slice(&data);
    }
    Ok(all.into())
}

async fn piece(
    connection: &mut Connection,
    body: &mut Incoming,
    url: &Url,
) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = connection.during(body.frame()).await {
        let frame = frame.map_err(|cause| Error::Protocol { url: url.to_string(), cause })?;
        // the other kind of frame is trailers
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
