//! One bounded GET over a connection that is already there.
//!
//! Redirects are not followed: they could lead anywhere. No time-out here; the caller has one over the whole scrape.

use super::error::Error;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use std::pin::pin;
use tokio::net::TcpStream;

/// Most bytes of an answer's head.
const MAX_HEAD: usize = 16 << 10;

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub port: u16,
    /// Path and query.
    pub path: &'a str,
    pub accept: &'a str,
    pub authorization: Option<&'a str>,
    /// Most bytes of the body.
    pub body_max: usize,
}

/// The body of a 200; anything else is an error with its cause.
pub(super) async fn get(stream: TcpStream, request: Request<'_>) -> Result<Bytes, Error> {
    let mut client = http1::Builder::new();
    client.max_buf_size(MAX_HEAD);
    let (mut sender, connection) =
        client.handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
    let mut head = hyper::Request::get(request.path)
        // Tomcat's RemoteAddrValve and most virtual hosts take it
        .header(HOST, format!("localhost:{}", request.port))
        .header(USER_AGENT, concat!("dadvisor/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, request.accept)
        .header(CONNECTION, "close");
    if let Some(authorization) = request.authorization {
        head = head.header(AUTHORIZATION, authorization);
    }
    let head = head.body(Empty::<Bytes>::new()).map_err(|_| Error::Path)?;
    let mut exchange = pin!(async {
        let answer = sender.send_request(head).await.map_err(Error::Http)?;
        match answer.status().as_u16() {
            200 => {}
            status @ 300..=399 => return Err(Error::Redirect(status)),
            status => return Err(Error::Status(status)),
        }
        let body = Limited::new(answer.into_body(), request.body_max).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| match error.downcast() {
            Ok(error) => Error::Http(*error),
            Err(_) => Error::TooLarge(request.body_max),
        })
    });
    let connection = pin!(connection);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // closed by the far side; what has arrived is still handed out, and a failure is the exchange's too
        _ = connection => exchange.await,
    }
}
