//! On a real socket: what a client may not do.

use super::*;
use crate::http::{self, Options, Request, Session, Url};
use crate::tls::tests::{files, made};
use axum::Extension;
use axum::routing::{get, post};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        Self::speaking(limits, None).await
    }

    async fn speaking(limits: Limits, tls: Option<tls::Server>) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap(), Duration::ZERO).await.unwrap();
        let router = Router::new()
            .route("/hello", get(|| async { json(&"hello") }))
            .route("/who", get(|Extension(Peer(peer))| async move { json(&peer) }))
            .route("/never", get(std::future::pending::<()>))
            .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
            .route("/take", post(|body: axum::body::Bytes| async move { json(&body.len()) }));
        let (address, counts, stop) =
            (listener.local_addr().unwrap(), Arc::new(Counts::default()), CancellationToken::new());
        let task =
            tokio::spawn(serve_tls(listener, router, limits, counts.clone(), tls, stop.clone()));
        Self { address, counts, stop, task }
    }

    /// Sends bytes and reads to the end of the stream, within a limit.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        all(socket).await
    }

    async fn get(&self, path: &str, host: &str) -> String {
        self.say(
            format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes(),
        )
        .await
    }

    fn counted(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        self.counts.each(|name, value| {
            all.insert(name, value);
        });
        all
    }
}

async fn all(mut socket: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
    match read.expect("the server must end the connection") {
        Ok(_) => String::from_utf8(answer).unwrap(),
        Err(e) => format!("{e} after {}", String::from_utf8_lossy(&answer)),
    }
}

fn short() -> Limits {
    let short = Duration::from_millis(200);
    Limits {
        headers: short,
        request: short,
        stall: short,
        drain: short,
        connections: 2,
        ..Limits::default()
    }
}

#[tokio::test]
async fn answers_and_problems() {
    let server = Server::start(Limits::default()).await;
    let hello = server.get("/hello", "localhost").await;
    assert!(hello.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{hello}");
    assert!(hello.contains("nosniff") && hello.ends_with("\r\n\r\n\"hello\"\n"), "{hello}");
    let nothing = server.get("/nothing", "127.0.0.1").await;
    assert!(nothing.starts_with("HTTP/1.1 404") && nothing.contains("application/problem+json"));
    let body = nothing.split("\r\n\r\n").nth(1).unwrap();
    let problem: Problem = serde_json::from_str(body).unwrap();
    assert_eq!(problem, Problem::not_found("nothing at /nothing"));
    let method =
        server.say(b"DELETE /hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(
        method.starts_with("HTTP/1.1 405") && method.contains("\"method_not_allowed\""),
        "{method}"
    );
    assert!(method.contains("allow: GET,HEAD"), "{method}");
    let counted = server.counted();
    assert_eq!((counted["answers_2xx"], counted["answers_4xx"], counted["connections"]), (1, 2, 3));
}

#[tokio::test]
async fn a_foreign_host_is_refused_and_none_is_too() {
    let server = Server::start(Limits::default()).await;
    let foreign = server.get("/hello", "evil.example").await;
    assert!(foreign.starts_with("HTTP/1.1 421") && foreign.contains("\"wrong_host\""), "{foreign}");
    let absolute = server.say(b"GET http://evil.example/hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(absolute.starts_with("HTTP/1.1 421"), "{absolute}");
    let two = server
        .say(b"GET /hello HTTP/1.1\r\nhost: localhost\r\nhost: evil\r\nconnection: close\r\n\r\n")
        .await;
    assert!(two.starts_with("HTTP/1.1 400"), "{two}");
    let none = server.say(b"GET /hello HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(none.starts_with("HTTP/1.1 400"), "{none}");
    let old = server.say(b"GET /hello HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200"), "{old}");
}

#[tokio::test]
async fn slow_headers_and_slow_answers_end() {
    let server = Server::start(short()).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /hello HTTP/1.1\r\nhost: local").await.unwrap();
    assert_eq!(all(slow).await, "");
    let idle = server.say(b"").await;
    assert_eq!(idle, "");
    let never = server.get("/never", "localhost").await;
    assert!(never.starts_with("HTTP/1.1 503") && never.contains("\"too_slow\""), "{never}");
    assert_eq!(server.counted()["connections_broken"], 2);
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_dropped() {
    let server = Server::start(short()).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    until(|| server.counted()["connections_broken"] == 1).await;
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let server = Server::start(Limits { headers: Duration::from_secs(30), ..short() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(b"GET /hello").await.unwrap();
        held.push(socket);
    }
    until(|| server.counted()["connections"] == 2).await;
    let refused = server.get("/hello", "localhost").await;
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 1"), "{head}");
    let problem: Problem = serde_json::from_str(body).unwrap();
    assert_eq!(problem.code, "too_many_connections");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head} {}", body.len());
    // a place that is free again is given again
    drop(held);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !server.get("/hello", "localhost").await.starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline);
    }
}

#[tokio::test]
async fn huge_heads_and_bodies_are_refused() {
    let server = Server::start(Limits { body_bytes: 1000, ..Limits::default() }).await;
    let long = server.get(&format!("/{}", "x".repeat(20_000)), "localhost").await;
    assert!(long.starts_with("HTTP/1.1 4") || long.contains("reset"), "{long}");
    let many = server
        .say(
            format!("GET /hello HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(100))
                .as_bytes(),
        )
        .await;
    assert!(many.starts_with("HTTP/1.1 431"), "{many}");
    let body = server.say(format!("POST /take HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1001\r\nconnection: close\r\n\r\n{}", "x".repeat(1001)).as_bytes()).await;
    assert!(body.contains("413") || body.contains("reset"), "{body}");
    let chunked = server.say(format!("POST /take HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001)).as_bytes()).await;
    assert!(!chunked.starts_with("HTTP/1.1 200"), "{chunked}");
    let fits = server.say(format!("POST /take HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n{}", "x".repeat(1000)).as_bytes()).await;
    assert!(fits.ends_with("1000\n"), "{fits}");
}

#[tokio::test]
async fn the_stop_ends_idle_connections_and_the_listener() {
    let server = Server::start(Limits::default()).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    until(|| server.counted()["connections"] == 1).await;
    server.stop.cancel();
    timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap().unwrap();
    assert_eq!(all(idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_waited_for_and_then_named() {
    let held = bind("127.0.0.1:0".parse().unwrap(), Duration::ZERO).await.unwrap();
    let address = held.local_addr().unwrap();
    let error = bind(address, Duration::ZERO).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot listen on {address}: Address already in use")),
        "{error}"
    );
    let (taken, ()) = tokio::join!(bind(address, Duration::from_secs(10)), async { drop(held) });
    taken.unwrap();
}

#[tokio::test]
async fn a_route_knows_who_asks() {
    let server = Server::start(Limits::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let own = socket.local_addr().unwrap();
    socket
        .write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let answer = all(socket).await;
    assert!(answer.ends_with(&format!("\r\n\r\n\"{own}\"\n")), "{answer}");
}

fn https(server: &Server, path: &str) -> Url {
    Url::parse(&format!("https://localhost:{}{path}", server.address.port())).unwrap()
}

fn trusting() -> Options {
    Options { tls: Some(files().client()), ..Options::default() }
}

#[tokio::test]
async fn tls_serves_the_same_over_a_connection_that_stays() {
    let server = Server::speaking(Limits::default(), Some(files().server())).await;
    let mut session = Session::new(trusting());
    for _ in 0..3 {
        let answer = session.send(&https(&server, "/hello"), &Request::get()).await.unwrap();
        assert_eq!(&answer.body[..], b"\"hello\"\n");
    }
    let large = Options { max_body: 65 << 20, ..trusting() };
    assert_eq!(http::get(&https(&server, "/large"), &large).await.unwrap().body.len(), 64 << 20);
    let counted = server.counted();
    assert_eq!((counted["connections"], counted["answers_2xx"], counted["tls_failed"]), (2, 4, 0));
    server.stop.cancel();
    timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn what_is_no_tls_is_closed_and_counted() {
    // a handshake on a busy machine takes its time
    let limits = Limits { headers: Duration::from_millis(800), ..short() };
    let server = Server::speaking(limits, Some(files().server())).await;
    let plain = server.get("/hello", "localhost").await;
    assert!(!plain.contains("HTTP/1.1"), "{plain}");
    let slow = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(all(slow).await, "");
    // a ClientHello that never ends
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    assert_eq!(all(half).await, "");
    // who does not trust us hangs up in the middle
    let stranger = Options { tls: Some(made().client()), ..Options::default() };
    assert!(matches!(
        http::get(&https(&server, "/hello"), &stranger).await,
        Err(http::Error::Tls { .. })
    ));
    until(|| server.counted()["tls_failed"] == 4).await;
    assert_eq!(server.counted()["connections_broken"], 0);
    http::get(&https(&server, "/hello"), &trusting()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_over_tls_is_dropped() {
    let limits = Limits { headers: Duration::from_secs(10), ..short() };
    let server = Server::speaking(limits, Some(files().server())).await;
    let socket = TcpStream::connect(server.address).await.unwrap();
    let mut deaf = files().client().connect("localhost", socket).await.unwrap();
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    until(|| server.counted()["connections_broken"] == 1).await;
}

#[tokio::test]
async fn a_handshake_under_way_does_not_hold_the_stop_and_a_full_house_is_closed() {
    let limits = Limits { connections: 1, headers: Duration::from_secs(60), ..short() };
    let server = Server::speaking(limits, Some(files().server())).await;
    let held = TcpStream::connect(server.address).await.unwrap();
    until(|| server.counted()["connections"] == 1).await;
    let refused = server.say(b"").await;
    assert!(!refused.contains("HTTP"), "{refused}");
    assert_eq!(server.counted()["connections_refused"], 1);
    server.stop.cancel();
    timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap().unwrap();
    assert_eq!(all(held).await, "");
}

#[tokio::test]
async fn requests_that_two_servers_would_read_differently_are_refused() {
    let server = Server::start(Limits { body_bytes: 1000, ..short() }).await;
    let smuggled = "GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for framing in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length: -1\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5\r\n content-length: 0\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "content-length: 99999999999999999999\r\n",
    ] {
        let said =
            format!("POST /take HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n0\r\n\r\n{smuggled}");
        let answer = server.say(said.as_bytes()).await;
        assert!(!answer.contains("hello"), "{framing:?}: {answer}");
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.contains("reset"),
            "{framing:?}: {answer}"
        );
    }
    // both ways of framing at once: whatever the answer, what follows is no second request (RFC 9112 section 6.3)
    let both = format!(
        "POST /take HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let answer = server.say(both.as_bytes()).await;
    assert!(!answer.contains("hello"), "{answer}");
}

/// Waits for a condition, with a deadline.
async fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
