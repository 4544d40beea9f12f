//! The small HTTP side of every daemon: few clients, none of them trusted.
//!
//! Promise: no client can hold a connection by being slow (headers, request, reading the answer), nor take more than its share of
//! memory (headers, body, connections); whoever comes when all places are taken is told so; on stop what is being answered is
//! finished, within a limit. Every answer that is no success is a [`Problem`]. A loopback listener answers only to loopback names,
//! so that no web page can reach it through a name of its own (DNS rebinding). With a certificate it speaks TLS and nothing else: a
//! handshake has the time that headers have, and who speaks plain HTTP finds the connection closed.

mod connection;
mod counts;
mod guard;
mod page;
mod patient;
mod problem;

pub use connection::Peer;
pub use counts::Counts;
pub use page::{StaticFile, StaticPage};
pub use problem::{Problem, health, json};

use crate::logging::Episode;
use crate::tls;
use axum::Router;
use connection::{Host, refuse};
use counts::count;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a client may take. The default suits an agent.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until a request's headers are complete, counted from the connection's start or from the last answer.
    pub headers: Duration,
    /// From complete headers to the first byte of the answer.
    pub request: Duration,
    /// Without a byte of the answer being taken.
    pub stall: Duration,
    /// For what is being answered when the daemon stops.
    pub drain: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Bytes of a request's head; the least hyper takes is 8192.
    pub head_bytes: usize,
    /// Headers of a request.
    pub head_lines: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(5),
            request: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            drain: Duration::from_secs(3),
            connections: 64,
            head_bytes: 16 * 1024,
            head_lines: 64,
            body_bytes: 64 * 1024,
        }
    }
}

impl Limits {
    /// What suits the centre: every host of a fleet keeps a connection or two, and reports over it every 10 s.
    pub fn centre() -> Self {
        Self {
            headers: Duration::from_secs(15),
            request: Duration::from_secs(30),
            connections: 12_000,
            body_bytes: 4 << 20,
            ..Self::default()
        }
    }
}

/// The address to listen on cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}: {source}; free it, or set another `listen` in the config file"
)]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// Takes the address, for as long as `patience` again while another process has it: after an upgrade the old one may still be ending.
pub async fn bind(address: SocketAddr, patience: Duration) -> Result<TcpListener, BindError> {
    let deadline = Instant::now() + patience;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                sleep(Duration::from_millis(100)).await;
            }
            Err(source) => return Err(BindError { address, source }),
        }
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

/// Serves plain HTTP until `stop`, then lets what is being answered finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    counts: Arc<Counts>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    serve_tls(listener, router, limits, counts, None, stop).await
}

/// As [`serve`], over TLS if there is a certificate. A certificate that is reloaded concerns whoever connects afterwards.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    counts: Arc<Counts>,
    tls: Option<tls::Server>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let app = guard::dress(router, listener.local_addr()?, limits, counts.clone());
    let door = Door {
        host: Host { app, limits, counts, tls, stop },
        places: Arc::new(Semaphore::new(limits.connections)),
        refusals: Arc::new(Semaphore::new(REFUSALS)),
        open: TaskTracker::new(),
    };
    let mut accepting = Episode::new("accepting a connection");
    while let Some(accepted) = door.host.stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((socket, peer)) => {
                accepting.recovered();
                door.take(socket, peer);
            }
            // mostly "too many open files", which a pause may cure and a loop without one makes worse
            Err(e) => {
                count(&door.host.counts.accept_errors);
                accepting.failed(&e);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    door.open.close();
    door.open.wait().await;
    Ok(())
}

/// Clients that are being told to come back later, at a time; further ones are just closed.
const REFUSALS: usize = 16;

struct Door {
    host: Host,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    open: TaskTracker,
}

impl Door {
    fn take(&self, socket: TcpStream, peer: SocketAddr) {
        count(&self.host.counts.connections);
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            let talk = self.host.clone().talk(socket, peer);
            self.open.spawn(async move {
                talk.await;
                drop(place);
            });
            return;
        }
        count(&self.host.counts.refused);
        // who waits for TLS would not understand a plain answer
        if self.host.tls.is_some() {
            return;
        }
        if let Ok(place) = self.refusals.clone().try_acquire_owned() {
            self.open.spawn(async move {
                // the client sees the answer or a closed connection; there is nobody else to tell
                drop(timeout(Duration::from_secs(1), refuse(socket)).await);
                drop(place);
            });
        }
    }
}

#[cfg(test)]
mod tests;
