//! What viewers get who mean well.

use super::*;

#[tokio::test]
async fn files_are_listed_page_by_page() {
    let server = Server::start().await;
    for name in ["a b.log", "c.log", "d/e.log"] {
        std::fs::create_dir_all(server.lab.path("d")).unwrap();
        server.lab.write(name, b"1\n");
    }
    server.lab.source("d/e.log");
    server.lab.source("a%20b.log");
    let page: serde_json::Value =
        serde_json::from_str(&server.text("/v1/logs/one/files?limit=2").await).unwrap();
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["file"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(names(&page), ["a%20b.log", "c.log"]);
    assert_eq!(page["items"][0]["size"], 2);
    let next = page["next"].as_str().unwrap().replace('%', "%25");
    let page = server.text(&format!("/v1/logs/c%2Fh1%2Fone/files?cursor={next}")).await;
    assert_eq!(names(&serde_json::from_str(&page).unwrap()), ["d/e.log"]);
    // an escaped name in a path, either way
    for path in ["a%20b.log", "a%2520b.log"] {
        assert_eq!(server.text(&format!("/v1/logs/one/files/{path}")).await, "1\n");
    }
}

#[tokio::test]
async fn downloads_are_the_bytes_and_attachments() {
    let server = Server::start().await;
    let bytes: Vec<u8> = (0..1_000_000u32).flat_map(|n| n.to_le_bytes()).collect();
    server.lab.write("x\u{202e}\".log", &bytes);
    server.lab.source("x%E2%80%AE%22.log");
    let path = "/v1/logs/one/files/x%25E2%2580%25AE%2522.log";
    let whole = server.get(path).await;
    assert!(whole.status == 200 && whole.body[..] == bytes[..]);
    let of = |name| whole.header(name).unwrap_or_default().to_owned();
    assert_eq!(of("content-type"), "application/octet-stream");
    assert_eq!(of("content-disposition"), "attachment; filename=\"x_E2_80_AE_22.log\"");
    assert_eq!(
        (of("x-content-type-options").as_str(), of("accept-ranges").as_str()),
        ("nosniff", "bytes")
    );
    let ticket = format!("Bearer {}", server.ticket());
    let ticket = ticket.as_str();
    let part = async |range: &str| {
        server.get_with(path, &[("authorization", ticket), ("range", range)]).await
    };
    let some = part("bytes=300000-300009").await;
    assert_eq!((some.status, &some.body[..]), (206, &bytes[300_000..300_010]));
    assert_eq!(some.header("content-range"), Some("bytes 300000-300009/4000000"));
    assert_eq!(part("bytes=-4").await.body[..], bytes[3_999_996..]);
    assert_eq!(part("bytes=4000000-").await.status, 416);
    assert_eq!(server.live.figures().download_bytes, 4_000_014);
}

#[tokio::test]
async fn text_for_curl_acts_on_no_terminal() {
    let server = Server::start().await;
    server.lab.write("a.log", b"one\n\x1b]0;evil\x07\x1b[31mred\n\xff\n");
    server.lab.source("a.log");
    assert_eq!(
        server.text("/v1/logs/one/tail?file=a.log&lines=2").await,
        "^[]0;evil^G\x1b[31mred\x1b[0m\n<FF>\n"
    );
    let raw = server.get("/v1/logs/one/tail?file=a.log&lines=1&raw=1").await;
    assert_eq!(raw.body[..], b"\xff\n"[..]);
    assert_eq!(server.text("/v1/logs/one/tail?grep=ONE&case=0").await, "one\n");
    assert_eq!(server.text("/v1/logs/one/tail?grep=one&invert=1&lines=1").await, "<FF>\n");
    assert_eq!(raw.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn text_follows_until_the_reader_goes() {
    let server = Server::start().await;
    server.lab.write("a.log", b"one\n");
    server.lab.source("a.log");
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "GET /v1/logs/one/tail?follow=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        server.ticket()
    );
    tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    for line in ["one", "two", "three"] {
        if line != "one" {
            server.lab.append("a.log", format!("{line}\n").as_bytes());
        }
        let heard = async {
            while !String::from_utf8_lossy(&heard).contains(line) {
                tokio::io::AsyncReadExt::read_buf(&mut socket, &mut heard).await.unwrap();
            }
        };
        timeout(DEADLINE, heard).await.unwrap();
    }
    assert_eq!(server.live.figures().viewers, 1);
    drop(socket);
    eventually("its place is free", || server.live.figures().viewers == 0).await;
}

#[tokio::test]
async fn backlog_follow_pause_filter() {
    let server = Server::start().await;
    server.lab.write("a.log", b"1\n2\n3\n");
    server.lab.source("a.log");
    let mut watcher = server.watch("file=a.log&lines=2").await;
    let hello = watcher.frame().await.unwrap();
    assert_eq!(hello.instance, Some(InstanceId::new("one")));
    assert!(matches!(hello.frame, Frame::Hello { offset: 2, size: 6, .. }));
    assert_eq!(watcher.lines_until("3").await, ["2", "3"]);
    watcher.say(r#"{"type":"pause"}"#).await;
    watcher.say(r#"{"type":"shout"}"#).await;
    assert!(
        matches!(watcher.frame().await.unwrap().frame, Frame::Refused { code, .. } if code == "bad_frame")
    );
    server.lab.append("a.log", b"4\n5\n");
    server.lab.source("a.log");
    watcher.say(r#"{"type":"resume"}"#).await;
    assert_eq!(watcher.lines_until("5").await, ["4", "5"]);
    watcher.say(r#"{"type":"filter","grep":"("}"#).await;
    assert!(
        matches!(watcher.frame().await.unwrap().frame, Frame::Refused { code, .. } if code == "bad_filter")
    );
    watcher.say(r#"{"type":"filter","grep":"[24]","lines":9}"#).await;
    assert!(matches!(watcher.frame().await.unwrap().frame, Frame::Filter(_)));
    assert!(matches!(watcher.frame().await.unwrap().frame, Frame::Hello { .. }));
    assert_eq!(watcher.lines_until("4").await, ["2", "4"]);
    server.stop.cancel();
    assert_eq!(watcher.end().await.as_deref(), Some("stopping"));
    timeout(DEADLINE, server.live.ended()).await.unwrap();
}

#[tokio::test]
async fn the_ticket_may_be_the_first_frame_and_ends_the_stream() {
    let server = Server::start().await;
    server.lab.write("a.log", b"1\n");
    server.lab.source("a.log");
    let mut watcher = server.watch_with("", &[]).await.unwrap();
    let soon = server.ticket_of(|t| t.expires = Moment::now().after(Duration::from_millis(600)));
    watcher.say(&format!("{{\"type\":\"ticket\",\"ticket\":\"{soon}\"}}")).await;
    watcher.lines_until("1").await;
    assert_eq!(watcher.end().await.as_deref(), Some("expired"));
    eventually("its place is free", || server.live.figures().viewers == 0).await;
    let mut watcher = server.watch_with("", &[]).await.unwrap();
    watcher.say(r#"{"type":"pause"}"#).await;
    assert_eq!(watcher.end().await.as_deref(), Some("ticket_missing"));
}

#[tokio::test]
async fn what_a_gap_left_out_can_be_asked_for() {
    let server = Server::start().await;
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    server.lab.write("a.log", text.as_bytes());
    server.lab.source("a.log");
    let (mut from, to, mut lines) = (0, text.len() as u64, Vec::new());
    while from < to {
        let path = format!("/v1/logs/one/lines?file=a.log&generation=0&from={from}&to={to}");
        let page: serde_json::Value = serde_json::from_str(&server.text(&path).await).unwrap();
        assert_eq!(page["offset"], from);
        from = page["next"].as_u64().unwrap();
        for frame in page["items"].as_array().unwrap() {
            lines.extend(
                frame["lines"].as_array().unwrap().iter().map(|l| l.as_str().unwrap().to_owned()),
            );
        }
    }
    assert_eq!(lines.join("\n") + "\n", text);
    // looking back, with a filter
    let path = format!("/v1/logs/one/lines?file=a.log&before={to}&lines=2&grep=00$");
    let page: serde_json::Value = serde_json::from_str(&server.text(&path).await).unwrap();
    assert_eq!(page["items"][0]["lines"], serde_json::json!(["line 19800", "line 19900"]));
    assert_eq!(page["next"], to);
    let gone = server.get("/v1/logs/one/lines?file=a.log&generation=3&from=0&to=5").await;
    assert_eq!((gone.status, code(&gone).as_str()), (410, "truncated"));
}
