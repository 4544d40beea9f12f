//! Every form arrives and can be read, with the retention and aggregation of packaging/graphite.

use crate::support::*;
use common::carbon::{Carbon, Protocol, Settings, State};
use common::metric::{Batch, Name, Style, Value};
use e2e::graphite::{Graphite, eventually};
use std::time::Duration;

fn figures(style: Style, timestamp: u64) -> Batch {
    let series = series(style, "i1");
    let mut batch = Batch::default();
    batch.restart(timestamp);
    batch.push(&series, Name::from("cpu.percent"), Value::Float(49.8765));
    batch.push(&series, Name::from("cpu.usage_seconds_total"), Value::Nanos(1_500_000_001));
    batch.push(&series, Name::from("memory.usage_bytes"), Value::Int(1 << 40));
    batch.push(&series, Name::from("memory.peak_bytes"), Value::Int(1 << 41));
    batch
}

const WANTED: [(&str, f64); 4] = [
    ("cpu.percent", 49.8765),
    ("cpu.usage_seconds_total", 1.500_000_001),
    ("memory.usage_bytes", 1_099_511_627_776.0),
    ("memory.peak_bytes", 2_199_023_255_552.0),
];

#[track_caller]
fn reads(graphite: &Graphite, target: &str, timestamp: u64, value: f64) {
    eventually(LIMIT, target, || {
        let points = graphite.points(target, timestamp - 10, timestamp);
        points.contains(&(timestamp, value)).then_some(())
    });
}

#[test]
fn plaintext_pickle_and_tags_arrive_and_are_kept_as_packaged() {
    let graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let timestamp = now();
    let plain = Running::start(settings(&[graphite.line_addr()], &dir.path().join("plain")));
    let pickle = Running::start(Settings {
        protocol: Protocol::Pickle,
        ..settings(&[graphite.pickle_addr()], &dir.path().join("pickle"))
    });
    plain.carbon.submit(&figures(Style::Path, timestamp));
    pickle.carbon.submit(&figures(Style::Path, timestamp - 10));
    plain.carbon.submit(&figures(Style::Tags, timestamp));
    pickle.carbon.submit(&figures(Style::Tags, timestamp - 10));
    // more than a frame, more than a record
    pickle.carbon.submit(&batch("many", timestamp, 4000));
    for running in [&plain, &pickle] {
        let status = running.drained();
        assert_eq!((status.state, status.sending.failures), (State::Connected, 0), "{status:#?}");
        assert_eq!(status.sending.refused_lines + status.damaged_records, 0);
        balanced(&status);
    }
    for (metric, value) in WANTED {
        let tagged = format!("seriesByTag('name={metric}','app=shop/web','inst=i1')");
        for target in [format!("qae.dc1.app.shop_web.inst.i1.{metric}"), tagged] {
            reads(&graphite, &target, timestamp, value);
            reads(&graphite, &target, timestamp - 10, value);
        }
    }
    let mut names = graphite.find_series(&["app=shop/web", "dc=dc1"]);
    names.sort_unstable();
    assert_eq!(names.len(), 4);
    assert_eq!(names[0], "cpu.percent;app=shop/web;dc=dc1;inst=i1");
    eventually(LIMIT, "all of the large batch", || {
        (readable(&graphite, "many", timestamp, 4000) == 4000).then_some(())
    });
    retention(&graphite);
}

fn retention(graphite: &Graphite) {
    let files = graphite.whisper_files();
    let (mut tagged, ours) = (Vec::new(), "/qae/dc1/app/shop_web/inst/i1/");
    let mut found = 0;
    for (path, method, factor, archives) in files {
        let path = path.to_str().unwrap();
        let wanted = match path {
            // these names are hashes
            _ if path.contains("/_tagged/") => {
                tagged.push(method);
                method
            }
            _ if !path.contains(ours) => continue,
            _ if path.ends_with("_total.wsp") => 3,
            _ if path.ends_with("/peak_bytes.wsp") => 4,
            _ => 1,
        };
        found += 1;
        assert_eq!((method, factor, archives), (wanted, 0.0, 3), "{path}");
    }
    tagged.sort_unstable();
    assert_eq!((found, tagged), (8, vec![1, 1, 3, 4]));
}

#[test]
fn an_aggregator_with_the_packaged_rules_sums_an_app() {
    let graphite = Graphite::start_with_aggregator();
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(Settings {
        replay_window: Duration::ZERO,
        ..settings(&[graphite.aggregator_addr()], dir.path())
    });
    let timestamp = now() + 10;
    let mut batch = Batch::default();
    batch.restart(timestamp);
    for (instance, percent, bytes) in [("i1", 10.0, 100), ("i2", 25.5, 200)] {
        let series = series(Style::Path, instance);
        batch.push(&series, Name::from("cpu.percent"), Value::Float(percent));
        batch.push(&series, Name::from("memory.usage_bytes"), Value::Int(bytes));
        batch.push(&series, Name::from("memory.percent"), Value::Float(percent));
        batch.push(&series, Name::from("net.rx_bytes_per_second"), Value::Int(bytes));
        batch.push(&series, Name::from("io.read_bytes_per_second"), Value::Int(bytes));
    }
    running.carbon.submit(&batch);
    running.drained();
    reads(&graphite, "qae.dc1.app.shop_web.inst.i1.cpu.percent", timestamp, 10.0);
    let all = [
        ("cpu.percent", 35.5),
        ("memory.usage_bytes", 300.0),
        ("memory.percent", 25.5),
        ("net.rx_bytes_per_second", 300.0),
        ("io.read_bytes_per_second", 300.0),
    ];
    for (metric, value) in all {
        reads(&graphite, &format!("qae.dc1.app.shop_web.all.{metric}"), timestamp, value);
    }
}

#[test]
fn without_a_destination_nothing_is_kept_and_a_wrong_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let mut running = Running::start(settings(&[], &spool));
    running.carbon.submit(&batch("i1", 10, 10));
    running.stop();
    let status = running.carbon.status();
    assert_eq!((status.state, status.submitted_points), (State::Off, 0));
    assert!(!spool.exists());
    for wrong in ["localhost", "localhost:", ":2003", "localhost:0", "localhost:99999"] {
        let refused = Carbon::open(settings(&[wrong.to_owned()], &spool)).unwrap_err().to_string();
        assert!(refused.contains("host:port"), "{refused}");
    }
}
