//! Carbon refusing, stopped, killed, closing in mid-batch, away for an hour; fail-over and back.

use crate::peer::{Manner, Peer};
use crate::support::*;
use common::carbon::{Settings, State};
use common::metric::Batch;
use e2e::graphite::{Graphite, eventually};
use rustix::process::Signal;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[track_caller]
fn all_readable(graphite: &Graphite, instance: &str, timestamp: u64, points: u64) {
    let wanted = usize::try_from(points).unwrap();
    let mut seen = 0;
    let deadline = std::time::Instant::now() + LIMIT;
    eventually(LIMIT + Duration::from_secs(1), "all points readable", || {
        seen = readable(graphite, instance, timestamp, points);
        assert!(std::time::Instant::now() < deadline, "{seen} of {points} are readable");
        (seen == wanted).then_some(())
    });
}

/// An address nobody listens on.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn refusing_at_the_start_then_there() {
    let mut graphite = Graphite::start();
    graphite.stop();
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(settings(&[graphite.line_addr()], dir.path()));
    let timestamp = now();
    running.carbon.submit(&batch("i1", timestamp, 200));
    let status = running.wait("refused", |s| s.state == State::Unreachable);
    assert!(status.sending.last_error.as_deref().unwrap().contains("refused"), "{status:#?}");
    assert_eq!((status.waiting_points, status.acknowledged_points), (200, 0));
    graphite.start_again();
    let status = running.drained();
    assert_eq!((status.state, status.sending.failing_since_ms), (State::Connected, None));
    assert_eq!((status.sending.reconnects, status.sending.failovers), (1, 0));
    all_readable(&graphite, "i1", timestamp, 200);
    running.stop();
}

#[test]
fn stopped_in_mid_batch_then_going_on() {
    let graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(settings(&[graphite.line_addr()], dir.path()));
    let timestamp = now();
    graphite.signal(Signal::STOP);
    // larger than what the kernels between take (4.3 MB): the same 500 series again and again, the last value counts
    let mut large = Batch::default();
    large.restart(timestamp);
    let once = batch("i1", timestamp, 500);
    for _ in 0..200 {
        large.lines.extend_from_slice(&once.lines);
        large.points += once.points;
    }
    assert!(large.lines.len() > 5 << 20);
    running.carbon.submit(&large);
    let status = running.wait("stalled", |s| s.sending.failures > 0);
    assert!(
        status.sending.last_error.as_deref().unwrap().contains("took no more bytes"),
        "{status:#?}"
    );
    assert_eq!(status.acknowledged_points, 0);
    // what the runtime does meanwhile must not wait for it
    running.carbon.submit(&batch("i2", timestamp, 10));
    graphite.signal(Signal::CONT);
    let status = running.drained();
    assert_eq!(status.acknowledged_points - status.replayed_points, 100_010);
    all_readable(&graphite, "i1", timestamp, 500);
    all_readable(&graphite, "i2", timestamp, 10);
}

#[test]
fn a_small_batch_to_a_stopped_carbon_is_not_taken_for_sent() {
    let mut graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(settings(&[graphite.line_addr()], dir.path()));
    let timestamp = now();
    graphite.signal(Signal::STOP);
    running.carbon.submit(&batch("i1", timestamp, 50));
    let status = running.wait("not acknowledged", |s| s.sending.failures > 0);
    assert!(
        status.sending.last_error.as_deref().unwrap().contains("no acknowledgement"),
        "{status:#?}"
    );
    // killed with the bytes unread: the socket alone would never have told
    graphite.signal(Signal::KILL);
    graphite.start_again();
    running.drained();
    all_readable(&graphite, "i1", timestamp, 50);
}

#[test]
fn killed_right_after_the_acknowledgement_and_replayed() {
    let mut graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(settings(&[graphite.line_addr()], dir.path()));
    let timestamp = now();
    // files that are half made when carbon is killed stay so for ever: have them made before
    running.carbon.submit(&batch("i1", timestamp - 10, 500));
    all_readable(&graphite, "i1", timestamp - 10, 500);
    running.carbon.submit(&batch("i1", timestamp, 500));
    running.wait("acknowledged", |s| s.acknowledged_points == 1000);
    graphite.signal(Signal::KILL);
    let status = running.wait("the sentinel saw it", |s| s.sending.replays == 1);
    assert_eq!((status.replayed_points, status.waiting_points), (1000, 1000));
    graphite.start_again();
    let status = running.drained();
    balanced(&status);
    all_readable(&graphite, "i1", timestamp, 500);
}

#[test]
fn closing_in_mid_batch_is_a_failure_and_the_next_destination_takes_it() {
    let graphite = Graphite::start();
    for (manner, error) in [
        (Manner::CloseAfter(1000), "ended before the acknowledgement"),
        (Manner::CloseAfter(0), "ended before the acknowledgement"),
        (Manner::Talk, "never does"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let peer = Peer::start("127.0.0.1:0", manner);
        let to = [peer.address.clone(), graphite.line_addr()];
        let running = Running::start(settings(&to, dir.path()));
        let timestamp = now();
        running.carbon.submit(&batch("i1", timestamp, 3000));
        let status = running.drained();
        assert!(status.sending.last_error.as_deref().unwrap().contains(error), "{status:#?}");
        assert_eq!(status.destination.as_ref(), Some(&to[1]));
        assert_eq!(status.acknowledged_points, 3000);
        balanced(&status);
        assert!(peer.connections.load(Ordering::Relaxed) >= 1);
        all_readable(&graphite, "i1", timestamp, 3000);
    }
}

#[test]
fn back_after_an_hour_oldest_first_and_paced() {
    let graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let address = free_address();
    let rate = 10_000;
    let running = Running::start(Settings {
        drain_rate: rate,
        ..settings(std::slice::from_ref(&address), dir.path())
    });
    let end = now();
    let timestamps: Vec<u64> = (0..360).rev().map(|i| end - i * 10).collect();
    for timestamp in &timestamps {
        running.carbon.submit(&batch("i1", *timestamp, 100));
    }
    let status = running.wait("away", |s| s.state == State::Unreachable);
    assert_eq!(status.waiting_points, 36_000);
    assert!(status.oldest_seconds.is_some_and(|s| (3590..3700).contains(&s)), "{status:#?}");
    let relay = Peer::start(&address, Manner::Relay(graphite.line_addr()));
    running.wait("draining", |s| s.state == State::Draining);
    let status = running.drained();
    balanced(&status);
    let passed = relay.passed.lock().unwrap();
    let lines: Vec<(std::time::Instant, u64)> = passed
        .iter()
        .flat_map(|(at, bytes)| {
            let text = std::str::from_utf8(bytes).unwrap();
            text.lines().map(|l| (*at, l.rsplit(' ').next().unwrap().parse().unwrap()))
        })
        .collect();
    assert_eq!(lines.len(), 36_000);
    assert!(lines.is_sorted_by_key(|(_, timestamp)| *timestamp), "not oldest first");
    // a chunk that starts after n points cannot start before n / rate seconds
    let begin = lines[0].0;
    for (sent, (at, _)) in lines.iter().enumerate().step_by(100) {
        let before: usize = lines[..sent].iter().filter(|(t, _)| t < at).count();
        let least = Duration::from_millis(before as u64 * 1000 / u64::from(rate));
        // the relay's clock starts at the first byte, the sender's before it connects
        assert!(
            *at - begin + Duration::from_millis(100) >= least,
            "{before} points in {:?}",
            *at - begin
        );
    }
    for i in [0, 57, 99] {
        eventually(LIMIT, "an hour without a null", || {
            let points = graphite.points(&path("i1", i), end - 3600, end);
            (points.len() == 360 && points.iter().all(|(_, v)| *v == (i + 1) as f64)).then_some(())
        });
    }
}

#[test]
fn fails_over_and_goes_back() {
    let graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let first = Peer::start("127.0.0.1:0", Manner::Relay(graphite.line_addr()));
    let to = [first.address.clone(), graphite.line_addr()];
    let running = Running::start(Settings {
        probe_every: Duration::from_millis(200),
        ..settings(&to, dir.path())
    });
    let timestamp = now();
    running.carbon.submit(&batch("i1", timestamp, 20));
    let status = running.drained();
    assert_eq!(status.destination.as_ref(), Some(&to[0]));
    drop(first);
    running.carbon.submit(&batch("i2", timestamp, 20));
    let status = running.wait("failed over", |s| s.destination.as_ref() == Some(&to[1]));
    assert_eq!(status.sending.failovers, 1);
    // the first one ended inside the window: the second gets its points too
    running.wait("replayed", |s| s.sending.replays == 1);
    // with what came after them, if that was sent already
    let status = running.drained();
    assert!([20, 40].contains(&status.replayed_points), "{status:#?}");
    balanced(&status);
    let _first = Peer::start(&to[0], Manner::Relay(graphite.line_addr()));
    let mut instance = 3;
    eventually(LIMIT, "back at the first", || {
        running.carbon.submit(&batch(&format!("i{instance}"), timestamp, 20));
        instance += 1;
        let status = running.drained();
        (status.destination.as_ref() == Some(&to[0])).then_some(())
    });
    for i in 1..instance {
        all_readable(&graphite, &format!("i{i}"), timestamp, 20);
    }
}

#[test]
fn a_stop_sends_what_waits_or_leaves_it_in_time() {
    let mut graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let timestamp = now();
    let to = [graphite.line_addr()];
    // held back by the splay, and sent all the same
    let splay = Duration::from_secs(3600);
    let mut running = Running::start(Settings { splay, ..settings(&to, dir.path()) });
    running.carbon.submit(&batch("i1", timestamp, 100));
    running.stop();
    assert_eq!(running.carbon.status().acknowledged_points, 100);
    all_readable(&graphite, "i1", timestamp, 100);
    drop(running);
    // stopped in mid-flush: 5 s, not the two minutes of the time-outs
    graphite.signal(Signal::STOP);
    let slow = Settings { ack_timeout: Duration::from_secs(120), ..settings(&to, dir.path()) };
    let mut running = Running::start(slow);
    running.carbon.submit(&batch("i2", timestamp, 100));
    running.wait("on its way", |s| s.sending.sent_points > 0);
    let asked = std::time::Instant::now();
    running.stop();
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    assert_eq!(
        running.carbon.status().waiting_points,
        200,
        "the window of the last run is sent again too"
    );
    drop(running);
    graphite.signal(Signal::KILL);
    graphite.start_again();
    let running = Running::start(settings(&to, dir.path()));
    running.drained();
    all_readable(&graphite, "i2", timestamp, 100);
}
