//! Marathon: its lists, its stream of events, and the addresses that it redirects to.
#![no_main]

use api::reconcile::{ListedTask, Listing};
use api::schedulers::marathon::frames::{Frame, Frames};
use api::schedulers::marathon::hosts::Hosts;
use api::schedulers::marathon::ledger::Ledger;
use api::schedulers::marathon::{translate, wire};
use common::api_types::InstanceState;
use common::http::Url;
use common::moment::Moment;
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

fuzz_target!(|data: &[u8]| {
    let [list, stream] = fuzz::pieces(data);
    let now = Moment::from_unix_ms(1_600_000_000_000);
    let mut ledger = Ledger::default();
    if let Ok(apps) = wire::read_apps(list) {
        let tasks = wire::read_tasks(list).unwrap_or_default();
        let apps = translate::apps(wire::with_tasks(apps, tasks), &mut 0);
        ledger.asked();
        ledger.listed(apps, now);
    }
    let listed = live(&ledger, now);
    // however the stream is cut, its events are the same
    let whole = events(&[stream], 1 << 16);
    let small: Vec<&[u8]> = stream.chunks(stream.len() / 16 + 1).collect();
    assert_eq!(whole, events(&small, 1 << 16));
    for frame in events(&small, 64) {
        assert!(!matches!(frame, Frame::Event(data) if data.len() > 64));
    }
    for frame in whole {
        let Frame::Event(data) = frame else { continue };
        let event = wire::read_event(&data).unwrap_or(wire::Event::All);
        ledger.hear(event, now);
    }
    assert!(live(&ledger, now).is_subset(&listed), "an event revived a task");
    if let Ok(text) = std::str::from_utf8(data) {
        redirects(text);
    }
});

fn events(pieces: &[&[u8]], longest: usize) -> Vec<Frame> {
    let (mut frames, mut out) = (Frames::new(longest), Vec::new());
    pieces.iter().for_each(|piece| frames.push(piece, |frame| out.push(frame)));
    out
}

/// Ids of the tasks that live; all of them are within bounds.
fn live(ledger: &Ledger, at: Moment) -> HashSet<String> {
    let listing = Listing { cluster: "m".into(), dc: "dc1".into(), at };
    let facts = ledger.facts(listing);
    for app in &facts.apps {
        fuzz::path(&app.id.component());
        let labels: usize = app.labels.iter().map(|(k, v)| k.len() + v.len()).sum();
        assert!(labels <= 32 << 10, "{labels} bytes of labels");
    }
    facts.tasks.iter().for_each(bounded);
    let live = facts.tasks.iter().filter(|task| task.state != InstanceState::Ended);
    live.map(|task| task.id.to_string()).collect()
}

fn bounded(task: &ListedTask) {
    fuzz::path(&task.app.component());
    fuzz::path(&task.id.component());
    assert!(task.backends.len() <= 256);
    for backend in &task.backends {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"._-:[]".contains(&b);
        assert!(backend.address.bytes().all(token), "{:?}", backend.address);
        assert!(!backend.address.is_empty() && backend.port > 0);
    }
}

/// Whatever is announced and wherever it points: only the cluster's servers are followed to.
fn redirects(text: &str) {
    let (leader, location) = text.split_once('\n').unwrap_or((text, text));
    let configured = Url::parse("https://m1:8443/").expect("a URL");
    let mut hosts = Hosts::new(vec![configured.clone()]);
    if let Ok(to) = hosts.redirect(&configured, location) {
        assert!(to.host().eq_ignore_ascii_case("m1") && to.port() == 8443 && to.tls(), "{to}");
    }
    hosts.announce(&configured, leader);
    if let Ok(to) = hosts.redirect(&configured, location) {
        assert!(to.tls(), "{to} leaves TLS");
    }
}
