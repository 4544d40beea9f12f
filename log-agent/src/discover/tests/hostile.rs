//! A container that does its worst to its own directory.

use super::*;
use crate::files::Limits;
use crate::lines::{LONGEST, Lines};
use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

fn limited(limits: Limits) -> Lab {
    Lab::with(Settings { limits, ..quick() })
}

#[test]
fn what_is_no_file_of_the_volume_is_counted_and_never_read() {
    let mut lab = Lab::new();
    let secret = lab.dir.path().join("secret");
    fs::write(&secret, "secret\n").unwrap();
    symlink(&secret, lab.path("link.log")).unwrap();
    symlink("/etc", lab.path("etc")).unwrap();
    symlink("/proc/self/environ", lab.path("environ.log")).unwrap();
    fs::hard_link(&secret, lab.path("hard.log")).unwrap();
    mkfifoat(CWD, lab.path("fifo.log"), Mode::from_raw_mode(0o666)).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(lab.path("socket.log")).unwrap();
    let device = rustix::fs::makedev(1, 5);
    let made = mknodat(
        CWD,
        lab.path("zero.log"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o666),
        device,
    );
    lab.append("fine.log", "fine\n");
    lab.expect(&["fine"]);
    lab.until("counted", |lab| {
        lab.refused("symlink") == 3
            && lab.refused("hard_link") == 1
            && lab.refused("fifo") == 1
            && lab.refused("socket") == 1
            && lab.refused("device") == u64::from(made.is_ok())
    });
    // what stops being refused is read: the other name of a file of its own is gone
    fs::hard_link(lab.path("fine.log"), lab.path("second.log")).unwrap();
    fs::remove_file(lab.path("link.log")).unwrap();
    lab.append("link.log", "a file now\n");
    lab.expect(&["a file now", "fine"]);
    fs::remove_file(lab.path("fine.log")).unwrap();
    lab.append("second.log", "once\n");
    lab.expect(&["a file now", "fine", "once"]);
    assert_eq!(lab.source("second.log").unwrap().state(), crate::source::State::Rotated);
    drop(socket);
}

#[test]
fn a_name_swapped_in_a_race_reads_nothing_from_outside() {
    let mut lab = Lab::new();
    let outside = lab.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("x.log"), "secret\n").unwrap();
    fs::create_dir(lab.path("real")).unwrap();
    lab.append("real/x.log", "mine\n");
    symlink(&outside, lab.path("trap")).unwrap();
    symlink(outside.join("x.log"), lab.path("trap.log")).unwrap();
    lab.append("real.log", "mine too\n");
    let stop = AtomicBool::new(false);
    let dir = lab.path("");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (from, to) in
                    [("real", "sub"), ("trap", "sub"), ("real.log", "x.log"), ("trap.log", "x.log")]
                {
                    fs::rename(dir.join(from), dir.join(to)).unwrap();
                    fs::rename(dir.join(to), dir.join(from)).unwrap();
                }
            }
        });
        let until = Instant::now() + Duration::from_millis(700);
        lab.ship_until("the race is over", |_| Instant::now() > until);
        stop.store(true, Ordering::Relaxed);
    });
    lab.expect(&["mine", "mine too"]);
    assert!(!lab.text().contains("secret"));
}

#[test]
fn a_rename_storm_costs_no_line_of_another_volume() {
    let mut lab = limited(Limits { events: 200, ..Limits::default() });
    let other = lab.dir.path().join("other");
    fs::create_dir(&other).unwrap();
    lab.files.set_volumes(Arc::new(vec![volume(&lab.path(""), "one"), volume(&other, "two")]));
    lab.append("s.log", "stormy\n");
    let stop = AtomicBool::new(false);
    let dir = lab.path("");
    let expected: Vec<String> = (0..50).map(|n| format!("calm {n}")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(dir.join("s.log"), dir.join("t.log")).unwrap();
                fs::rename(dir.join("t.log"), dir.join("s.log")).unwrap();
            }
        });
        for line in &expected {
            let mut file =
                OpenOptions::new().create(true).append(true).open(other.join("c.log")).unwrap();
            writeln!(file, "{line}").unwrap();
            lab.ship_until(line, |lab| lab.text().contains(&format!("{line}\n")));
        }
        lab.ship_until("counted", |lab| lab.files.figures().iter().any(|f| f.storms > 0));
        stop.store(true, Ordering::Relaxed);
    });
    lab.append("s.log", "over\n");
    lab.ship_until("over", |lab| lab.text().contains("over\n"));
    assert_eq!(lab.lines().len(), 52, "{:?}", lab.lines());
}

#[test]
fn more_files_than_the_limit_are_counted_and_the_rest_is_read() {
    let mut lab =
        limited(Limits { files: 50, directories: 5, entries: 10_000, ..Limits::default() });
    for n in 0..300 {
        lab.append(&format!("{n}.log"), &format!("{n}\n"));
    }
    for n in 0..20 {
        fs::create_dir(lab.path(&format!("d{n}"))).unwrap();
    }
    lab.ship_until("all that may be", |lab| {
        lab.lines().len() == 50 && lab.refused("too_many") >= 250 + 16
    });
    // room is made
    let gone: Vec<_> = lab.files.all().iter().map(|s| s.name().shown()).collect();
    for name in gone {
        fs::remove_file(lab.path(&name)).unwrap();
    }
    lab.ship_until("the next", |lab| lab.lines().len() == 100);
}

/// Names alone, in memory where there is such a file system: what is tested is not how fast a disk makes files.
#[test]
fn a_hundred_thousand_files() {
    let limits = Limits { files: 2_000, entries: 20_000, ..Limits::default() };
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let mut lab = Lab::within(dir, Settings { limits, ..quick() });
    for n in 0..100_000 {
        rustix::fs::mknodat(
            CWD,
            lab.path(&n.to_string()),
            FileType::RegularFile,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
    }
    lab.until("counted", |lab| {
        lab.refused("too_many") > 0 && lab.files.figures()[0].files == 2_000
    });
    let name = lab.files.all()[1_999].name().shown();
    lab.append(&name, "told\n");
    lab.expect(&["told"]);
}

#[test]
fn deep_trees_and_names_of_any_bytes() {
    let mut lab = Lab::new();
    let mut path = lab.path("");
    for _ in 0..30 {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    fs::write(path.join("x.log"), "too deep\n").unwrap();
    let names: [&[u8]; 4] =
        [b"\n\x1b[31m.log", b"\xff\xfe%00.log", "\u{202e}gol.log".as_bytes(), b"-rf *"];
    for name in names {
        fs::write(lab.path("").join(OsStr::from_bytes(name)), "named\n").unwrap();
    }
    fs::write(lab.path(&"n".repeat(255)), "named\n").unwrap();
    lab.expect(&["named"; 5]);
    lab.until("counted", |lab| lab.refused("too_deep") == 1);
    for source in lab.files.all() {
        let shown = source.name().shown();
        assert!(!shown.contains(char::is_control), "{shown}");
        assert_eq!(FileName::parse_shown(&shown).unwrap(), *source.name());
    }
}

#[test]
fn a_sparse_file_costs_no_time_and_its_hole_is_counted() {
    let mut lab = Lab::new();
    let exa: u64 = 1 << 43;
    let file = fs::File::create(lab.path("a.log")).unwrap();
    file.write_all_at(b"before\n", 0).unwrap();
    // as far as the file system goes
    let end =
        [exa, 1 << 40].into_iter().find(|end| file.write_all_at(b"after\n", *end).is_ok()).unwrap();
    let text = |lab: &Lab| lab.text().replace('\0', "");
    lab.ship_until("both ends", |lab| text(lab) == "before\nafter\n");
    assert!(lab.shipped.skipped > end - (1 << 20), "{}", lab.shipped.skipped);
    // a writer that did not notice the truncation leaves NUL bytes before its next line
    let file = fs::File::create(lab.path("b.log")).unwrap();
    file.write_all_at(b"one\n", 0).unwrap();
    lab.ship_until("one", |lab| text(lab).contains("one\n"));
    file.set_len(0).unwrap();
    file.write_all_at(b"two\n", 10_000).unwrap();
    lab.ship_until("two", |lab| text(lab).contains("two\n"));
    assert!(lab.shipped.bytes.values().all(|bytes| bytes.len() < 100_000));
    // nothing but a hole
    fs::File::create(lab.path("c.log")).unwrap().set_len(1 << 40).unwrap();
    let all_of_c =
        |lab: &Lab| lab.source("c.log").is_some_and(|s| s.acknowledged_to().mark.offset == 1 << 40);
    lab.ship_until("the hole", |lab| all_of_c(lab));
}

#[test]
fn an_endless_line_is_read_in_bounded_parts() {
    let mut lab = Lab::new();
    lab.append("a.log", &"x".repeat(3 * LONGEST));
    lab.ship_until("all of it", |lab| lab.text().len() == 3 * LONGEST);
    let bytes = lab.shipped.bytes.values().next().unwrap();
    assert!(Lines::new(bytes, false).all(|piece| piece.end - piece.start <= LONGEST));
}

#[test]
fn forged_times_hide_nothing() {
    let mut lab = Lab::new();
    lab.append("a.log", "one\n");
    lab.expect(&["one"]);
    for (n, at) in [0, 4_000_000_000].into_iter().enumerate() {
        let time = std::time::UNIX_EPOCH + Duration::from_secs(at);
        lab.append("a.log", &format!("{n}\n"));
        fs::File::open(lab.path("a.log")).unwrap().set_modified(time).unwrap();
        fs::File::open(lab.path("")).unwrap().set_modified(time).unwrap();
        lab.append(&format!("{n}.log"), &format!("new {n}\n"));
    }
    lab.expect(&["one", "0", "1", "new 0", "new 1"]);
}

/// Truncated and written anew without a pause while it is read: no error, no panic, and whatever is read is whole lines of one generation.
#[test]
fn truncation_in_mid_read_is_no_error() {
    let mut lab = Lab::new();
    let stop = AtomicBool::new(false);
    let path = lab.path("a.log");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                let line = format!("{round:0>40}\n");
                fs::write(&path, line.repeat(2_000)).unwrap();
                round += 1;
            }
        });
        let until = Instant::now() + Duration::from_millis(700);
        lab.ship_until("long enough", |_| Instant::now() > until);
        stop.store(true, Ordering::Relaxed);
    });
    lab.append("a.log", "the end\n");
    lab.ship_until("the end", |lab| lab.text().contains("the end\n"));
    // copies of pages race with the truncation itself, so a line may be cut; never may one be made of foreign bytes
    assert!(lab.lines().iter().all(|l| l == "the end" || l.bytes().all(|b| b.is_ascii_digit())));
}

#[test]
fn deleted_files_beyond_the_limits_are_gaps() {
    let lab = limited(Limits { deleted: 3, ..Limits::default() });
    for n in 0..10 {
        lab.append(&format!("{n}.log"), "0123456789\n");
    }
    lab.until("found", |lab| lab.files.all().iter().filter(|s| s.len() == 11).count() == 10);
    for n in 0..10 {
        fs::remove_file(lab.path(&format!("{n}.log"))).unwrap();
    }
    lab.until("given up", |lab| lab.gaps("too_many_deleted") == (7, 77));
    assert_eq!(lab.files.take_gaps().len(), 7);
    assert_eq!(lab.files.all().len(), 3);
    let lab = limited(Limits { deleted_bytes: 100_000, ..Limits::default() });
    lab.append("big.log", &"x".repeat(200_000));
    lab.until("found", |lab| lab.files.all().iter().any(|s| s.len() == 200_000));
    fs::remove_file(lab.path("big.log")).unwrap();
    lab.until("given up", |lab| lab.gaps("deleted_bytes") == (1, 200_000));
}

#[test]
fn quiet_files_beyond_the_limit_are_closed_and_opened_again() {
    let mut lab = limited(Limits { open: 16, ..Limits::default() });
    for n in 0..40 {
        lab.append(&format!("{n}.log"), &format!("{n}\n"));
    }
    lab.ship_until("all", |lab| lab.lines().len() == 40);
    let open = |lab: &Lab| lab.files.all().iter().filter(|s| s.inner().file.is_some()).count();
    lab.until("closed", |lab| open(lab) <= 16);
    lab.append("7.log", "more\n");
    lab.ship_until("more", |lab| lab.text().contains("more\n"));
}

#[test]
fn a_crowd_leaves_descriptors_to_others() {
    let lab = limited(Limits { open: 64, ..Limits::default() });
    let crowd = lab.dir.path().join("crowd");
    fs::create_dir(&crowd).unwrap();
    lab.files.set_volumes(Arc::new(vec![volume(&crowd, "crowd"), volume(&lab.path(""), "one")]));
    for n in 0..300 {
        fs::write(crowd.join(format!("{n}.log")), format!("{n}\n")).unwrap();
    }
    let open = |lab: &Lab, of: &str| {
        let all = lab.files.all();
        let of = all.iter().filter(|s| s.instance().id.as_str() == of);
        of.filter(|s| s.inner().file.is_some()).count()
    };
    lab.until("found", |lab| lab.files.all().len() == 300);
    assert!(open(&lab, "crowd") <= 32, "half of the places");
    for n in 0..8 {
        lab.append(&format!("{n}.log"), "honest\n");
    }
    lab.until("found", |lab| lab.files.all().len() == 308);
    assert_eq!(open(&lab, "one"), 8, "each has its place");
    assert!(lab.files.open().0 <= 40 && lab.files.open().1 == 64, "{:?}", lab.files.open());
}

#[test]
fn of_docker_s_own_files_only_the_log_is_read() {
    let settings = Settings { include: vec!["*.nothing".into()], ..quick() };
    let lab = Lab::with(settings);
    let dir = lab.path("");
    let docker = Volume { form: Form::DockerJson, ..volume(&dir, "one") };
    lab.files.set_volumes(Arc::new(vec![docker.clone()]));
    let form = |lab: &Lab| lab.files.figures().first().map(|f| f.volume.form);
    lab.until("Docker's", |lab| form(lab) == Some(Form::DockerJson));
    let id = "a".repeat(64);
    for name in [format!("{id}-json.log"), format!("{id}-json.log.1"), "config.v2.json".into()] {
        lab.append(&name, &format!("{name}\n"));
    }
    fs::create_dir(lab.path("mounts")).unwrap();
    lab.append("mounts/x-json.log", "secret\n");
    lab.until("found", |lab| lab.files.all().len() == 2);
    lab.until("refused", |lab| lab.refused("excluded") == 2);
    // not even if its inode is remembered from when the directory was an ordinary volume
    let known = {
        let meta = fs::metadata(lab.path("config.v2.json")).unwrap();
        let identity = crate::identity::Identity {
            dev: std::os::unix::fs::MetadataExt::dev(&meta),
            ino: std::os::unix::fs::MetadataExt::ino(&meta),
            birth: None,
            head: crate::identity::Head::EMPTY,
        };
        Known { identity, mark: Mark::START, name: FileName::new("config.v2.json").unwrap() }
    };
    let again = Files::resume(lab.settings.clone(), vec![known]).unwrap();
    again.set_volumes(Arc::new(vec![docker]));
    let until = Instant::now() + DEADLINE;
    while again.all().len() < 2 || again.figures().iter().all(|f| f.refused.is_empty()) {
        assert!(Instant::now() < until, "{:?}", again.figures());
        again.woken(0).wait(Duration::from_millis(5), 64);
    }
    assert!(again.all().iter().all(|s| s.name().bytes().starts_with(id.as_bytes())));
    again.stop();
}
