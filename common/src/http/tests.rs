use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;

fn url() -> Url {
    Url::parse("http://app.test:9100/metrics").unwrap()
}

fn quick() -> Options {
    Options { timeout: Duration::from_millis(300), max_body: 64, ..Options::default() }
}

/// Answers one request with these bytes and closes, or stays open; gives back what was asked.
async fn answer(bytes: &'static [u8], close: bool) -> (Result<Response, Error>, String) {
    let (near, mut far) = duplex(4096);
    let peer = tokio::spawn(async move {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(far.read_u8().await.unwrap());
        }
        // the client may hang up at any byte
        let sent = far.write_all(bytes).await;
        if !close && sent.is_ok() {
            let mut rest = Vec::new();
            far.read_to_end(&mut rest).await.unwrap();
        }
        String::from_utf8(asked).unwrap()
    });
    let got = get_on(near, &url(), &Options { basic: Some(Basic::new("u", "p")), ..quick() }).await;
    (got, peer.await.unwrap())
}

#[tokio::test]
async fn a_whole_answer() {
    let (got, asked) = answer(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
        false,
    )
    .await;
    let got = got.unwrap();
    assert_eq!(
        (got.status, got.content_type.as_deref(), &got.body[..]),
        (200, Some("text/plain"), &b"hi"[..])
    );
    assert!(asked.starts_with("GET /metrics HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("host: app.test:9100\r\n"), "{asked}");
    assert!(asked.contains("authorization: Basic dTpw\r\n"), "{asked}");
}

#[tokio::test]
async fn chunks_and_bodies_that_end_with_the_connection() {
    let (got, _) = answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        false,
    )
    .await;
    assert_eq!(&got.unwrap().body[..], b"abc");
    let (got, _) = answer(b"HTTP/1.0 200 OK\r\n\r\nall of it", true).await;
    assert_eq!(&got.unwrap().body[..], b"all of it");
}

#[tokio::test]
async fn what_is_not_2xx_is_an_error_with_its_words() {
    let (got, _) = answer(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 11\r\n\r\nrecovering\n",
        false,
    )
    .await;
    let error = got.unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert_eq!(error.to_string(), "http://app.test:9100/metrics: answered 503: recovering");
    let (got, _) =
        answer(b"HTTP/1.1 307 x\r\nLocation: //leader/\r\nContent-Length: 0\r\n\r\n", false).await;
    assert_eq!(got.unwrap_err().status(), Some(307));
}

#[tokio::test]
async fn hostile_answers_end_in_bounded_time_and_space() {
    let (got, _) = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", false).await;
    assert!(matches!(got, Err(Error::TooLarge { limit: 64, .. })), "{got:?}");
    let endless: &'static [u8] = Box::leak(
        [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 9_000]].concat().into_boxed_slice(),
    );
    let (got, _) = answer(endless, false).await;
    assert!(matches!(got, Err(Error::TooLarge { .. })), "{got:?}");
    let (got, _) = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", false).await;
    assert!(matches!(got, Err(Error::Timeout { .. })), "{got:?}");
    let (got, _) = answer(b"HTTP/1.1 500 no\r\nContent-Length: 5\r\n\r\nab", true).await;
    assert_eq!(got.unwrap_err().status(), Some(500));
    for broken in
        [&b"SSH-2.0-x\r\n\r\n"[..], b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"]
    {
        let (got, _) = answer(broken, true).await;
        assert!(matches!(got, Err(Error::Protocol { .. })), "{got:?}");
    }
}

#[tokio::test]
async fn an_address_is_connected_to_or_the_error_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    });
    assert_eq!(get(&url, &quick()).await.unwrap().status, 204);
    peer.await.unwrap();
    let error = get(&url, &quick()).await.unwrap_err();
    assert!(error.to_string().starts_with(&url.to_string()), "{error}");
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stream_comes_piece_by_piece() {
    let (near, mut far) = duplex(4096);
    let head = tokio::spawn(async move {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(far.read_u8().await.unwrap());
        }
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
        far.write_all(head).await.unwrap();
        far
    });
    let mut stream = open_on(near, &url(), &quick()).await.unwrap();
    let mut far = head.await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"ab"[..]));
    far.write_all(b"1\r\nc\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"c"[..]));
    assert_eq!(stream.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn every_status_is_an_answer_to_send() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/v1/x", listener.local_addr().unwrap())).unwrap();
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        let mut length = 0;
        while !asked[..length].ends_with(b"{\"a\":1}") {
            length += stream.read(&mut asked[length..]).await.unwrap();
        }
        let answer =
            b"HTTP/1.1 307 x\r\nLocation: http://leader/v1/x\r\nContent-Length: 4\r\n\r\ngone";
        stream.write_all(answer).await.unwrap();
        String::from_utf8(asked[..length].to_vec()).unwrap()
    });
    let request = Request::new(Method::PUT)
        .body("application/json", "{\"a\":1}")
        .header(header::AUTHORIZATION, bearer("secret").unwrap())
        .header(HeaderName::from_static("qae-run"), HeaderValue::from_static("7"));
    let answer = send(&url, &request, &Options::default()).await.unwrap();
    assert_eq!((answer.status, answer.header("location")), (307, Some("http://leader/v1/x")));
    assert_eq!((answer.is_success(), answer.said().as_str()), (false, "gone"));
    let asked = peer.await.unwrap();
    assert!(asked.starts_with("PUT /v1/x HTTP/1.1\r\n"), "{asked}");
    for line in
        ["authorization: Bearer secret", "qae-run: 7", "content-length: 7", "connection: close"]
    {
        assert!(asked.contains(&format!("{line}\r\n")), "{line} in {asked}");
    }
}

/// A server that says these bytes, by TLS or not, and keeps the connection.
async fn saying(bytes: &'static [u8], tls: bool) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                if !tls {
                    socket.write_all(bytes).await.unwrap();
                    return drop(socket.read_to_end(&mut Vec::new()).await);
                }
                // who does not trust us hangs up
                let Ok(mut stream) = tls::tests::files().server().accept(socket).await else {
                    return;
                };
                stream.write_all(bytes).await.unwrap();
                drop(stream.read_to_end(&mut Vec::new()).await);
            });
        }
    });
    let scheme = if tls { "https" } else { "http" };
    Url::parse(&format!("{scheme}://localhost:{port}/")).unwrap()
}

#[tokio::test]
async fn a_stream_has_status_headers_and_a_patience_for_each_piece() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nid:\r\n";
    for tls in [false, true] {
        let url = saying(head, tls).await;
        let options = Options { tls: Some(tls::tests::files().client()), ..Options::default() };
        let mut stream = open(&url, &Request::get(), &options).await.unwrap();
        assert_eq!(
            (stream.status(), &stream.headers()["content-type"]),
            (200, &HeaderValue::from_static("text/event-stream"))
        );
        let idle = Duration::from_millis(50);
        assert_eq!(
            stream.chunk_within(Duration::from_secs(5)).await.unwrap().as_deref(),
            Some(&b"id:"[..])
        );
        assert!(matches!(stream.chunk_within(idle).await, Err(Error::Timeout { .. })));
    }
}

#[tokio::test]
async fn pieces_of_a_stream_are_bounded() {
    let large: &'static [u8] = Box::leak(
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n80000\r\n".as_slice(),
            &[b'x'; 0x80000],
            b"\r\n0\r\n\r\n",
        ]
        .concat()
        .into_boxed_slice(),
    );
    let url = saying(large, false).await;
    let mut stream = open(&url, &Request::get(), &Options::default()).await.unwrap();
    let mut all = 0;
    while let Some(piece) = stream.chunk_within(Duration::from_secs(5)).await.unwrap() {
        assert!(piece.len() <= 2 * BUFFER, "{}", piece.len());
        all += piece.len();
    }
    assert_eq!(all, 0x80000);
}

#[tokio::test]
async fn other_statuses_of_a_stream_are_data() {
    let url = saying(b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\nold\n", false).await;
    let stream = open(&url, &Request::get(), &Options::default()).await.unwrap();
    assert_eq!(stream.status(), 410);
    assert_eq!(&stream.whole(100).await.unwrap().body[..], b"old\n");
}

#[tokio::test]
async fn an_authority_vouches_or_nothing_is_asked() {
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let url = saying(ok, true).await;
    let trusting = Options { tls: Some(tls::tests::files().client()), ..Options::default() };
    assert_eq!(&get(&url, &trusting).await.unwrap().body[..], b"hi");
    let system = get(&url, &Options::default()).await.unwrap_err();
    assert!(matches!(system, Error::Tls { .. }), "{system}");
    let told = system.to_string();
    assert!(told.starts_with(&format!("{url}: no TLS: ")) && told.contains("ca_file"), "{told}");
    let plain = saying(b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n", false).await;
    let plain = Url::parse(&plain.to_string().replace("http://", "https://")).unwrap();
    let told = get(&plain, &trusting).await.unwrap_err().to_string();
    assert!(told.contains("http:// instead of https://"), "{told}");
}

#[tokio::test]
async fn a_unix_socket_is_connected_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let url = Url::unix(path.to_str().unwrap(), "/x");
    assert_eq!(get(&url, &Options::default()).await.unwrap().status, 204);
}
