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
