//! A WebSocket to a server of ours: text frames both ways.
//!
//! Promise: what comes is bounded (a message by [`Options::max_body`]), silence is noticed (servers ping, so a peer that says nothing for
//! a while is gone), and a refusal of the handshake is told in the server's own words.

use super::dial::{Wire, connect};
use super::{Error, Options, Url, within};
use crate::serve::Problem;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::{self, HeaderName, HeaderValue};
use std::time::Duration;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Both buffers are taken at once and kept: small, since there may be many sockets.
const BUFFERS: usize = 16 << 10;
/// How long a good-bye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// An open WebSocket. Dropping it closes the connection.
pub struct Socket {
    url: Url,
    inner: WebSocketStream<Box<dyn Wire>>,
}

impl Socket {
    /// Asks for one with this subprotocol and `Authorization` header.
    pub async fn open(
        url: &Url,
        protocol: &'static str,
        authorization: Option<HeaderValue>,
        options: &Options,
    ) -> Result<Self, Error> {
        let request = request(url, protocol, authorization)?;
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = BUFFERS;
        config.write_buffer_size = BUFFERS;
        config.max_write_buffer_size = 64 * BUFFERS;
        config.max_message_size = Some(options.max_body);
        config.max_frame_size = Some(options.max_body);
        let call = async {
            let wire = connect(url, options).await?;
            let opened = client_async_with_config(request, wire, Some(config)).await;
            opened.map(|(inner, _)| inner).map_err(|cause| refused(url, cause))
        };
        let inner = within(url, options.timeout, call).await?;
        Ok(Self { url: url.clone(), inner })
    }

    /// The next text; None when the server ended the conversation. An error if not even a ping comes for so long. Cancel safe.
    pub async fn next(&mut self, silence: Duration) -> Result<Option<String>, Error> {
        loop {
            let late = |_| Error::Timeout { url: self.url.to_string(), after: silence };
            let message = tokio::time::timeout(silence, self.inner.next()).await.map_err(late)?;
            match message {
                Some(Ok(Message::Text(text))) => return Ok(Some(text.as_str().to_owned())),
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                // a server that is killed says no good-bye
                Some(Err(tungstenite::Error::Protocol(
                    ProtocolError::ResetWithoutClosingHandshake,
                ))) => return Ok(None),
                // pings are answered beneath
                Some(Ok(_)) => {}
                Some(Err(cause)) => return Err(broken(&self.url, &cause)),
            }
        }
    }

    /// Says a text.
    pub async fn say(&mut self, text: String) -> Result<(), Error> {
        let said = self.inner.send(Message::text(text)).await;
        said.map_err(|cause| broken(&self.url, &cause))
    }

    /// Where it leads, without the query.
    pub fn url(&self) -> String {
        bare(&self.url)
    }

    /// Says good-bye, without waiting for long.
    pub async fn close(mut self) {
        // the far side may be gone already: nothing is lost with the good-bye
        drop(tokio::time::timeout(GOODBYE, self.inner.close(None)).await);
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("url", &self.url).finish_non_exhaustive()
    }
}

fn request(
    url: &Url,
    protocol: &'static str,
    authorization: Option<HeaderValue>,
) -> Result<hyper::Request<()>, Error> {
    let foreign = |why| Error::Url { url: url.to_string(), why };
    // only path and host go out: the scheme serves tungstenite's own checks
    let uri = format!("ws://{}{}", url.authority(), url.path());
    let mut request = hyper::Request::new(());
    *request.uri_mut() = uri.parse().map_err(|_| foreign("its path has foreign bytes"))?;
    let host = HeaderValue::try_from(url.authority())
        .map_err(|_| foreign("its host has foreign bytes"))?;
    let key = HeaderValue::try_from(generate_key())
        .map_err(|_| foreign("no key could be made for it"))?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, host);
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
        (header::SEC_WEBSOCKET_PROTOCOL, protocol),
        (header::USER_AGENT, "qae"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    if let Some(value) = authorization {
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// The server's own words, if it answered.
fn refused(url: &Url, cause: tungstenite::Error) -> Error {
    let tungstenite::Error::Http(answer) = cause else { return broken(url, &cause) };
    let status = answer.status().as_u16();
    let said = answer.body().as_deref().unwrap_or_default();
    let body = match serde_json::from_slice::<Problem>(said) {
        Ok(problem) => format!("{}: {}", problem.code, problem.detail),
        Err(_) => super::answer::shown(said),
    };
    Error::Status { url: bare(url), status, body }
}

fn broken(url: &Url, cause: &tungstenite::Error) -> Error {
    Error::Socket { url: bare(url), cause: cause.to_string() }
}

/// Without its query, which is long and says little.
fn bare(url: &Url) -> String {
    url.at(url.path().split('?').next().unwrap_or("/")).to_string()
}

#[cfg(test)]
mod tests;
