//! One connection, from its first byte to its last.

use super::patient::Patient;
use super::{Counts, Limits, count, problem};
use crate::tls;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Who is on the other end of the connection; every request has it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(pub SocketAddr);

/// What every connection of a door has in common.
#[derive(Clone)]
pub(super) struct Host {
    pub app: Router,
    pub limits: Limits,
    pub counts: Arc<Counts>,
    pub tls: Option<tls::Server>,
    pub stop: CancellationToken,
}

impl Host {
    pub(super) async fn talk(self, socket: TcpStream, peer: SocketAddr) {
        // small answers go out at once; a socket that cannot is already closed, which the next read tells
        drop(socket.set_nodelay(true));
        let socket = Patient::new(socket, self.limits.stall);
        let Some(tls) = self.tls.clone() else { return self.exchange(socket, peer).await };
        let shaken = timeout(self.limits.headers, tls.accept(socket));
        match self.stop.run_until_cancelled(shaken).await {
            Some(Ok(Ok(stream))) => self.exchange(stream, peer).await,
            Some(outcome) => {
                count(&self.counts.no_tls);
                let why = match outcome {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no handshake in time".to_owned(),
                };
                tracing::debug!(%peer, why, "a client came to no TLS");
            }
            None => {}
        }
    }

    async fn exchange<S>(self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { app, limits, counts, stop, .. } = self;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.headers)
            .max_buf_size(limits.head_bytes)
            .max_headers(limits.head_lines)
            .serve_connection(
                TokioIo::new(stream),
                Introduced { app: TowerToHyperService::new(app), peer },
            )
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                match timeout(limits.drain, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return count(&counts.broken),
                }
            }
        };
        if let Err(e) = ended {
            count(&counts.broken);
            tracing::debug!(error = &e as &dyn std::error::Error, "a client's connection broke");
        }
    }
}

/// The routes, told who asks.
struct Introduced {
    app: TowerToHyperService<Router>,
    peer: SocketAddr,
}

impl Service<Request<Incoming>> for Introduced {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = TowerToHyperServiceFuture<Router, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.peer));
        self.app.call(request)
    }
}

/// Hears the client out (else the kernel answers its bytes with a reset, which overtakes ours), then says that all places are taken.
pub(super) async fn refuse(mut socket: TcpStream) -> std::io::Result<()> {
    let mut heard = [0; 4096];
    let mut length = 0;
    while length < heard.len() && !heard[..length].windows(4).any(|w| w == b"\r\n\r\n") {
        match socket.read(&mut heard[length..]).await? {
            0 => break,
            n => length += n,
        }
    }
    socket.write_all(problem::too_many_connections().as_bytes()).await?;
    socket.shutdown().await
}
