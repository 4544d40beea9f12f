//! A small HTTP/1.1 client for what stands beside us on the host: the Docker engine, the Mesos agent, an app's own statistics.
//!
//! One GET per connection, over a stream that is handed in ([`get_on`], [`open_on`]) or an address ([`get`]). Everything is bounded: the whole
//! call by a time-out, the body by a cap, the headers by hyper's own buffer. No TLS, no redirects, no proxy: an answer that is not 2xx is
//! an error, and every error names the URL.

mod basic;
mod connection;
mod url;

pub use basic::Basic;
pub use url::Url;

use bytes::Bytes;
use connection::Connection;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Most bytes of headers, and of one read.
const BUFFER: usize = 64 << 10;
/// How much of an error answer's body is shown.
const SHOWN: usize = 300;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is none this client can ask.
    #[error("{url:?} cannot be asked: {why}")]
    Url {
        /// As it was given, credentials left out.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No connection.
    #[error("{url}: cannot connect: {cause}")]
    Connect {
        /// What was asked.
        url: String,
        /// The system's word.
        cause: io::Error,
    },
    /// The call took too long.
    #[error("{url}: no answer within {}", humantime::format_duration(*after))]
    Timeout {
        /// What was asked.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("{url}: {cause}")]
    Protocol {
        /// What was asked.
        url: String,
        /// hyper's word.
        cause: hyper::Error,
    },
    /// The answer is not 2xx.
    #[error("{url}: answered {status}: {body}")]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The body is larger than allowed.
    #[error("{url}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl Error {
    /// The status, if an answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// How a call is made, and how much of it is borne.
#[derive(Debug, Clone)]
pub struct Options {
    /// For the whole call: connect, ask, read.
    pub timeout: Duration,
    /// Most bytes of the body.
    pub max_body: usize,
    /// The `Accept` header.
    pub accept: &'static str,
    /// Credentials.
    pub basic: Option<Basic>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            max_body: 4 << 20,
            accept: "application/json",
            basic: None,
        }
    }
}

/// A 2xx answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Bytes,
}

/// Asks the host and port of the URL.
pub async fn get(url: &Url, options: &Options) -> Result<Response, Error> {
    if url.tls() {
        return Err(Error::Url { url: url.to_string(), why: "https is not spoken here" });
    }
    let call = async {
        let stream = TcpStream::connect((url.host(), url.port()))
            .await
            .map_err(|cause| Error::Connect { url: url.to_string(), cause })?;
        ask(stream, url, options).await?.whole(options.max_body).await
    };
    within(url, options.timeout, call).await
}

/// Asks over a stream that is connected already; the URL gives path, `Host` header and the name in errors.
pub async fn get_on<S>(stream: S, url: &Url, options: &Options) -> Result<Response, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let call = async { ask(stream, url, options).await?.whole(options.max_body).await };
    within(url, options.timeout, call).await
}

/// As [`get_on`], for an answer without an end: the time-out is for the headers, the cap does not apply.
pub async fn open_on<S>(stream: S, url: &Url, options: &Options) -> Result<Streaming, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    within(url, options.timeout, ask(stream, url, options)).await
}

/// An answer whose body is still coming. Dropping it closes the connection, at once.
#[derive(Debug)]
pub struct Streaming {
    url: Url,
    head: hyper::http::response::Parts,
    body: Incoming,
    connection: Connection,
}

impl Streaming {
    /// The next piece of the body, none at its end. Cancel safe.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.connection.during(self.body.frame()).await {
            let frame =
                frame.map_err(|cause| Error::Protocol { url: self.url.to_string(), cause })?;
            // the other kind of frame is trailers
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn whole(mut self, limit: usize) -> Result<Response, Error> {
        let too_large = |url: &Url| Error::TooLarge { url: url.to_string(), limit };
        if self.body.size_hint().lower() > limit as u64 {
            return Err(too_large(&self.url));
        }
        let mut body = Vec::new();
        while let Some(data) = self.chunk().await? {
            if body.len() + data.len() > limit {
                return Err(too_large(&self.url));
            }
            body.extend_from_slice(&data);
        }
        let content_type = self.head.headers.get(header::CONTENT_TYPE);
        Ok(Response {
            status: self.head.status.as_u16(),
            content_type: content_type.and_then(|v| v.to_str().ok()).map(str::to_owned),
            body: body.into(),
        })
    }

    /// The error that an answer other than 2xx is.
    async fn refused(mut self, status: StatusCode) -> Error {
        // what it says is a courtesy: a body that breaks off is shown as far as it came
        let mut said = Vec::new();
        while let Ok(Some(data)) = self.chunk().await {
            said.extend_from_slice(&data[..data.len().min(SHOWN - said.len())]);
            if said.len() == SHOWN {
                break;
            }
        }
        let body = String::from_utf8_lossy(&said).trim().to_owned();
        Error::Status { url: self.url.to_string(), status: status.as_u16(), body }
    }
}

/// Sends the request and reads the head of a 2xx answer.
async fn ask<S>(stream: S, url: &Url, options: &Options) -> Result<Streaming, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let protocol = |cause| Error::Protocol { url: url.to_string(), cause };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(BUFFER)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    let mut connection = Connection::new(connection);
    let mut request = Request::get(url.path())
        .header(header::HOST, url.authority())
        .header(header::ACCEPT, options.accept)
        .header(header::USER_AGENT, "qae")
        .header(header::CONNECTION, "close");
    if let Some(basic) = &options.basic {
        request = request.header(header::AUTHORIZATION, basic.header());
    }
    let request = request
        .body(Empty::new())
        .map_err(|_| Error::Url { url: url.to_string(), why: "its path has foreign bytes" })?;
    let answer = connection.during(sender.send_request(request)).await.map_err(protocol)?;
    let (head, body) = answer.into_parts();
    let status = head.status;
    let streaming = Streaming { url: url.clone(), head, body, connection };
    if status.is_success() { Ok(streaming) } else { Err(streaming.refused(status).await) }
}

async fn within<T>(
    url: &Url,
    after: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Error::Timeout { url: url.to_string(), after };
    tokio::time::timeout(after, call).await.map_err(late)?
}

#[cfg(test)]
mod tests;
