//! What viewers get who do not.

use super::*;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn nothing_leads_out_of_the_volume() {
    let server = Server::start().await;
    let secret = server.lab.dir.path().join("secret.log");
    std::fs::write(&secret, "secret\n").unwrap();
    symlink(&secret, server.lab.path("link.log")).unwrap();
    symlink("..", server.lab.path("up")).unwrap();
    std::fs::hard_link(&secret, server.lab.path("hard.log")).unwrap();
    server.lab.write("a.log", b"1\n");
    server.lab.source("a.log");
    let ways = [
        "../secret.log",
        "..%2Fsecret.log",
        "%2e%2e/secret.log",
        "%252e%252e%252fsecret.log",
        "up/secret.log",
        "link.log",
        "hard.log",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "a.log/../../secret.log",
        "a.log%00",
        "./a.log/",
        "....//secret.log",
        "%FF%FE",
        "..%5csecret.log",
        "%25%32%65%25%32%65/secret.log",
    ];
    for way in ways {
        let answer = server.get(&format!("/v1/logs/one/files/{way}")).await;
        assert!(matches!(answer.status, 400 | 404), "{way}: {}", answer.status);
        for what in ["tail?lines=9&file=", "lines?before=9&file=", "lines?before=9&source="] {
            let answer = server.get(&format!("/v1/logs/one/{what}{way}")).await;
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!body.contains("secret\n") && !body.contains("root:"), "{what}{way}: {body}");
        }
        let query = format!("file={way}");
        let protocols = format!("{PROTOCOL}, {PROTOCOL_TICKET}{}", server.ticket());
        if let Ok(mut watcher) =
            server.watch_with(&query, &[("sec-websocket-protocol", &protocols)]).await
        {
            let first = watcher.frame().await.unwrap().frame;
            assert!(matches!(first, Frame::Waiting { .. }), "{way}: {first:?}");
        }
    }
    for instance in
        ["..", "%2e%2e", "one%2F..", "c%2Fh1%2F..%2Fone", "c%2Fh2%2Fone", "two", "", "%00"]
    {
        let answer = server.get(&format!("/v1/logs/{instance}/files")).await;
        assert_eq!(answer.status, 404, "{instance}");
    }
}

#[tokio::test]
async fn only_a_ticket_that_is_good_for_it() {
    let server = Server::start().await;
    for name in ["a.log", "b.txt"] {
        server.lab.write(name, b"1\n");
        server.lab.source(name);
    }
    let good = server.ticket();
    let other = SigningKey::from_seed(&[8; 32]);
    let forged = {
        let (head, signature) = good.rsplit_once('.').unwrap();
        let (start, payload) = head.rsplit_once('.').unwrap();
        let flipped =
            payload.replacen(&payload[9..10], if &payload[9..10] == "A" { "B" } else { "A" }, 1);
        format!("{start}.{flipped}.{signature}")
    };
    let now = Moment::now();
    let foreign_key = {
        let ticket = Ticket {
            id: "t".into(),
            user: "u".into(),
            instances: vec!["c/h1/one".into()],
            files: "**".into(),
            rights: vec![Right::Read],
            issued: now,
            expires: Moment::LAST,
        };
        sign(&ticket, &other)
    };
    for (ticket, status, wanted) in [
        ("qtk1.a.b.c".into(), 401, "ticket_malformed"),
        ("x".repeat(40_000), 401, "ticket_malformed"),
        (forged, 401, "ticket_signature"),
        (foreign_key, 401, "ticket_key_unknown"),
        (server.ticket_of(|t| t.expires = now), 401, "ticket_expired"),
        (
            server.ticket_of(|t| t.issued = now.after(Duration::from_secs(999))),
            401,
            "ticket_not_yet",
        ),
        (server.ticket_of(|t| t.instances = vec!["c/h2/one".into()]), 404, "not_found"),
        (server.ticket_of(|t| t.instances = vec!["c/h1/two".into()]), 404, "not_found"),
        (server.ticket_of(|t| t.instances.clear()), 404, "not_found"),
    ] {
        let bearer = format!("Bearer {ticket}");
        let headers = [("authorization", bearer.as_str())];
        for path in ["files", "files/a.log", "tail", "lines?file=a.log&before=2"] {
            let answer = server.get_with(&format!("/v1/logs/one/{path}"), &headers).await;
            assert_eq!(
                (answer.status, code(&answer).as_str()),
                (status, wanted),
                "{path} {ticket:.60}"
            );
        }
        assert_eq!(refused(server.watch_with("", &headers).await), (status, wanted.to_owned()));
    }
    let missing = server.get_with("/v1/logs/one/files", &[]).await;
    assert_eq!((missing.status, code(&missing).as_str()), (401, "ticket_missing"));
    assert!(missing.header("www-authenticate").is_some());
    let in_query = server.get_with(&format!("/v1/logs/one/tail?ticket={good}"), &[]).await;
    assert_eq!((in_query.status, code(&in_query).as_str()), (400, "ticket_in_query"));
    // the files and rights of the ticket
    let narrow = server.ticket_of(|t| (t.files, t.rights) = ("*.log".into(), vec![Right::Read]));
    let bearer = format!("Bearer {narrow}");
    let headers = [("authorization", bearer.as_str())];
    let list = server.get_with("/v1/logs/one/files", &headers).await;
    let list = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(list.contains("a.log") && !list.contains("b.txt"));
    for path in ["files/a.log", "files/b.txt", "lines?file=b.txt&before=2"] {
        let answer = server.get_with(&format!("/v1/logs/one/{path}"), &headers).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let mut watcher = server.watch_with("file=b.txt", &headers).await.unwrap();
    assert!(matches!(watcher.frame().await.unwrap().frame, Frame::Waiting { .. }));
    assert!(server.live.figures().refused["ticket_expired"] >= 5);
}

#[tokio::test]
async fn pages_of_others_are_refused() {
    let server = Server::start().await;
    server.lab.write("a.log", b"1\n");
    let bearer = format!("Bearer {}", server.ticket());
    let own = format!("http://{}", server.address);
    for (origin, status) in [
        ("http://evil.example", 403),
        ("null", 403),
        ("https://qae.example.evil", 403),
        ("file://", 403),
        ("https://qae.example", 101),
        (own.as_str(), 101),
    ] {
        let headers = [("authorization", bearer.as_str()), ("origin", origin)];
        assert_eq!(refused(server.watch_with("", &headers).await).0, status, "{origin}");
        // before the ticket is even looked at
        let alone = [("origin", origin)];
        assert_eq!(refused(server.watch_with("", &alone).await).0, status, "{origin}");
        if status == 403 {
            let answer = server.get_with("/v1/logs/one/tail", &headers).await;
            assert_eq!(code(&answer), "foreign_page");
        }
    }
}

#[tokio::test]
async fn frames_that_are_too_large_or_too_many() {
    let server = Server::start().await;
    server.lab.write("a.log", b"1\n");
    server.lab.source("a.log");
    let mut huge = server.watch("file=a.log").await;
    huge.lines_until("1").await;
    // a server that refuses it may close before all of it is sent
    drop(huge.socket.send(Message::text("x".repeat(10 << 20))).await);
    huge.end().await;
    let mut many = server.watch("file=a.log").await;
    many.lines_until("1").await;
    for _ in 0..200 {
        if many.socket.send(Message::text("{\"type\":\"resume\"}")).await.is_err() {
            break;
        }
    }
    assert_eq!(many.end().await.as_deref(), Some("too_many_frames"));
    let mut binary = server.watch("file=a.log").await;
    binary.lines_until("1").await;
    binary.socket.send(Message::binary(vec![0xff; 100])).await.unwrap();
    assert!(matches!(binary.frame().await.unwrap().frame, Frame::Refused { .. }));
    for bomb in ["((a{100}){100}){100}", "(", &"x".repeat(2_000)] {
        let query = format!("grep={}", bomb.replace('{', "%7B").replace('}', "%7D"));
        let protocols = format!("{PROTOCOL}, {PROTOCOL_TICKET}{}", server.ticket());
        let headers = [("sec-websocket-protocol", protocols.as_str())];
        assert_eq!(refused(server.watch_with(&query, &headers).await), (400, "bad_filter".into()));
    }
    for query in ["lines=1&lines=2", "lines=-1", "x=1", "from=1.2.3", "case=yes"] {
        let protocols = format!("{PROTOCOL}, {PROTOCOL_TICKET}{}", server.ticket());
        let headers = [("sec-websocket-protocol", protocols.as_str())];
        assert_eq!(refused(server.watch_with(query, &headers).await), (400, "bad_query".into()));
    }
    drop((huge, many, binary));
    eventually("their places are free", || server.live.figures().viewers == 0).await;
}

#[tokio::test]
async fn no_more_viewers_than_there_are_places() {
    let server = Server::with(Limits { ticket: 3, instance: 4, node: 10 }).await;
    server.lab.write("a.log", b"1\n");
    server.lab.source("a.log");
    let mut watchers = Vec::new();
    for _ in 0..3 {
        watchers.push(server.watch("").await);
    }
    let again = format!("{PROTOCOL}, {PROTOCOL_TICKET}{}", server.ticket());
    let headers = [("sec-websocket-protocol", again.as_str())];
    assert_eq!(refused(server.watch_with("", &headers).await), (429, "too_many_viewers".into()));
    watchers.clear();
    eventually("places come back", || server.live.figures().viewers == 0).await;
    server.watch("").await.lines_until("1").await;
}

/// A hundred viewers that read nothing, of a file that is written without end: nothing grows, nobody else waits.
#[tokio::test]
async fn slow_readers_by_the_hundred() {
    let server = Server::start().await;
    server.lab.write("a.log", b"begin\n");
    server.lab.source("a.log");
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(server.watch("file=a.log").await);
    }
    let mut quick = server.watch("file=a.log").await;
    quick.lines_until("begin").await;
    let line = format!("{}\n", "x".repeat(999));
    let before = common::own::Own::read().resident.unwrap();
    for round in 0..30 {
        server.lab.append("a.log", line.repeat(1_000).as_bytes());
        server.lab.append("a.log", format!("round {round}\n").as_bytes());
        quick.lines_until(&format!("round {round}")).await;
    }
    let grown = common::own::Own::read().resident.unwrap().saturating_sub(before);
    assert!(grown < 100 << 20, "{} MiB more for 30 MB of log", grown >> 20);
    // who begins to read again is told what it missed, and goes on at the end
    let last = slow.last_mut().unwrap();
    let (mut gaps, mut bytes) = (0, 0);
    while let Some(told) = last.frame().await {
        match told.frame {
            Frame::Gap { bytes: more, why, lines, .. } => {
                assert!(why == "slow" && lines.is_some());
                (gaps, bytes) = (gaps + 1, bytes + more);
            }
            Frame::Lines { lines, .. } if lines.last().is_some_and(|l| l == "round 29") => break,
            _ => {}
        }
    }
    assert!(gaps >= 1 && bytes > 10 << 20, "{gaps} gaps of {bytes} bytes");
    assert!(server.live.figures().gaps >= 1);
}
