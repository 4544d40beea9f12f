//! What sinks do, and that nothing is lost by it.

use super::*;

fn lines(from: usize, to: usize) -> (String, Vec<String>) {
    let lines: Vec<String> = (from..to).map(|n| format!("line {n}")).collect();
    (lines.iter().map(|l| format!("{l}\n")).collect(), lines)
}

#[test]
fn while_the_sink_is_away_files_wait_on_the_disk() {
    let lab = Lab::new();
    lab.sink.does(Does::Away);
    let (text, expected) = lines(0, 5_000);
    lab.append("app.log", &text);
    lab.sink.until("several tries", |store| store.sent >= 4);
    let status = lab.shipper.status();
    let app = &status.apps[&AppId::new("shop/web")];
    assert_eq!((app.lines, app.lag_bytes), (0, text.len() as u64));
    assert!(app.oldest.is_some() && status.failures >= 3);
    assert_eq!(app.duplicates_possible, 0);
    lab.sink.does(Does::Takes);
    lab.sink.until("all", |store| store.came.len() >= expected.len());
    assert_eq!(lab.sink.bodies(), expected);
    lab.drained();
    assert_eq!(lab.shipper.status().failures, 0);
}

#[test]
fn what_is_written_while_both_batches_are_full_is_not_forgotten() {
    let lab = Lab::new();
    lab.sink.does(Does::Away);
    let (before, _) = lines(0, 5_000);
    lab.append("app.log", &before);
    lab.sink.until("several tries", |store| store.sent >= 4);
    // named while the rest of a window waits for a batch; nothing is written after it
    let (after, _) = lines(5_000, 5_100);
    lab.append("app.log", &after);
    let whole = (before.len() + after.len()) as u64;
    lab.sink.until("it is noticed", |_| {
        lab.shipper.status().apps[&AppId::new("shop/web")].lag_bytes == whole
    });
    lab.sink.does(Does::Takes);
    lab.sink.until("all", |store| store.came.len() >= 5_100);
    assert_eq!(lab.sink.bodies(), lines(0, 5_100).1);
}

#[test]
fn a_sink_that_takes_few_at_once_gets_few() {
    let lab = Lab::new();
    lab.sink.does(Does::TakesAtMost(100));
    let (text, expected) = lines(0, 6_000);
    lab.append("app.log", &text);
    lab.sink.until("all", |store| store.came.len() >= expected.len());
    assert_eq!(lab.sink.bodies(), expected);
    let requests = lab.sink.store().requests.clone();
    let refused = requests.iter().filter(|n| **n > 100).count();
    assert!(refused <= 10, "{requests:?}");
}

#[test]
fn a_connection_that_breaks_repeats_one_request_and_says_so() {
    let lab = Lab::new();
    lab.sink.first(&[Does::Takes, Does::KeepsAndBreaks]);
    let (text, expected) = lines(0, 3_000);
    lab.append("app.log", &text[..10]);
    lab.sink.until("the first", |store| store.sent >= 1);
    lab.append("app.log", &text[10..]);
    lab.drained();
    let came = lab.sink.store().came.clone();
    let counts = counted(&came);
    assert_eq!(counts.len(), expected.len());
    let twice = counts.values().filter(|n| **n > 1).count();
    let possible = lab.shipper.status().apps[&AppId::new("shop/web")].duplicates_possible;
    assert!((1..=1_000).contains(&twice), "{twice}");
    assert_eq!(possible, twice as u64);
}

#[test]
fn a_poison_line_is_put_aside_alone_and_kept() {
    let lab = Lab::new();
    lab.sink.does(Does::FailsAtPoison);
    lab.sink.first(&[Does::Away]);
    let (text, mut expected) = lines(0, 40);
    lab.append("app.log", &text.replace("line 20\n", "a poison line\n"));
    expected.remove(20);
    lab.sink.until("all but one", |store| store.came.len() >= expected.len());
    assert_eq!(lab.sink.bodies(), expected);
    lab.drained();
    assert_eq!(lab.shipper.status().apps[&AppId::new("shop/web")].quarantined, 1);
    let kept = fs::read_to_string(lab.state(0).join("quarantine.jsonl")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["headers"]["offset"], text.find("line 20").unwrap().to_string());
    assert_eq!(kept["cause"], "poison");
    // the line after it is as it was before
    lab.append("app.log", "more\n");
    lab.sink.until("more", |store| store.came.last().is_some_and(|c| c.body == "more"));
}

#[test]
fn a_sink_that_fails_at_everything_loses_nothing() {
    let lab = Lab::new();
    lab.sink.does(Does::FailsAlways);
    let (text, expected) = lines(0, 10);
    lab.append("app.log", &text);
    lab.sink.until("one by one", |store| store.requests.contains(&1));
    lab.sink.does(Does::Takes);
    lab.sink.until("all", |store| store.came.len() >= expected.len());
    assert_eq!(lab.sink.bodies(), expected);
}

#[test]
fn a_stop_does_not_wait_for_a_sink_that_is_away() {
    let mut lab = Lab::new();
    lab.sink.does(Does::Away);
    let (text, expected) = lines(0, 3_000);
    lab.append("app.log", &text);
    lab.sink.until("a try", |store| store.sent >= 2);
    let started = Instant::now();
    lab.stop();
    assert!(started.elapsed() < Duration::from_secs(5));
    lab.sink.does(Does::Takes);
    lab.start();
    lab.sink.until("all", |store| store.came.len() >= expected.len());
    assert_eq!(lab.sink.bodies(), expected);
}
