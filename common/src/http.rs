//! The HTTP/1.1 client of the house: for the centre, Marathon, graphite-web, the Docker engine, the Mesos agent, an app's own statistics.
//!
//! | call | what it is for |
//! |---|---|
//! | [`get`], [`get_on`] | one GET whose answer is of use only if it is 2xx; anything else is an error with its words |
//! | [`send`] | any [`Request`], every status is an answer |
//! | [`open`], [`open_on`] | an answer without an end, taken piece by piece |
//! | [`Socket`] | a WebSocket: text frames both ways |
//! | [`Session`] | request after request over one connection that stays open |
//!
//! Everything is bounded: a call by a time-out, a body by a cap, headers and one piece of a stream by [`BUFFER`]. Redirects are answers,
//! never followed; no proxy. `https://` is checked against the system's authorities or those of a file ([`Options::tls`]).
//! Every error names the URL, which never holds credentials.

mod answer;
mod basic;
mod connection;
mod dial;
mod error;
mod request;
mod session;
mod socket;
mod url;

pub use answer::{Response, Streaming};
pub use basic::Basic;
pub use error::Error;
pub use hyper::header::{HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode, header};
pub use request::{Request, bearer};
pub use session::Session;
pub use socket::Socket;
pub use url::Url;

use crate::tls;
use connection::Line;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Most bytes of headers; a piece of a stream has about as many, never twice.
pub const BUFFER: usize = 64 << 10;

/// How a call is made, and how much of it is borne.
#[derive(Debug, Clone)]
pub struct Options {
    /// For the whole call: connect, ask, read. For a stream: until its headers are there.
    pub timeout: Duration,
    /// Most bytes of the body.
    pub max_body: usize,
    /// The `Accept` header, unless the request has one.
    pub accept: &'static str,
    /// Credentials, unless the request has an `Authorization` header.
    pub basic: Option<Basic>,
    /// Who vouches for `https://`; None: the system's authorities.
    pub tls: Option<tls::Client>,
    /// The setting that names their file, for errors.
    pub ca_setting: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            max_body: 4 << 20,
            accept: "application/json",
            basic: None,
            tls: None,
            ca_setting: "ca_file",
        }
    }
}

/// Asks the host and port of the URL.
pub async fn get(url: &Url, options: &Options) -> Result<Response, Error> {
    let call = async {
        let answer = ask(dial::dial(url, options).await?, url, &Request::get(), options).await?;
        answer.wanted().await?.whole(options.max_body).await
    };
    within(url, options.timeout, call).await
}

/// Asks over a stream that is connected already; the URL gives path, `Host` header and the name in errors.
pub async fn get_on<S>(stream: S, url: &Url, options: &Options) -> Result<Response, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let call = async {
        let answer = ask(Line::over(stream, url).await?, url, &Request::get(), options).await?;
        answer.wanted().await?.whole(options.max_body).await
    };
    within(url, options.timeout, call).await
}

/// As [`get_on`], for an answer without an end: the time-out is for the headers, the cap does not apply.
pub async fn open_on<S>(stream: S, url: &Url, options: &Options) -> Result<Streaming, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let call = async {
        ask(Line::over(stream, url).await?, url, &Request::get(), options).await?.wanted().await
    };
    within(url, options.timeout, call).await
}

/// Makes one request over a connection of its own. Every status is an answer.
pub async fn send(url: &Url, request: &Request, options: &Options) -> Result<Response, Error> {
    let call = async {
        let answer = ask(dial::dial(url, options).await?, url, request, options).await?;
        answer.whole(options.max_body).await
    };
    within(url, options.timeout, call).await
}

/// Makes one request whose answer has no end. Every status is an answer: look at it, and take the rest of what is no stream with
/// [`Streaming::whole`].
pub async fn open(url: &Url, request: &Request, options: &Options) -> Result<Streaming, Error> {
    let call = async { ask(dial::dial(url, options).await?, url, request, options).await };
    within(url, options.timeout, call).await
}

/// Sends the request as the only one of its connection and reads the head of the answer.
async fn ask(
    mut line: Line,
    url: &Url,
    request: &Request,
    options: &Options,
) -> Result<Streaming, Error> {
    let request = request.to_wire(url, options, true)?;
    let (head, body) = line.ask(request, url).await?;
    Ok(Streaming::new(url.clone(), head, body, line.last()))
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
