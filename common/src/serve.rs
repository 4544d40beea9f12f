//! The small HTTP side of every daemon: few clients, none of them trusted.
//!
//! Promise: no client can hold a connection by being slow (headers, request, reading the answer), nor take more than its share of
//! memory (headers, body, connections); whoever comes when all places are taken is told so; on stop what is being answered is
//! finished, within a limit. Every answer that is no success is a [`Problem`]. A loopback listener answers only to loopback names,
//! so that no web page can reach it through a name of its own (DNS rebinding).

mod guard;
mod patient;
mod problem;

pub use problem::{Problem, json};

use crate::logging::Episode;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use patient::Patient;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

/// What happened at the door, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    connections: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
    accept_errors: AtomicU64,
    /// By hundreds of the status: 1xx at 0.
    answers: [AtomicU64; 5],
}

impl Counts {
    /// Every count by name, for `/metrics`: `connections`, `connections_refused`, `connections_broken` (too slow, reset, or no HTTP),
    /// `accept_errors`, `answers_2xx`...
    pub fn each(&self, mut emit: impl FnMut(&'static str, u64)) {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        emit("connections", get(&self.connections));
        emit("connections_refused", get(&self.refused));
        emit("connections_broken", get(&self.broken));
        emit("accept_errors", get(&self.accept_errors));
        let names = ["answers_1xx", "answers_2xx", "answers_3xx", "answers_4xx", "answers_5xx"];
        for (name, count) in names.iter().zip(&self.answers) {
            emit(name, get(count));
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
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

/// Serves until `stop`, then lets what is being answered finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    counts: Arc<Counts>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let door = Door {
        app: guard::dress(router, listener.local_addr()?, limits, counts.clone()),
        limits,
        counts,
        places: Arc::new(Semaphore::new(limits.connections)),
        refusals: Arc::new(Semaphore::new(REFUSALS)),
        open: TaskTracker::new(),
        stop,
    };
    let mut accepting = Episode::new("accepting a connection");
    while let Some(accepted) = door.stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((socket, _)) => {
                accepting.recovered();
                door.take(socket);
            }
            // mostly "too many open files", which a pause may cure and a loop without one makes worse
            Err(e) => {
                count(&door.counts.accept_errors);
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
    app: Router,
    limits: Limits,
    counts: Arc<Counts>,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    open: TaskTracker,
    stop: CancellationToken,
}

impl Door {
    fn take(&self, socket: TcpStream) {
        count(&self.counts.connections);
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            let talk =
                talk(socket, self.app.clone(), self.limits, self.counts.clone(), self.stop.clone());
            self.open.spawn(async move {
                talk.await;
                drop(place);
            });
            return;
        }
        count(&self.counts.refused);
        if let Ok(place) = self.refusals.clone().try_acquire_owned() {
            self.open.spawn(async move {
                // the client sees the answer or a closed connection; there is nobody else to tell
                drop(timeout(Duration::from_secs(1), refuse(socket)).await);
                drop(place);
            });
        }
    }
}

/// One connection, from its first byte to its last.
async fn talk(
    socket: TcpStream,
    app: Router,
    limits: Limits,
    counts: Arc<Counts>,
    stop: CancellationToken,
) {
    // small answers go out at once; a socket that cannot is already closed, which the next read tells
    drop(socket.set_nodelay(true));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.head_lines)
        .serve_connection(
            TokioIo::new(Patient::new(socket, limits.stall)),
            TowerToHyperService::new(app),
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

/// Hears the client out (else the kernel answers its bytes with a reset, which overtakes ours), then says that all places are taken.
async fn refuse(mut socket: TcpStream) -> std::io::Result<()> {
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

#[cfg(test)]
mod tests;
