//! The same as a WebSocket: what viewers ask for while they watch, whose pages may open one, and viewers that are slow.

use crate::lab::{Lab, STREAM, two};
use crate::served::{LONGEST, eventually};
use common::api_types::live::{Ask, PROTOCOL};
use common::http::{Options, Socket, Url, bearer};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn a_websocket_with_pauses_filters_and_what_is_refused() {
    let lab = Lab::new(&two()[..1]);
    lab.agent.write(&Lab::key(1), "app.log", "a\n");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = Url::parse(&format!("http://{}{STREAM}", lab.centre.address)).unwrap();
        let token = bearer(&lab.centre.token);
        let mut socket = Socket::open(&url, PROTOCOL, token, &Options::default()).await.unwrap();
        let wait = async |socket: &mut Socket, kind: &str| loop {
            let text = socket.next(LONGEST).await.unwrap().expect("the stream ended");
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == kind {
                return frame;
            }
        };
        assert_eq!(wait(&mut socket, "lines").await["lines"], json!(["a"]));
        for (said, code) in
            [(r#"{"type":"filter","grep":"("}"#, "bad_filter"), (r#"{"type":"sing"}"#, "bad_frame")]
        {
            socket.say(said.to_owned()).await.unwrap();
            assert_eq!(wait(&mut socket, "refused").await["code"], code);
        }
        socket.say(r#"{"type":"pause"}"#.to_owned()).await.unwrap();
        eventually("the pause", || lab.agent.said().contains(&Ask::Pause {}).then_some(()));
        lab.agent.write(&Lab::key(1), "app.log", "b1\nc\nb2\n");
        socket.say(r#"{"type":"filter","grep":"b"}"#.to_owned()).await.unwrap();
        socket.say(r#"{"type":"resume"}"#.to_owned()).await.unwrap();
        let lines = wait(&mut socket, "lines").await;
        assert_eq!((&lines["lines"], &lines["offset"]), (&json!(["b1", "b2"]), &2.into()));
        // too much at once
        for _ in 0..40 {
            if socket.say(r#"{"type":"pause"}"#.to_owned()).await.is_err() {
                break;
            }
        }
        while let Ok(Some(_)) = socket.next(LONGEST).await {}
    });
}

#[test]
fn a_page_of_somebody_else_opens_no_websocket_with_the_cookie() {
    let lab = Lab::new(&two());
    let made =
        lab.centre.ask("POST", "/v1/sign-ins", &[("content-type", "application/json")], b"{}");
    let code = made.json()["code"].as_str().unwrap().to_owned();
    let own = format!("http://{}", lab.centre.address);
    let started = lab.centre.ask_without_token(
        "POST",
        "/v1/sessions",
        &[("content-type", "application/json"), ("origin", &own)],
        json!({"code": code}).to_string().as_bytes(),
    );
    let cookie = started.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let upgrade = |origin: &str| {
        let mut socket = TcpStream::connect(&lab.centre.address).unwrap();
        socket.set_read_timeout(Some(LONGEST)).unwrap();
        write!(
            socket,
            "GET {STREAM} HTTP/1.1\r\nhost: {}\r\norigin: {origin}\r\ncookie: {cookie}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: {PROTOCOL}\r\n\r\n",
            lab.centre.address
        )
        .unwrap();
        let mut first = [0; 12];
        socket.read_exact(&mut first).unwrap();
        String::from_utf8(first.to_vec()).unwrap()
    };
    assert_eq!(upgrade("https://evil.example"), "HTTP/1.1 403");
    assert_eq!(upgrade(&own), "HTTP/1.1 101");
}

#[test]
fn a_slow_viewer_gets_a_gap_and_costs_no_memory() {
    let lab = Lab::new(&two()[..1]);
    lab.agent.write(&Lab::key(1), "app.log", "begin\n");
    let mut frames = lab.frames(STREAM);
    frames.expect("lines");
    let line = format!("{}\n", "x".repeat(199));
    let block = line.repeat(5_000);
    // what fits between the agent and this reader is taken; then the agent, not the centre, has the rest
    let bytes = || {
        let text = String::from_utf8(lab.centre.get("/metrics").body).unwrap();
        let of = |l: &str| {
            l.strip_prefix("qae_api_relay_bytes_total ").map(|n| n.parse::<u64>().unwrap())
        };
        text.lines().find_map(of).unwrap()
    };
    for _ in 0..40 {
        lab.agent.write(&Lab::key(1), "app.log", &block);
    }
    let mut before = 0;
    eventually("a standstill", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = bytes();
        let still = now == before;
        before = now;
        still.then_some(())
    });
    assert!(before < 20 << 20, "{before} bytes of 40 MB went through");
    let gap = frames.expect("gap");
    assert_eq!((&gap["why"], &gap["instance"]), (&"slow".into(), &Lab::id(1).into()));
    assert!(gap["bytes"].as_u64().unwrap() > 4 << 20, "{gap}");
    lab.agent.write(&Lab::key(1), "app.log", "after\n");
    loop {
        let frame = frames.expect("lines");
        if frame["lines"].as_array().unwrap().iter().any(|line| line == "after") {
            break;
        }
    }
}
