use super::*;
use axum::Router;
use axum::extract::ws::{Message as Served, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::net::TcpListener;

/// Echoes texts, twice what begins with `long`, ends at `bye`; refuses whoever has no right.
async fn echo(headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if headers.get("authorization").is_none_or(|value| value != "Bearer right") {
        return Problem::not_found("no such thing").into_response();
    }
    upgrade.protocols(["qae.test"]).on_upgrade(|mut socket| async move {
        socket.send(Served::Ping(Vec::new().into())).await.unwrap();
        while let Some(Ok(message)) = socket.recv().await {
            match message {
                Served::Text(text) if text == "bye" => return,
                Served::Text(text) if text == "long" => {
                    let long = "x".repeat(5_000);
                    socket.send(Served::text(long)).await.unwrap();
                }
                Served::Text(text) => socket.send(Served::Text(text)).await.unwrap(),
                _ => {}
            }
        }
    })
}

async fn served() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/echo", any(echo))).await.unwrap();
    });
    Url::parse(&format!("http://{address}/echo?a=b")).unwrap()
}

fn bearer(token: &str) -> Option<HeaderValue> {
    super::super::bearer(token)
}

const SILENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn texts_go_both_ways_until_the_end() {
    let url = served().await;
    let options = Options { max_body: 1_000, ..Options::default() };
    let mut socket = Socket::open(&url, "qae.test", bearer("right"), &options).await.unwrap();
    for text in ["a", "\u{1b}[31m"] {
        socket.say(text.to_owned()).await.unwrap();
        assert_eq!(socket.next(SILENCE).await.unwrap().as_deref(), Some(text));
    }
    let silent = socket.next(Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(silent, Error::Timeout { .. }), "{silent}");
    socket.say("bye".to_owned()).await.unwrap();
    // the server closes the connection without the closing frame
    assert_eq!(socket.next(SILENCE).await.unwrap(), None);

    let mut socket = Socket::open(&url, "qae.test", bearer("right"), &options).await.unwrap();
    socket.say("long".to_owned()).await.unwrap();
    let error = socket.next(SILENCE).await.unwrap_err().to_string();
    assert!(error.contains("/echo: ") && error.contains("too long"), "{error}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    let url = served().await;
    let options = Options::default();
    let error = Socket::open(&url, "qae.test", bearer("wrong"), &options).await.unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert!(error.to_string().ends_with("answered 404: not_found: no such thing"), "{error}");
    let error = Socket::open(&url, "other", bearer("right"), &options).await.unwrap_err();
    assert!(error.to_string().contains("ubprotocol"), "{error}");
    let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
    let error = Socket::open(&nobody, "qae.test", None, &options).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}
