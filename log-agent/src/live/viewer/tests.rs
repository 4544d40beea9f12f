//! Viewers of real files, put together again as a client does.

mod client;

use super::*;
use crate::live::testing::{DEADLINE, Lab, volume};
use client::Client;
use common::api_types::live::{Filter, Told};
use common::ids::{AppId, NodeName};
use common::moment::Moment;
use common::ticket::{Right, Ticket};
use std::fs;
use tokio::time::timeout;

fn asked(files: &[&str], lines: u32, grep: &str) -> Asked {
    let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
    let ticket = Ticket {
        id: "t".into(),
        user: "u".into(),
        instances: vec!["c/one".into()],
        files: "**".into(),
        rights: vec![Right::Read],
        issued: Moment::from_unix_ms(0),
        expires: Moment::LAST,
    };
    let filter = Filter { grep: grep.into(), invert: false, case: true };
    Asked {
        instance: InstanceKey { id: InstanceId::new("one"), app: AppId::new("shop/web") },
        wanted: Wanted::new(&files).unwrap(),
        access: Access::new(ticket, &NodeName::new("h"), "one").unwrap(),
        filter: Arc::new(LineFilter::new(filter).unwrap()),
        lines,
        from: Vec::new(),
        form: Form::Json,
        follow: true,
    }
}

#[tokio::test]
async fn backlog_then_what_comes_without_a_seam() {
    let lab = Lab::new();
    lab.write("a.log", b"1\n2\n3\n");
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 2, ""));
    client.until(|c| c.has("3\n")).await;
    let mut wanted = "2\n3\n".to_owned();
    for n in 4..300 {
        lab.append("a.log", format!("{n}\n").as_bytes());
        wanted.push_str(&format!("{n}\n"));
        if n % 7 == 0 {
            client.until(|c| c.has(&format!("{n}\n"))).await;
        }
    }
    client.until(|c| c.has("299\n")).await;
    assert_eq!(client.text(), wanted);
    assert!(matches!(client.told[0], Frame::Hello { offset: 2, .. }));
}

#[tokio::test]
async fn who_is_interrupted_while_it_reads_misses_nothing() {
    let lab = Lab::new();
    lab.write("a.log", b"0\n");
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 1, ""));
    client.until(|c| c.has("0\n")).await;
    let mut wanted = "0\n".to_owned();
    let source = lab.source("a.log");
    for n in 1..50 {
        let line = format!("{n}\n");
        lab.append("a.log", line.as_bytes());
        wanted.push_str(&line);
        let mut tide = source.changed();
        let grown = tide.wait_for(|tide| tide.len == wanted.len() as u64);
        timeout(DEADLINE, grown).await.unwrap().unwrap();
        // polled once, up to where the file is read, and dropped: as by a ping, or by a word of the client
        if let Ok(Some(out)) = timeout(Duration::ZERO, client.viewer.next()).await {
            let told: Told = serde_json::from_slice(out.encoded.bytes()).unwrap();
            client.hear(&told.frame);
        }
        // nothing is written after it: it has to come by itself
        client.until(|c| c.has(&line)).await;
    }
    assert_eq!(client.text(), wanted);
}

#[tokio::test]
async fn a_line_without_an_end_is_shown_and_goes_on() {
    let lab = Lab::new();
    lab.write("a.log", b"begun");
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 10, ""));
    client.until(|c| c.has("begun")).await;
    lab.append("a.log", b" and done\nnext\n");
    client.until(|c| c.has("next\n")).await;
    assert_eq!(client.text(), "begun and done\nnext\n");
}

#[tokio::test]
async fn renamed_and_made_again() {
    let lab = Lab::new();
    lab.write("a.log", b"1\n");
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 10, ""));
    client.until(|c| c.has("1\n")).await;
    lab.append("a.log", b"2\n");
    fs::rename(lab.path("a.log"), lab.path("a.log.1")).unwrap();
    lab.append("a.log.1", b"3\n");
    lab.write("a.log", b"4\n");
    client.until(|c| c.has("4\n") && c.has("3\n")).await;
    lab.append("a.log.1", b"late\n");
    client.until(|c| c.has("late\n")).await;
    assert!(client.has("1\n2\n3\nlate\n"));
    let rotated = |f: &Frame| matches!(f, Frame::Rotated { was, .. } if was == "a.log");
    assert_eq!(client.told.iter().filter(|f| rotated(f)).count(), 1);
    fs::remove_file(lab.path("a.log.1")).unwrap();
    client.until(|c| c.told.iter().any(|f| matches!(f, Frame::Deleted { .. }))).await;
}

#[tokio::test]
async fn truncated_in_place() {
    let lab = Lab::new();
    lab.write("a.log", b"one\ntwo\n");
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 10, ""));
    client.until(|c| c.has("two\n")).await;
    lab.write("a.log", b"uno\n");
    client.until(|c| c.has("uno\n")).await;
    assert_eq!(client.text(), "one\ntwo\nuno\n");
    assert!(client.told.iter().any(|f| matches!(f, Frame::Truncated { of } if of.generation == 1)));
}

#[tokio::test]
async fn files_that_come_later_and_no_other_instance_s() {
    let lab = Lab::new();
    fs::create_dir(lab.dir.path().join("other")).unwrap();
    let volumes = vec![volume(&lab.path(""), "one"), volume(&lab.dir.path().join("other"), "two")];
    lab.files.set_volumes(Arc::new(volumes));
    fs::write(lab.dir.path().join("other/x.log"), "foreign\n").unwrap();
    let mut client = Client::new(&lab, asked(&["*.log", "d/e.log"], 10, ""));
    assert!(matches!(client.one().await, Some(Frame::Waiting { .. })));
    lab.write("x.log", b"own\n");
    client.until(|c| c.has("own\n")).await;
    fs::create_dir(lab.path("d")).unwrap();
    lab.write("d/e.log", b"deep\n");
    client.until(|c| c.has("deep\n")).await;
    assert!(!client.has("foreign"));
}

#[tokio::test]
async fn filters_find_the_last_that_fit_and_change() {
    let lab = Lab::new();
    let text: String = (0..5_000).map(|n| format!("line {n}\n")).collect();
    lab.write("a.log", text.as_bytes());
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 3, "00$"));
    client.until(|c| c.has("4900\n")).await;
    assert_eq!(client.text(), "line 4700\nline 4800\nline 4900\n");
    lab.append("a.log", b"no\nyes 00\n");
    client.until(|c| c.has("yes")).await;
    assert!(!client.has("no\n"));
    // another one, from the beginning
    let other = Filter { grep: "LINE 1$".into(), invert: false, case: false };
    client.viewer.filter(Arc::new(LineFilter::new(other).unwrap()), Some(5));
    client.until(|c| c.text() == "line 1\n").await;
    let told = client.told.iter().filter(|f| matches!(f, Frame::Filter(_) | Frame::Hello { .. }));
    assert_eq!(told.count(), 3);
}

#[tokio::test]
async fn who_is_too_slow_is_told_what_is_left_out() {
    let lab = Lab::new();
    lab.write("a.log", b"first\n");
    let source = lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 10, ""));
    client.until(|c| c.has("first\n")).await;
    let line = format!("{}\n", "x".repeat(99));
    lab.append("a.log", line.repeat(60_000).as_bytes());
    lab.append("a.log", b"last\n");
    lab.source_of("a.log", 6 + 6_000_000 + 5);
    client.until(|c| c.has("last\n")).await;
    let gaps = client.told.iter().filter_map(|f| match f {
        Frame::Gap { from, bytes, lines, why, .. } => Some((*from, *bytes, *lines, why.clone())),
        _ => None,
    });
    let gaps: Vec<_> = gaps.collect();
    assert_eq!(gaps.len(), 1);
    let (from, bytes, lines, why) = &gaps[0];
    assert_eq!((*from, why.as_str()), (6, "slow"));
    assert_eq!(bytes % 100, 0);
    assert_eq!(*lines, Some(bytes / 100));
    assert!(*bytes > 5_000_000 && client.text().len() < 100_000, "{bytes}");
    drop(source);
}

#[tokio::test]
async fn paused_and_gone_on_loses_nothing_or_says_so() {
    let lab = Lab::new();
    lab.write("a.log", b"1\n");
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 10, ""));
    client.until(|c| c.has("1\n")).await;
    lab.append("a.log", b"2\n3\n");
    lab.source("a.log");
    client.viewer.resume(false);
    client.until(|c| c.has("3\n")).await;
    lab.append("a.log", "x\n".repeat(50_000).as_bytes());
    lab.source("a.log");
    client.viewer.resume(true);
    client.until(|c| c.told.iter().any(|f| matches!(f, Frame::Gap { .. }))).await;
    let seen = client.files.values().next().unwrap().next;
    assert!(seen >= 100_006 - crate::live::read::TAIL && client.text().starts_with("1\n2\n3\n"));
}

#[tokio::test]
async fn it_goes_on_where_a_lost_connection_was() {
    let lab = Lab::new();
    lab.write("a.log", b"1\n2\n3\n");
    lab.source("a.log");
    let mut client = Client::new(&lab, asked(&["a.log"], 1, ""));
    client.until(|c| c.has("3\n")).await;
    let (source, seen) = client.files.pop_first().unwrap();
    lab.append("a.log", b"4\n5\n");
    let from = From { source: source.clone(), generation: 0, offset: seen.next };
    let mut again = Client::new(&lab, Asked { from: vec![from], ..asked(&["a.log"], 1, "") });
    again.until(|c| c.has("5\n")).await;
    assert_eq!(again.text(), "4\n5\n");
    // of a generation that is no more
    lab.write("a.log", b"new\n");
    again.until(|c| c.has("new\n")).await;
    let from = From { source, generation: 0, offset: 4 };
    let mut third = Client::new(&lab, Asked { from: vec![from], ..asked(&["a.log"], 1, "") });
    third.until(|c| c.has("new\n")).await;
    assert!(matches!(third.told[0], Frame::Truncated { .. }));
}

#[tokio::test]
async fn an_ended_instance_ends_the_stream() {
    let lab = Lab::new();
    lab.write("a.log", b"1\nlast words");
    lab.source("a.log");
    let mut ended = volume(&lab.path(""), "one");
    ended.ended_at = Some(Moment::now());
    lab.files.set_volumes(Arc::new(vec![ended]));
    let mut client = Client::new(&lab, asked(&[], 10, ""));
    while client.one().await.is_some() {}
    assert_eq!(client.text(), "1\nlast words\n");
    assert!(matches!(client.told.last(), Some(Frame::End { why, .. }) if why == "instance_ended"));
}

#[tokio::test]
async fn without_following_it_ends_at_the_end() {
    let lab = Lab::new();
    lab.write("a.log", b"1\n2");
    lab.write("b.log", b"3\n");
    lab.source("a.log");
    lab.source("b.log");
    let form = Form::Text;
    let asked = Asked { form, follow: false, ..asked(&[], 10, "") };
    let mut viewer = Viewer::new(Arc::new(Room::new(lab.files.clone())), asked);
    let mut text = Vec::new();
    while let Some(out) = timeout(DEADLINE, viewer.next()).await.unwrap() {
        text.extend_from_slice(out.encoded.bytes());
    }
    assert_eq!(String::from_utf8(text).unwrap(), "==> a.log <==\n1\n2\n==> b.log <==\n3\n");
}

#[tokio::test]
async fn viewers_at_the_end_share_their_frames() {
    let lab = Lab::new();
    lab.write("a.log", b"1\n");
    lab.source("a.log");
    let room = Arc::new(Room::new(lab.files.clone()));
    let mut clients: Vec<Client> =
        (0..20).map(|_| Client::in_room(room.clone(), asked(&["a.log"], 1, ""))).collect();
    for n in 2..6 {
        for client in &mut clients {
            client.until(|c| c.has(&format!("{}\n", n - 1))).await;
        }
        lab.append("a.log", format!("{n}\n").as_bytes());
        lab.source("a.log");
    }
    let shared = room.sharing.shared.load(std::sync::atomic::Ordering::Relaxed);
    assert!(shared >= 19 * 3, "{shared}");
}

#[tokio::test]
async fn who_is_behind_takes_every_frame_that_others_made() {
    let lab = Lab::new();
    lab.write("a.log", b"1\n");
    lab.source("a.log");
    let room = Arc::new(Room::new(lab.files.clone()));
    let client = || Client::in_room(room.clone(), asked(&["a.log"], 1, ""));
    let (mut ahead, mut behind) = (client(), client());
    behind.until(|c| c.has("1\n")).await;
    ahead.until(|c| c.has("1\n")).await;
    for n in 2..9 {
        lab.append("a.log", format!("{n}\n").as_bytes());
        ahead.until(|c| c.has(&format!("{n}\n"))).await;
    }
    // each of these ended where the file did then; nothing is written any more
    behind.until(|c| c.has("8\n")).await;
    assert_eq!(behind.text(), ahead.text());
    assert!(room.sharing.shared.load(std::sync::atomic::Ordering::Relaxed) >= 7);
}

#[tokio::test]
async fn no_more_files_than_a_stream_may_have() {
    let lab = Lab::new();
    for n in 0..FILES + 10 {
        lab.write(&format!("{n:03}.log"), b"1\n");
    }
    for n in 0..FILES + 10 {
        lab.source(&format!("{n:03}.log"));
    }
    let mut client = Client::new(&lab, asked(&["*.log"], 1, ""));
    client.until(|c| c.files.len() == FILES).await;
    assert!(matches!(client.told[0], Frame::LeftOut { files: 10 }));
}
