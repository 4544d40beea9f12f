//! What becomes of files, and which events come of it.

use super::super::joining::Multiline;
use super::*;
use std::os::unix::fs::DirEntryExt;

#[test]
fn lines_come_once_in_order_with_their_headers() {
    let lab = Lab::new();
    lab.append("app.log", "one\ntwo\n");
    lab.expect(&["one", "two"]);
    lab.append("app.log", "three\n");
    lab.expect(&["one", "two", "three"]);
    let last = lab.sink.store().came[2].clone();
    assert_eq!((last.app.as_str(), last.instance.as_str()), ("shop/web", "one"));
    assert_eq!((last.file.as_str(), last.offset, last.part), ("app.log", 8, None));
    lab.drained();
    let status = lab.shipper.status();
    let app = &status.apps[&AppId::new("shop/web")];
    assert_eq!((app.lines, app.bytes, app.lag_bytes, app.oldest), (3, 14, 0, None));
    assert!(status.running && status.journal.files == 1);
}

#[test]
fn stopped_in_order_every_line_is_shipped_once() {
    let mut lab = Lab::new();
    let mut expected = Vec::new();
    for round in 0..4 {
        for nth in 0..500 {
            expected.push(format!("{round} {nth}"));
            lab.append("app.log", &format!("{round} {nth}\n"));
        }
        lab.stop();
        lab.append("app.log", &format!("{round} while away\n"));
        expected.push(format!("{round} while away"));
        lab.start();
    }
    lab.sink.until("all", |store| store.came.len() >= expected.len());
    assert_eq!(lab.sink.bodies(), expected);
}

#[test]
fn killed_nothing_is_lost_and_at_most_the_batch_under_way_comes_again() {
    let limits = super::super::Limits { events: 50, bytes: 1 << 20 };
    let mut lab = Lab::with(ShipSettings { limits, ..settings() }, &["one"]);
    let (mut written, mut repeated) = (0, 0);
    for _ in 0..5 {
        // the sink has them, and nobody will know
        lab.sink.first(&[Does::Takes, Does::Takes, Does::KeepsAndBreaks]);
        lab.sink.does(Does::Away);
        let from = lab.sink.store().sent;
        let lines: String = (written..written + 400).map(|n| format!("{n}\n")).collect();
        written += 400;
        lab.append("app.log", &lines);
        lab.sink.until("a broken request", |store| store.sent >= from + 4);
        lab.sink.does(Does::Takes);
        lab.kill();
        lab.sink.does(Does::Takes);
        lab.sink.until("the last line", |store| {
            store.came.iter().any(|c| c.body == (written - 1).to_string())
        });
        lab.drained();
        let twice = lab.sink.store().came.len() - written - repeated;
        assert!(twice <= 100, "one request broke and one was under way at most: {twice}");
        repeated += twice;
    }
    let came = lab.sink.store().came.clone();
    assert_eq!(counted(&came).len(), written);
}

#[test]
fn rotation_under_load_keeps_every_line_and_the_order_of_each_file() {
    let lab = Lab::new();
    let mut expected = Vec::new();
    for round in 0..30 {
        for nth in 0..40 {
            let line = format!("{round:02} {nth:02}");
            lab.append("app.log", &format!("{line}\n"));
            expected.push(line);
        }
        for old in (1..4).rev() {
            let (from, to) = (format!("app.log.{old}"), format!("app.log.{}", old + 1));
            if lab.path(&from).exists() {
                lab.rename(&from, &to);
            }
        }
        lab.rename("app.log", "app.log.1");
        // a generation that was never seen is lost by its rotation; wait for one only
        lab.until_followed();
    }
    lab.sink.until("all", |store| store.came.len() >= expected.len());
    let mut came = lab.sink.bodies();
    // each file in order: a round is a file
    for round in 0..30 {
        let of: Vec<_> = came.iter().filter(|l| l.starts_with(&format!("{round:02}"))).collect();
        assert!(of.is_sorted(), "{of:?}");
    }
    came.sort();
    assert_eq!(came, expected);
}

#[test]
fn truncation_in_place_starts_again_and_what_was_lost_is_counted() {
    let lab = Lab::new();
    lab.append("app.log", "one\ntwo\n");
    lab.drained();
    // as copytruncate does: the copy holds what was not shipped
    lab.sink.does(Does::Away);
    lab.append("app.log", "three\n");
    fs::copy(lab.path("app.log"), lab.path("app.log.1")).unwrap();
    lab.until_followed();
    fs::write(lab.path("app.log"), "").unwrap();
    lab.append("app.log", "four\n");
    lab.sink.does(Does::Takes);
    lab.sink.until("four lines", |store| store.came.len() >= 4);
    lab.drained();
    let mut came = lab.sink.bodies();
    came.sort();
    assert_eq!(came, ["four", "one", "three", "two"]);
}

#[test]
fn long_lines_come_in_parts_whatever_they_were_read_in() {
    let lab = Lab::new();
    let long = "0123456789".repeat(60_000);
    lab.append("app.log", "before\n");
    lab.append("app.log", &long[..200_000]);
    lab.append("app.log", &format!("{}\nafter\n", &long[200_000..]));
    lab.sink.until("after", |store| store.came.iter().any(|c| c.body == "after"));
    let came = lab.sink.store().came.clone();
    let parts: Vec<_> = came.iter().map(|c| c.part.as_deref().unwrap_or("whole")).collect();
    assert_eq!(parts, ["whole", "first", "middle", "last", "whole"]);
    assert_eq!(came[1..4].iter().map(|c| c.body.as_str()).collect::<String>(), long);
    assert_eq!(came[2].offset, 7 + crate::lines::LONGEST as u64);
}

#[test]
fn a_line_without_end_is_shipped_as_a_part_after_a_while_also_over_a_restart() {
    let mut lab = Lab::new();
    lab.append("app.log", "one\ntwo");
    lab.expect(&["one", "two"]);
    assert_eq!(lab.sink.store().came[1].part.as_deref(), Some("first"));
    lab.drained();
    lab.append("app.log", " and");
    lab.expect(&["one", "two", " and"]);
    lab.drained();
    lab.stop();
    lab.start();
    lab.append("app.log", " more\nthree\n");
    lab.expect(&["one", "two", " and", " more", "three"]);
    let parts: Vec<_> = lab.sink.store().came.iter().map(|c| c.part.clone()).collect();
    assert_eq!(
        parts.iter().map(Option::as_deref).collect::<Vec<_>>(),
        [None, Some("first"), Some("middle"), Some("last"), None]
    );
}

#[test]
fn the_last_line_of_a_rotated_or_deleted_file_needs_no_end() {
    let lab = Lab::new();
    lab.append("app.log", "one\nlast");
    lab.until_followed();
    lab.rename("app.log", "app.log.1");
    lab.append("gone.log", "begin\nend");
    lab.until_followed();
    fs::remove_file(lab.path("gone.log")).unwrap();
    lab.sink.until("both ends", |store| store.came.len() >= 4);
    let came = lab.sink.store().came.clone();
    for body in ["last", "end"] {
        let event = came.iter().find(|c| c.body == body).unwrap();
        assert_eq!(event.part, None, "{event:?}");
    }
}

#[test]
fn holes_are_left_out_and_counted() {
    let mut lab = Lab::new();
    lab.append("app.log", "one\n");
    lab.drained();
    let file = OpenOptions::new().write(true).open(lab.path("app.log")).unwrap();
    file.set_len(1 << 40).unwrap();
    lab.append("app.log", "two\n");
    lab.expect(&["one", "two"]);
    lab.drained();
    let came = lab.sink.store().came[1].clone();
    assert_eq!((came.offset, came.part), (1 << 40, None));
    let skipped = lab.shipper.status().apps[&AppId::new("shop/web")].skipped_bytes;
    assert_eq!(skipped, (1 << 40) - 4);
    // and it goes on behind it
    lab.stop();
    lab.start();
    lab.append("app.log", "three\n");
    lab.expect(&["one", "two", "three"]);
}

#[test]
fn a_flood_costs_the_others_one_turn() {
    let names: Vec<String> = (0..20).map(|n| format!("i{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = Lab::with(settings(), &names);
    lab.sink.does(Does::Away);
    let line = format!("{}\n", "flood ".repeat(30));
    lab.append("i00:app.log", &line.repeat(60_000));
    // the batches under way are the flooder's
    lab.sink.until("the flood", |store| store.sent > 1);
    for name in &names[1..] {
        lab.append(&format!("{name}:app.log"), "quiet\n");
    }
    lab.sink.until_files(&lab.files, 20);
    lab.sink.does(Does::Takes);
    lab.sink.until("the quiet ones", |store| {
        store.came.iter().filter(|c| c.body == "quiet").count() == 19
    });
    let came = lab.sink.store().came.clone();
    let last = came.iter().rposition(|c| c.body == "quiet").unwrap();
    let before: usize = came[..last].iter().map(|c| c.body.len() + 1).sum();
    // two batches were full before, and one turn
    assert!(before < 2 * (1 << 20) + 2 * 256 * 1_024, "{before}");
    lab.sink.until("all of the flood", |store| store.came.len() == 60_019);
}

#[test]
fn stack_traces_are_one_event() {
    let multiline = Some(Multiline::Java);
    let lab = Lab::with(ShipSettings { multiline, ..settings() }, &["one"]);
    let trace = "12:00 ERROR no\njava.lang.Error: x\n\tat a.b(C.java:1)\nCaused by: d";
    lab.append("app.log", "12:00 INFO a\n");
    lab.append("app.log", &format!("{trace}\n12:01 INFO b\n"));
    // the last one waits for the line that begins the next, or for time
    lab.expect(&["12:00 INFO a", trace, "12:01 INFO b"]);
    lab.append("app.log", "12:02 INFO c\n more of it\nhalf");
    lab.expect(&["12:00 INFO a", trace, "12:01 INFO b", "12:02 INFO c\n more of it", "half"]);
    assert_eq!(lab.sink.store().came[4].part.as_deref(), Some("first"));
}

#[test]
fn dockers_own_log_is_two_files_of_plain_lines_also_over_a_restart() {
    let limits = super::super::Limits { events: 3, bytes: 1 << 20 };
    let mut lab = Lab::with(ShipSettings { limits, ..settings() }, &["docker"]);
    let file = format!("docker:{}-json.log", "a1".repeat(32));
    let object = |stream: &str, text: &str| {
        format!(
            "{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-11-30T08:00:00.5Z\"}}\n"
        )
    };
    lab.append(&file, &object("stdout", "one\\n"));
    lab.append(&file, &object("stderr", "a \\\"quoted\\\" word\\n"));
    lab.append(&file, &object("stdout", "cut "));
    lab.append(&file, &object("stderr", "between\\n"));
    lab.append(&file, "no object\n");
    lab.expect(&["one", "a \"quoted\" word", "cut ", "between", "no object"]);
    lab.drained();
    lab.stop();
    lab.start();
    lab.append(&file, &object("stdout", "here\\n"));
    lab.sink.until("the end of the line", |store| store.came.len() == 6);
    let came = lab.sink.store().came.clone();
    let shown: Vec<_> = came.iter().map(|c| (c.file.as_str(), c.part.as_deref())).collect();
    let expected = [
        ("stdout", None),
        ("stderr", None),
        ("stdout", Some("first")),
        ("stderr", None),
        ("stdout", None),
        ("stdout", Some("last")),
    ];
    assert_eq!(shown, expected);
    assert_eq!(came[5].body, "here");
}

impl Lab {
    /// Waits until every file that is there is followed under its name.
    fn until_followed(&self) {
        let until = Instant::now() + DEADLINE;
        let mut set = self.files.subscribe();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        loop {
            let followed: Vec<(u64, String)> =
                self.files.all().iter().map(|s| (s.identity().ino, s.name().shown())).collect();
            let dir = self.dir.path().join("volumes/one");
            let missing = fs::read_dir(dir).unwrap().any(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().to_string_lossy().into_owned();
                !followed.contains(&(entry.ino(), name))
            });
            if !missing {
                return;
            }
            assert!(Instant::now() < until, "never followed: {followed:?}");
            runtime.block_on(async {
                tokio::time::timeout(Duration::from_millis(5), set.changed()).await.ok();
            });
        }
    }
}

impl Memory {
    /// Waits until so many files have bytes and are in line.
    fn until_files(&self, files: &Files, count: usize) {
        self.until("files in line", |_| {
            files.all().iter().filter(|s| !s.is_empty() && s.start().is_some()).count() >= count
        });
    }
}
