//! The side of an HTTP connection that moves bytes, driven by whoever waits for an answer: no task of its own, so it ends when it is dropped.

use super::{BUFFER, Error, Url};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};

/// Nothing moves but in [`Connection::during`].
pub(super) struct Connection(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

impl Connection {
    pub(super) fn new(driver: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Self {
        Self(Some(Box::pin(driver)))
    }

    /// Waits for what travels over the connection. When the far side closes it, what has arrived is still handed out; a failure is that
    /// of the request or body too. Cancel safe if `work` is.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            let driven = self.0.as_mut().map(|driver| driver.as_mut().poll(context));
            let Some(Poll::Ready(ended)) = driven else { return Poll::Pending };
            if let Err(cause) = ended {
                tracing::trace!(%cause, "connection ended");
            }
            self.0 = None;
            work.as_mut().poll(context)
        })
        .await
    }

    /// Whether it is still open, as far as is known now.
    async fn alive(&mut self) -> bool {
        poll_fn(|context| {
            if self.0.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
                self.0 = None;
            }
            Poll::Ready(self.0.is_some())
        })
        .await
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Connection(open)" } else { "Connection(closed)" })
    }
}

/// An open connection that takes requests.
#[derive(Debug)]
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    pub(super) connection: Connection,
}

impl Line {
    /// Over a stream that is connected.
    pub(super) async fn over<S>(stream: S, url: &Url) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|cause| Error::Protocol { url: url.to_string(), cause })?;
        Ok(Self { sender, connection: Connection::new(driver) })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
        url: &Url,
    ) -> Result<(Parts, Incoming), Error> {
        let answer = self.connection.during(self.sender.send_request(request)).await;
        answer
            .map(hyper::Response::into_parts)
            .map_err(|cause| Error::Protocol { url: url.to_string(), cause })
    }

    /// Whether the next request may go out over it: it is open, and has nothing left of the answer before.
    pub(super) async fn fresh(&mut self) -> bool {
        self.connection.alive().await && self.sender.is_ready()
    }

    /// No further request: what moves the bytes of the last answer.
    pub(super) fn last(self) -> Connection {
        self.connection
    }
}
