//! Live logs through the centre, with played log-agents: instances merged, that come and go, that cannot be read for a while; viewers that
//! are slow, that may not, that may not any more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lab;
#[path = "../played/mod.rs"]
mod played;
#[path = "../served/mod.rs"]
mod served;
mod socket;

use common::container::Health;
use lab::{Lab, Lines, STREAM, two};
use played::LogAgent;
use serde_json::{Value, json};
use served::{Home, container, eventually, facts};

#[test]
fn instances_are_merged_and_come_and_go() {
    let [one, two] = two();
    let lab = Lab::new(&[one.clone(), two.clone()]);
    for (n, text) in [(1, "a\nb\n"), (2, "c\n")] {
        lab.agent.write(&Lab::key(n), "app.log", text);
    }
    let mut frames = lab.frames(&format!("{STREAM}?lines=1"));
    let mut told = Vec::new();
    while told.len() < 2 {
        let frame = frames.frame();
        match frame["type"].as_str().unwrap() {
            "lines" => told.push((frame["instance"].clone(), frame["lines"].clone())),
            "hello" => assert!(frame["expires"].as_str().unwrap().starts_with("9999-"), "{frame}"),
            _ => assert_eq!(frame["type"], "began", "{frame}"),
        }
    }
    told.sort_by_key(|(instance, _)| instance.to_string());
    assert_eq!(told[0], (Lab::id(1).into(), json!(["b"])));
    assert_eq!(told[1], (Lab::id(2).into(), json!(["c"])));
    assert_eq!(lab.agent.users(), ["user:admin", "user:admin"]);

    // one begins, and another ends with its last line told
    let three = container("shop/web", 3, Health::Unknown);
    lab.agent.write(&Lab::key(3), "app.log", "d\n");
    lab.run(&[one, two, three.clone()]);
    let began = frames.expect("began");
    assert_eq!((&began["key"], &began["node"]), (&Lab::key(3).into(), &"n1".into()));
    assert_eq!(frames.expect("lines")["lines"], json!(["d"]));
    lab.agent.write(&Lab::key(1), "app.log", "last words\n");
    lab.agent.end(&Lab::key(1));
    lab.run(&[three]);
    assert_eq!(frames.expect("lines")["lines"], json!(["last words"]));
    let end = frames.expect("end");
    assert_eq!((&end["instance"], &end["why"]), (&Lab::id(1).into(), &"instance_ended".into()));
    lab.agent.write(&Lab::key(3), "app.log", "e\n");
    assert_eq!(frames.expect("lines")["instance"], Value::from(Lab::id(3)));
}

#[test]
fn an_agent_that_is_away_is_told_and_read_on_where_it_was() {
    let mut lab = Lab::new(&two());
    lab.agent.write(&Lab::key(1), "app.log", "a\n");
    let mut frames = lab.frames(&format!("/v1/instances/{}/logs/stream", Lab::id(1)));
    assert_eq!(frames.expect("lines")["next"], 2);
    lab.agent.go();
    let away = frames.expect("away");
    assert!(away["detail"].as_str().unwrap().contains("log-agent closed"), "{away}");
    assert!(away["retry_ms"].is_u64(), "{away}");
    let refused = frames.expect("away");
    assert!(refused["detail"].as_str().unwrap().contains("cannot connect"), "{refused}");
    lab.agent.write(&Lab::key(1), "app.log", "b\n");
    lab.agent.come();
    let hello = frames.expect("hello");
    assert_eq!(hello["offset"], 2, "{hello}");
    let lines = frames.expect("lines");
    assert_eq!((&lines["offset"], &lines["lines"]), (&2.into(), &json!(["b"])));
    let last = lab.agent.asked().pop().unwrap();
    assert!(last.contains(&format!("from={}.0.2", "6170702e6c6f67")), "{last}");
}

#[test]
fn without_a_log_agent_the_stream_says_so_and_waits() {
    let home = Home::new();
    let centre = home.serve();
    assert_eq!(centre.report("n1", &facts(&two()[..1])).status, 200);
    let agent = LogAgent::start(&centre.get("/v1/keys").json());
    let lab = Lab { _home: home, centre, agent };
    let mut frames = lab.frames(STREAM);
    let away = frames.expect("away");
    assert!(away["detail"].as_str().unwrap().contains("no log-agent reports from node n1"));
    let files = format!("/v1/instances/{}/logs/files", Lab::id(1));
    assert_eq!(lab.centre.get(&files).problem(), "502 log_agent_unavailable");
    lab.agent.write(&Lab::key(1), "app.log", "a\n");
    lab.report(&lab.agent.address.to_string());
    assert_eq!(frames.expect("lines")["lines"], json!(["a"]));
    let listed = lab.centre.items(&files);
    assert_eq!((&listed[0]["file"], &listed[0]["size"]), (&"app.log".into(), &2.into()));
}

#[test]
fn text_for_curl_and_the_past_alone() {
    let lab = Lab::new(&two());
    let hostile = "\u{1b}[32mgreen\u{1b}[0m \u{1b}]0;title\u{7}<b>\u{202e}";
    lab.agent.write(&Lab::key(1), "app.log", &format!("1\n2\n3\n4\n5\n{hostile}\n"));
    lab.agent.write(&Lab::key(1), "other", "no\n");
    let mut text = lab.text(&format!("{STREAM}?file=*.log&lines=1"));
    let prefix = format!("{} app.log | ", Lab::id(1));
    let shown = "\u{1b}[32mgreen\u{1b}[0m ^[]0;title^G<b><U+202E>\u{1b}[0m";
    assert_eq!(text.next().unwrap(), format!("{prefix}{shown}"));
    lab.agent.write(&Lab::key(1), "app.log", "more\n");
    assert_eq!(text.next().unwrap(), format!("{prefix}more"));
    let mut raw = lab.text(&format!("{STREAM}?file=app.log&lines=2&raw=1&follow=0"));
    assert_eq!(raw.next().unwrap(), format!("{prefix}{hostile}"));
    assert_eq!(raw.next().unwrap(), format!("{prefix}more"));
    assert_eq!(raw.next(), None);

    // more lines than one answer of the agent has, in order, then the end
    let mut frames = lab.frames(&format!("{STREAM}?file=app.log&lines=5&follow=0"));
    let mut lines = Vec::new();
    let ends: Vec<Value> = std::iter::from_fn(|| frames.next())
        .map(|line| serde_json::from_str::<Value>(&line).unwrap())
        .inspect(|frame| lines.extend(frame["lines"].as_array().cloned().unwrap_or_default()))
        .filter(|frame| frame["type"] == "end")
        .collect();
    assert_eq!(lines, ["3", "4", "5", hostile, "more"]);
    let why: Vec<&str> = ends.iter().map(|end| end["why"].as_str().unwrap()).collect();
    assert_eq!(why, ["complete", "complete", "complete"], "two instances and the stream: {ends:?}");
    assert!(ends[2]["instance"].is_null());
}

#[test]
fn an_instance_that_ended_is_read_as_long_as_its_files_are_kept() {
    let lab = Lab::new(&two());
    lab.agent.write(&Lab::key(1), "app.log", "last words\n");
    lab.run(&two()[1..]);
    lab.agent.end(&Lab::key(1));
    let of_instance = format!("/v1/instances/{}/logs/stream", Lab::id(1));
    let mut frames = lab.frames(&of_instance);
    assert_eq!(frames.expect("lines")["lines"], json!(["last words"]));
    let end = frames.expect("end");
    assert_eq!((&end["why"], &end["instance"]), (&"instance_ended".into(), &Value::Null));
    assert_eq!(frames.next(), None);
    let mut text = lab.text(&format!("{STREAM}?ended=1&follow=0"));
    assert_eq!(text.next(), Some(format!("{} app.log | last words", Lab::id(1))));

    // nothing is kept of this one
    lab.agent.forget(&Lab::key(1));
    let mut frames = lab.frames(&of_instance);
    let end = frames.expect("end");
    assert_eq!((&end["why"], &end["instance"]), (&"gone".into(), &Value::Null));
    assert!(end["detail"].as_str().unwrap().contains("no such instance"), "{end}");
    assert_eq!(frames.next(), None);
}

#[test]
fn who_may_not_is_told_nothing() {
    let lab = Lab::new(&two());
    lab.agent.write(&Lab::key(1), "app.log", "secret\n");
    let get = |token: &str, path: &str| {
        lab.centre.ask("GET", path, &[("authorization", token)], b"").problem()
    };
    let foreign = lab.token(&json!({"name": "f", "role": "viewer", "apps": ["video/**"]}));
    let node = lab.token(&json!({"name": "n", "node": "n1"}));
    let of_instance = format!("/v1/instances/{}/logs/stream", Lab::id(1));
    let files = format!("/v1/instances/{}/logs/files", Lab::id(1));
    for path in [STREAM, &format!("{STREAM}?ended=1"), &of_instance, &files] {
        assert_eq!(get(&foreign, path), "404 not_found", "{path}");
        assert_eq!(get(&node, path), "403 role_needed", "{path}");
        assert_eq!(
            lab.centre.ask_without_token("GET", path, &[], b"").problem(),
            "401 token_missing"
        );
    }
    let admin = format!("Bearer {}", lab.centre.token);
    for (query, code) in [
        ("?grep=(", "400 bad_query"),
        ("?lines=100001", "400 bad_query"),
        ("?follow=2", "400 bad_query"),
        ("?ticket=x", "400 bad_query"),
    ] {
        assert_eq!(get(&admin, &format!("{STREAM}{query}")), code, "{query}");
    }
    assert_eq!(get(&admin, "/v1/apps/none/logs/stream"), "404 not_found");
    assert_eq!(lab.agent.users().len(), 0, "no agent was asked for any of them");
}

#[test]
fn a_stream_ends_with_its_token_and_is_in_the_audit_log() {
    let lab = Lab::new(&two());
    let viewer = lab.token(&json!({"name": "v", "role": "viewer", "apps": ["shop/*"]}));
    lab.agent.write(&Lab::key(1), "app.log", "a\n");
    let mut frames = lab.open(STREAM, "application/x-ndjson", &viewer);
    frames.expect("lines");
    assert!(lab.agent.users().iter().all(|user| user == "user:v"));
    let audit = lab.centre.items("/v1/audit");
    assert_eq!(
        (&audit[0]["action"], &audit[0]["subject"]),
        (&"logs_relayed".into(), &"shop/web".into())
    );
    assert_eq!(lab.centre.ask("DELETE", "/v1/tokens/v", &[], b"").status, 204);
    let end = frames.expect("end");
    assert_eq!((&end["why"], &end["instance"]), (&"token_revoked".into(), &Value::Null));
    assert_eq!(frames.next(), None);
}

#[test]
fn a_token_has_so_many_streams_and_no_more() {
    let lab = Lab::new(&two());
    let viewer = lab.token(&json!({"name": "v", "role": "viewer"}));
    let mut open: Vec<Lines> =
        (0..32).map(|_| lab.open(STREAM, "application/x-ndjson", &viewer)).collect();
    let one_more = || lab.centre.ask("GET", STREAM, &[("authorization", &viewer)], b"");
    let refused = one_more();
    assert_eq!(refused.problem(), "429 too_many_streams");
    assert_eq!(refused.header("retry-after"), Some("10"));
    open.pop();
    // the centre notices when it has something to say
    eventually("a place", || {
        lab.agent.write(&Lab::key(1), "app.log", "x\n");
        let figures = String::from_utf8(lab.centre.get("/metrics").body).unwrap();
        figures.contains("qae_api_relay_open 31\n").then_some(())
    });
    lab.open(STREAM, "application/x-ndjson", &viewer);
}
