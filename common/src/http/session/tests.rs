use super::super::{HeaderValue, Method, header};
use super::*;
use crate::tls::tests::files;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a server does with its connections.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Answers for ever.
    Keeps,
    /// Says so, then closes after each answer.
    Closes,
    /// Closes after this many answers, without a word.
    Leaves(usize),
    /// As that, but takes one request more before it closes.
    Swallows(usize),
}

struct Server {
    url: Url,
    asked: Arc<AtomicUsize>,
}

/// Answers every request with its method, path and body.
async fn serve(manner: Manner, tls: bool) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheme = if tls { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{}/", listener.local_addr().unwrap())).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                if tls {
                    // a client that does not trust us hangs up, which the test sees at its own end
                    if let Ok(stream) = files().server().accept(socket).await {
                        talk(stream, manner, &count).await;
                    }
                } else {
                    talk(socket, manner, &count).await;
                }
            });
        }
    });
    Server { url, asked }
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    asked: &AtomicUsize,
) {
    for answered in 0.. {
        if matches!(manner, Manner::Leaves(most) if answered == most) {
            return;
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        asked.fetch_add(1, Ordering::Relaxed);
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |l| l.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        if matches!(manner, Manner::Swallows(most) if answered == most) {
            return;
        }
        let close = if matches!(manner, Manner::Closes) { "connection: close\r\n" } else { "" };
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
        let said = format!("{line} {}", String::from_utf8(body).unwrap());
        let answer =
            format!("HTTP/1.1 200 OK\r\n{close}content-length: {}\r\n\r\n{said}", said.len());
        if stream.write_all(answer.as_bytes()).await.is_err() || !close.is_empty() {
            return;
        }
    }
}

async fn three(
    session: &mut Session,
    server: &Server,
    method: Method,
) -> Vec<Result<Response, Error>> {
    let mut all = Vec::new();
    for nth in 0..3 {
        let request = Request::new(method.clone()).body("text/plain", format!("body {nth}"));
        all.push(session.send(&server.url.at(&format!("/{nth}")), &request).await);
    }
    all
}

fn trusting() -> Options {
    Options { tls: Some(files().client()), ..Options::default() }
}

#[tokio::test]
async fn one_connection_for_all_requests_with_and_without_tls() {
    for tls in [false, true] {
        let server = serve(Manner::Keeps, tls).await;
        let mut session = Session::new(trusting());
        for (nth, answer) in three(&mut session, &server, Method::PUT).await.into_iter().enumerate()
        {
            let body = answer.unwrap().body;
            assert_eq!(String::from_utf8_lossy(&body), format!("PUT /{nth} body {nth}"));
        }
        assert_eq!((session.opened(), session.retried()), (1, 0));
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_is_opened_again() {
    for (manner, opened) in [(Manner::Closes, 3), (Manner::Leaves(1), 3), (Manner::Leaves(2), 2)] {
        for tls in [false, true] {
            let server = serve(manner, tls).await;
            let mut session = Session::new(trusting());
            for answer in three(&mut session, &server, Method::PUT).await {
                answer.unwrap();
            }
            assert_eq!(session.opened(), opened, "{manner:?}, TLS {tls}");
            assert_eq!(server.asked.load(Ordering::Relaxed), 3);
        }
    }
}

#[tokio::test]
async fn what_a_kept_connection_swallowed_is_asked_once_more_if_that_does_no_harm() {
    let server = serve(Manner::Swallows(1), false).await;
    let mut session = Session::new(Options::default());
    for answer in three(&mut session, &server, Method::PUT).await {
        answer.unwrap();
    }
    assert_eq!((session.opened(), session.retried()), (3, 2));
    let server = serve(Manner::Swallows(1), false).await;
    let outcome = three(&mut Session::new(Options::default()), &server, Method::POST).await;
    assert!(matches!(outcome[1], Err(Error::Protocol { .. })), "{outcome:?}");
    assert!(outcome[0].is_ok() && outcome[2].is_ok());
    assert_eq!(server.asked.load(Ordering::Relaxed), 3);
    // a fresh connection that swallows is no stale one: nothing is asked twice
    let server = serve(Manner::Swallows(0), false).await;
    let outcome = three(&mut Session::new(Options::default()), &server, Method::PUT).await;
    assert!(outcome.iter().all(Result::is_err));
    assert_eq!(server.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_call_that_was_dropped_leaves_nothing_of_its_answer_behind() {
    let server = serve(Manner::Keeps, false).await;
    let mut session = Session::new(Options::default());
    session.send(&server.url.at("/a"), &Request::get()).await.unwrap();
    let url = server.url.at("/b");
    let request = Request::get();
    let asked = session.send(&url, &request);
    // polled once: on its way, not answered
    assert!(futures_util::FutureExt::now_or_never(asked).is_none());
    let next = session.send(&server.url.at("/c"), &Request::get()).await.unwrap();
    assert_eq!(&next.body[..], b"GET /c ");
    assert_eq!(session.opened(), 2);
}

#[tokio::test]
async fn places_do_not_mix_and_are_bounded() {
    let mut session = Session::new(Options::default());
    let mut servers = Vec::new();
    for _ in 0..PLACES + 2 {
        servers.push(serve(Manner::Keeps, false).await);
    }
    for server in servers.iter().chain(&servers[PLACES..]) {
        let answer = session.send(&server.url.at("/x"), &Request::get()).await.unwrap();
        assert_eq!(&answer.body[..], b"GET /x ");
        assert!(session.kept.len() <= PLACES);
    }
    assert_eq!(session.opened(), (PLACES + 2) as u64);
    assert!(servers.iter().all(|server| server.asked.load(Ordering::Relaxed) <= 2));
}

#[tokio::test]
async fn a_large_answer_ends_the_connection_and_is_an_error() {
    let server = serve(Manner::Keeps, false).await;
    let mut session = Session::new(Options { max_body: 10, ..Options::default() });
    let long = Request::new(Method::POST)
        .body("text/plain", "x".repeat(100))
        .header(header::ACCEPT, HeaderValue::from_static("*/*"));
    let error = session.send(&server.url, &long).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 10, .. }), "{error}");
    session.options().max_body = 1000;
    session.send(&server.url, &long).await.unwrap();
    assert_eq!((session.opened(), session.retried()), (2, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever closes when: every idempotent request gets its own answer, and no connection is opened in vain.
    #[test]
    fn answers_belong_to_their_requests(leaves in 1usize..4, swallows: bool, requests in 1usize..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let manner = if swallows { Manner::Swallows(leaves) } else { Manner::Leaves(leaves) };
            let server = serve(manner, false).await;
            let mut session = Session::new(Options::default());
            for nth in 0..requests {
                let path = format!("/{nth}");
                let answer = session.send(&server.url.at(&path), &Request::get()).await.unwrap();
                prop_assert_eq!(answer.body, format!("GET {path} "));
            }
            prop_assert_eq!(session.opened(), requests.div_ceil(leaves) as u64);
            Ok(())
        })?;
    }
}
