//! On a real socket: what a client may not do.

use super::*;
use axum::routing::{get, post};
use std::collections::BTreeMap;

struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap(), Duration::ZERO).await.unwrap();
        let router = Router::new()
            .route("/hello", get(|| async { json(&"hello") }))
            .route("/never", get(std::future::pending::<()>))
            .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
            .route("/take", post(|body: axum::body::Bytes| async move { json(&body.len()) }));
        let (address, counts, stop) =
            (listener.local_addr().unwrap(), Arc::new(Counts::default()), CancellationToken::new());
        let task = tokio::spawn(serve(listener, router, limits, counts.clone(), stop.clone()));
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

/// Waits for a condition, with a deadline.
async fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
