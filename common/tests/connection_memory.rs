//! What an idle reader of an endless answer costs: thousands of them must fit into the centre. A process of its own, since it weighs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use common::http::{self, Options, Request, Url};
use common::serve::{Counts, Limits, bind, serve_tls};
use common::{files, tls};
use futures_util::StreamExt;
use futures_util::stream;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const READERS: usize = 400;

async fn start(tls: Option<tls::Server>) -> SocketAddr {
    let events = || async {
        let first =
            stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"retry: 1000\n\n")) });
        Body::from_stream(first.chain(stream::pending()))
    };
    let router = Router::new().route("/events", get(events));
    let listener = bind("127.0.0.1:0".parse().unwrap(), Duration::ZERO).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
    tokio::spawn(serve_tls(listener, router, Limits::centre(), counts, tls, stop));
    address
}

/// Resident bytes of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Bytes for each reader, both ends; what comes once is spent before.
async fn weigh<T>(mut reader: impl AsyncFnMut() -> T) -> usize {
    let mut held = Vec::with_capacity(READERS + 50);
    for _ in 0..50 {
        held.push(reader().await);
    }
    let before = resident();
    for _ in 0..READERS {
        held.push(reader().await);
    }
    (resident() - before) / READERS
}

async fn plain(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    while !heard.windows(5).any(|w| w == b"retry") {
        assert!(socket.read_buf(&mut heard).await.unwrap() > 0);
    }
    socket
}

fn certify(dir: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=t -keyout key.pem -out cert.pem";
    let mut openssl = Command::new("openssl");
    let ran = openssl.args(arguments.split(' ')).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[tokio::test]
async fn a_reader_that_waits_costs_little() {
    files::raise().unwrap();
    let address = start(None).await;
    let each = weigh(async || plain(address).await).await;
    println!("plain: {each} bytes for each reader, the client's socket included");
    assert!(each < 32_000, "{each}");

    let dir = tempfile::tempdir().unwrap();
    certify(dir.path());
    let cert = dir.path().join("cert.pem");
    let server = tls::Server::load(&cert, &dir.path().join("key.pem")).unwrap();
    let address = start(Some(server)).await;
    let url = Url::parse(&format!("https://{address}/events")).unwrap();
    let options = Options { tls: Some(tls::Client::pinned(&cert).unwrap()), ..Options::default() };
    let each = weigh(async || {
        let mut stream = http::open(&url, &Request::get(), &options).await.unwrap();
        stream.chunk().await.unwrap().unwrap();
        stream
    })
    .await;
    println!("TLS: {each} bytes for each reader, both ends");
    assert!(each < 60_000, "{each}");
}
