//! What log rotation does to files.

use super::*;
use crate::source::State;

#[test]
fn files_count_from_their_first_byte_and_are_told_at_once() {
    let mut lab = Lab::new();
    lab.append("a.log", "1\n");
    lab.expect(&["1"]);
    lab.append("a.log", "2");
    lab.append("a.log", "2\n");
    fs::create_dir_all(lab.path("sub/deep")).unwrap();
    lab.append("sub/deep/b.log", "3\n");
    lab.expect(&["1", "22", "3"]);
    let source = lab.source("sub/deep/b.log").unwrap();
    assert_eq!((source.len(), source.state(), source.generation()), (2, State::Live, 0));
    assert_eq!(lab.files.of(&source.instance()).len(), 2);
}

#[test]
fn renamed_files_are_read_on_under_any_name() {
    let settings = Settings { include: vec!["*.log".into()], ..quick() };
    let mut lab = Lab::with(settings);
    lab.append("app.log", "one\n");
    lab.expect(&["one"]);
    // written after the rename, as most programs do until they notice
    lab.rename("app.log", "old-name");
    lab.append("old-name", "two\n");
    lab.append("app.log", "three\n");
    lab.append("other", "not wanted\n");
    lab.expect(&["one", "two", "three"]);
    assert_eq!(lab.source("old-name").unwrap().state(), State::Rotated);
    assert_eq!(lab.source("app.log").unwrap().state(), State::Live);
    lab.until("counted", |lab| lab.refused("excluded") == 1);
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let mut lab = Lab::with(Settings {
        pace: Pace { linger: Duration::from_secs(60), ..quick().pace },
        ..quick()
    });
    let mut file = fs::File::create(lab.path("a.log")).unwrap();
    lab.until("found", |lab| lab.source("a.log").is_some());
    file.write_all(b"one\n").unwrap();
    fs::remove_file(lab.path("a.log")).unwrap();
    lab.append("a.log", "new\n");
    lab.expect(&["one", "new"]);
    // its writer has it open still
    file.write_all(b"two\n").unwrap();
    lab.expect(&["one", "two", "new"]);
    let states = |lab: &Lab| lab.files.all().iter().map(|s| s.state()).collect::<Vec<_>>();
    lab.until("deleted", |lab| states(lab) == [State::Deleted, State::Live]);
}

#[test]
fn what_is_settled_and_deleted_is_let_go() {
    let mut lab = Lab::new();
    lab.append("a.log", "one\n");
    lab.expect(&["one"]);
    let hold = lab.source("a.log").unwrap().hold();
    fs::remove_file(lab.path("a.log")).unwrap();
    lab.until("deleted", |lab| lab.source("a.log").is_some_and(|s| s.state() == State::Deleted));
    let mut tide = hold.source().changed();
    assert_eq!(tide.borrow_and_update().state, State::Deleted);
    drop(hold);
    lab.until("gone", |lab| lab.files.all().is_empty());
    assert_eq!(lab.gaps("truncated"), (0, 0));
}

#[test]
fn truncated_files_begin_again() {
    let mut lab = Lab::new();
    lab.append("a.log", "one is longer\n");
    lab.expect(&["one is longer"]);
    fs::write(lab.path("a.log"), "two\n").unwrap();
    lab.expect(&["one is longer", "two"]);
    // past the old end at once: only the bytes tell
    fs::write(lab.path("a.log"), "three is longer by far\n").unwrap();
    lab.expect(&["one is longer", "two", "three is longer by far"]);
    // the same length
    fs::write(lab.path("a.log"), "four! is longer by far\n").unwrap();
    lab.expect(&["one is longer", "two", "three is longer by far", "four! is longer by far"]);
    assert_eq!(lab.source("a.log").unwrap().generation(), 3);
    assert_eq!(lab.gaps("truncated"), (0, 0));
}

#[test]
fn what_nobody_read_of_a_truncated_file_is_a_gap() {
    let lab = Lab::new();
    lab.append("a.log", "0123456789\n");
    lab.until("seen", |lab| lab.source("a.log").is_some_and(|s| s.len() == 11));
    fs::write(lab.path("a.log"), "").unwrap();
    lab.until("counted", |lab| lab.gaps("truncated") == (1, 11));
    let gaps = lab.files.take_gaps();
    assert_eq!((gaps[0].from, gaps[0].to, gaps[0].why.reason()), (0, 11, "truncated"));
}

fn copytruncate(lab: &Lab, from: &str, to: &str) {
    fs::copy(lab.path(from), lab.path(to)).unwrap();
    OpenOptions::new().write(true).open(lab.path(from)).unwrap().set_len(0).unwrap();
}

#[test]
fn a_copy_goes_on_where_its_original_was_acknowledged() {
    let mut lab = Lab::new();
    lab.append("a.log", "banner\none\n");
    lab.expect(&["banner", "one"]);
    copytruncate(&lab, "a.log", "a.log.1");
    lab.append("a.log", "banner\ntwo\n");
    lab.expect(&["banner", "one", "banner", "two"]);
    // this time with a backlog: only the copy has it
    lab.append("a.log", "three\n");
    lab.until("seen", |lab| lab.source("a.log").is_some_and(|s| s.len() == 17));
    copytruncate(&lab, "a.log", "a.log.2");
    lab.append("a.log", "banner\nfour\n");
    lab.expect(&["banner", "one", "banner", "two", "three", "banner", "four"]);
    assert_eq!(lab.gaps("truncated"), (0, 0));
}

#[test]
fn a_copy_without_a_truncation_is_a_file_of_its_own() {
    let mut lab = Lab::new();
    lab.append("a.log", "same\n");
    lab.append("b.log", "same\n");
    lab.expect(&["same", "same"]);
    lab.append("b.log", "other\n");
    lab.expect(&["same", "same", "other"]);
}

#[test]
fn a_restart_forgets_and_repeats_nothing() {
    let mut lab = Lab::new();
    for file in ["a.log", "b.log", "c.log", "d.log"] {
        lab.append(file, &format!("banner\n{file} 1\n"));
    }
    lab.ship_until("shipped", |lab| lab.lines().len() == 8);
    lab.files.stop();
    // while nobody looks: rotated, appended, replaced, truncated, deleted
    lab.append("a.log", "a 2\n");
    lab.rename("a.log", "a.log.1");
    lab.append("a.log", "banner\na 3\n");
    lab.append("b.log", "b 2\n");
    fs::write(lab.path("c.log"), "banner\nc 2\n").unwrap();
    fs::remove_file(lab.path("d.log")).unwrap();
    lab.resume();
    lab.expect(&[
        "banner", "a.log 1", "banner", "b.log 1", "banner", "c.log 1", "banner", "d.log 1", "a 2",
        "banner", "a 3", "b 2", "banner", "c 2",
    ]);
    assert_eq!(lab.source("a.log.1").unwrap().state(), State::Rotated);
    lab.restart();
    lab.append("b.log", "b 3\n");
    lab.ship_until("b 3", |lab| lab.text().contains("b 3"));
    assert_eq!(lab.lines().len(), 15);
}

#[test]
fn a_copytruncate_while_nobody_looks_repeats_nothing() {
    let mut lab = Lab::new();
    lab.append("a.log", "banner\none\n");
    lab.expect(&["banner", "one"]);
    lab.files.stop();
    lab.append("a.log", "two\n");
    copytruncate(&lab, "a.log", "a.log.1");
    lab.append("a.log", "banner\nthree\n");
    lab.resume();
    lab.expect(&["banner", "one", "two", "banner", "three"]);
}

#[test]
fn an_inode_used_again_is_another_file() {
    let mut lab = Lab::new();
    lab.append("a.log", "banner\none\n");
    lab.expect(&["banner", "one"]);
    let (mut again, mut expected) = (0, vec!["banner".to_owned(), "one".to_owned()]);
    for round in 0..20 {
        lab.files.stop();
        let before = inode(&lab.path("a.log"));
        fs::remove_file(lab.path("a.log")).unwrap();
        lab.append("a.log", &format!("banner\nround {round}\n"));
        again += usize::from(inode(&lab.path("a.log")) == before);
        lab.resume();
        expected.extend(["banner".to_owned(), format!("round {round}")]);
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        lab.expect(&expected);
    }
    // file systems that number on are no proof; ext4 and tmpfs of old use a number again at once
    println!("{again} of 20 inodes were used again");
}

fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap())
}

#[test]
fn volumes_and_directories_come_and_go() {
    let mut lab = Lab::new();
    let second = lab.dir.path().join("second");
    let both = vec![volume(&lab.path(""), "one"), volume(&second, "two")];
    lab.files.set_volumes(Arc::new(both));
    lab.until("a fault is shown", |lab| lab.files.figures().iter().any(|f| f.fault.is_some()));
    fs::create_dir(&second).unwrap();
    fs::write(second.join("x.log"), "x\n").unwrap();
    lab.expect(&["x"]);
    // a directory is renamed with what is in it, removed, made again
    fs::create_dir(lab.path("d")).unwrap();
    lab.append("d/a.log", "a\n");
    lab.expect(&["a", "x"]);
    lab.rename("d", "e");
    lab.append("e/a.log", "b\n");
    lab.expect(&["a", "b", "x"]);
    lab.until("renamed", |lab| lab.source("e/a.log").is_some());
    fs::remove_dir_all(lab.path("e")).unwrap();
    lab.until("gone", |lab| lab.source("e/a.log").is_none());
    fs::create_dir(lab.path("e")).unwrap();
    lab.append("e/a.log", "c\n");
    lab.expect(&["a", "b", "c", "x"]);
    // the volume itself is another directory now
    fs::remove_dir_all(lab.path("")).unwrap();
    fs::create_dir(lab.path("")).unwrap();
    lab.append("f.log", "f\n");
    lab.expect(&["a", "b", "c", "f", "x"]);
    // a volume goes and comes back: nothing is shipped twice
    lab.files.set_volumes(Arc::default());
    lab.until("nothing", |lab| lab.files.all().is_empty());
    lab.append("f.log", "g\n");
    lab.files.set_volumes(Arc::new(vec![volume(&lab.path(""), "three")]));
    lab.expect(&["a", "b", "c", "f", "g", "x"]);
    assert_eq!(lab.source("f.log").unwrap().instance().id.as_str(), "three");
}

#[test]
fn a_directory_belongs_to_the_instance_that_runs_and_to_the_inner_volume() {
    let lab = Lab::new();
    fs::create_dir(lab.path("inner")).unwrap();
    lab.append("inner/a.log", "a\n");
    lab.until("found", |lab| lab.source("inner/a.log").is_some());
    let ended = Volume {
        ended_at: Some(common::moment::Moment::from_unix_ms(1)),
        ..volume(&lab.path(""), "old")
    };
    let inner = volume(&lab.path("inner"), "inner");
    lab.files.set_volumes(Arc::new(vec![volume(&lab.path(""), "new"), ended, inner]));
    lab.append("b.log", "b\n");
    let owner = |lab: &Lab, name: &str| Some(lab.source(name)?.instance().id.as_str().to_owned());
    lab.until("owned", |lab| {
        owner(lab, "b.log").as_deref() == Some("new")
            && owner(lab, "a.log").as_deref() == Some("inner")
    });
    lab.until("counted", |lab| lab.refused("other_volume") == 1 && lab.files.all().len() == 2);
}

/// What was written between the copy and the truncation is lost to every reader but one that was quick; the rest must not come twice for it.
#[test]
fn a_copy_shorter_than_what_was_acknowledged_repeats_nothing() {
    let pace = Pace { copy: Duration::from_secs(2), ..quick().pace };
    for _ in 0..5 {
        let mut lab = Lab::with(Settings { pace, ..quick() });
        let lines: Vec<String> = (0..100).map(|n| format!("{n:0>60}")).collect();
        lab.append("a.log", &(lines.join("\n") + "\n"));
        let mut expected: Vec<&str> = lines.iter().map(String::as_str).collect();
        lab.expect(&expected);
        let at = Instant::now();
        fs::copy(lab.path("a.log"), lab.path("a.log.1")).unwrap();
        lab.append("a.log", "meanwhile\n");
        expected.push("meanwhile");
        lab.expect(&expected);
        fs::File::options().write(true).open(lab.path("a.log")).unwrap().set_len(0).unwrap();
        if at.elapsed() >= pace.copy / 2 {
            // too slow: the copy may be a file of its own by now
            continue;
        }
        lab.append("a.log", "after\n");
        expected.push("after");
        lab.expect(&expected);
        let acknowledged = |s: Arc<Source>| s.acknowledged_to().mark.offset == s.len();
        lab.ship_until("the copy", |lab| lab.source("a.log.1").is_some_and(acknowledged));
        assert_eq!(lab.lines().len(), expected.len());
        assert_eq!(lab.gaps("truncated"), (0, 0));
        return;
    }
}

#[test]
fn a_file_that_leaves_its_volume_and_comes_back_goes_on() {
    let mut lab = Lab::new();
    lab.append("a.log", "one\n");
    lab.expect(&["one"]);
    let outside = lab.dir.path().join("outside");
    fs::rename(lab.path("a.log"), &outside).unwrap();
    lab.until("let go", |lab| lab.files.all().is_empty());
    fs::rename(&outside, lab.path("b.log")).unwrap();
    lab.append("b.log", "two\n");
    lab.expect(&["one", "two"]);
}

#[test]
fn the_inode_of_a_closed_file_used_again_is_another_file() {
    let limits = crate::files::Limits { open: 16, ..crate::files::Limits::default() };
    let mut lab = Lab::with(Settings { limits, ..quick() });
    let mut expected: Vec<String> = (0..40).map(|n| format!("file {n}")).collect();
    for n in 0..40 {
        lab.append(&format!("{n}.log"), &format!("file {n}\n"));
    }
    lab.ship_until("all", |lab| lab.lines().len() == 40);
    for round in 0..10 {
        let closed = |s: &Arc<Source>| s.inner().file.is_none();
        lab.until("one is closed", |lab| lab.files.all().iter().any(closed));
        let Some(source) = lab.files.all().into_iter().find(closed) else { continue };
        let name = source.name().shown();
        fs::remove_file(lab.path(&name)).unwrap();
        lab.append(&name, &format!("again {round}\n"));
        expected.push(format!("again {round}"));
        lab.ship_until("the new one", |lab| lab.lines().len() == expected.len());
    }
    expected.sort();
    assert_eq!(lab.lines(), expected);
}

#[test]
fn a_file_made_longer_beforehand_and_filled_is_not_rewritten() {
    use std::os::unix::fs::FileExt;
    let mut lab = Lab::new();
    let file = fs::File::create(lab.path("a.log")).unwrap();
    file.write_all_at(b"one\n", 0).unwrap();
    file.set_len(1 << 16).unwrap();
    lab.ship_until("the hole", |lab| {
        lab.source("a.log").is_some_and(|s| s.acknowledged_to().mark.offset == 1 << 16)
    });
    file.write_all_at(&[b'x'; 2_000], 4).unwrap();
    lab.append("a.log", "the end\n");
    lab.ship_until("the end", |lab| lab.text().contains("the end\n"));
    assert_eq!(lab.source("a.log").unwrap().generation(), 0);
}

#[test]
fn an_original_is_named_again_behind_its_copy() {
    let mut lab = Lab::new();
    for name in ["original", "copy"] {
        lab.append(name, &format!("{name}\n"));
    }
    lab.expect(&["copy", "original"]);
    let (original, copy) = (lab.source("original").unwrap(), lab.source("copy").unwrap());
    let named = |woken: &crate::files::Woken| -> Vec<SourceId> {
        woken.wait(Duration::ZERO, 10).iter().map(|s| s.id()).collect()
    };
    let woken = crate::files::Woken::new(true);
    for source in [&original, &copy] {
        source.queued.store(false, std::sync::atomic::Ordering::Release);
    }
    woken.push(&original);
    woken.begin(&copy);
    woken.begin(&original);
    // its earlier place does not count as told
    assert_eq!(named(&woken), [original.id(), copy.id()]);
    assert_eq!(named(&woken), [original.id()]);
    woken.begin(&original);
    woken.begin(&copy);
    woken.begin(&original);
    assert_eq!(named(&woken), [copy.id(), original.id()]);
}
