//! More notices than the kernel keeps. Its limit is the host's and stays as it is: the queue overflows because nobody reads it for a while.

use super::*;
use crate::files::Limits;
use std::os::unix::fs::symlink;

/// What the kernel keeps for one inotify instance.
fn most_notices() -> usize {
    let text = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    text.trim().parse().unwrap()
}

/// Without the overflow being understood nothing would look for what happened behind it: the next look at everything is an hour away, and
/// births do not make a storm.
fn deaf() -> Lab {
    let limits = Limits { events: u32::MAX, ..Limits::default() };
    let pace = Pace { rescan: Duration::from_secs(3_600), ..quick().pace };
    Lab::with(Settings { limits, pace, ..quick() })
}

/// So many that whatever comes next is dropped: two of each, and of what is no file, so that none of them leads to one.
fn flood(lab: &Lab) {
    for _ in 0..2 * most_notices() {
        symlink("nowhere", lab.path("spin")).unwrap();
        fs::remove_file(lab.path("spin")).unwrap();
    }
}

#[test]
fn what_happened_while_notices_were_dropped_is_found_and_the_overflow_is_counted() {
    let mut lab = deaf();
    let mut lines = vec!["before".to_owned()];
    lab.append("old.log", "before\n");
    fs::create_dir(lab.path("sub")).unwrap();
    lab.expect(&["before"]);
    assert_eq!(lab.files.overflows(), 0);
    // the first time may be helped by the look at everything that every volume begins with
    for time in ["one", "two"] {
        let counted = lab.files.overflows();
        let paused = lab.files.paused();
        flood(&lab);
        fs::create_dir(lab.path(time)).unwrap();
        let born = [format!("{time}.log"), format!("sub/{time}.log"), format!("{time}/deep.log")];
        for name in born.iter().map(String::as_str).chain(["old.log"]) {
            lab.append(name, &format!("{time} {name}\n"));
            lines.push(format!("{time} {name}"));
        }
        lab.rename("old.log", &format!("old.log.{time}"));
        lab.append("old.log", &format!("{time} next\n"));
        lines.push(format!("{time} next"));
        drop(paused);
        lab.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        lab.until("renamed", |lab| lab.source(&format!("old.log.{time}")).is_some());
        assert!(lab.files.overflows() > counted);
    }
    // from here on notices are heard again
    let counted = lab.files.overflows();
    lab.append("two/deep.log", "told\n");
    lab.append("told.log", "told too\n");
    lines.extend(["told".to_owned(), "told too".to_owned()]);
    lab.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(lab.files.overflows(), counted);
}
