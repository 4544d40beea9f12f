//! Walks of real trees, and the thread over a `/proc` made of files.

use super::*;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn open(path: &Path) -> OwnedFd {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    walk::open_dir(rustix::fs::CWD, &path).unwrap()
}

fn size_within(path: &Path, inodes: u64) -> Size {
    let mut size = Size::default();
    walk(open(path), &mut Bounds::new(inodes), &mut size, || Ok(())).unwrap();
    size
}

fn size(path: &Path) -> Size {
    size_within(path, u64::MAX)
}

/// What `du` says, in bytes and inodes.
fn du(path: &Path, kind: &str) -> u64 {
    let out = std::process::Command::new("du").args(["-sx", kind]).arg(path).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// Waits for a state of the thread.
fn until<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(got) = get() {
            return got;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_same_as_du_with_links_holes_and_odd_files() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    fs::create_dir_all(top.join("a/b/c")).unwrap();
    fs::write(top.join("a/file"), vec![1; 100_000]).unwrap();
    fs::write(top.join("a/b/empty"), "").unwrap();
    fs::write(top.join("a/b/with blank\n and \u{e9}"), "x").unwrap();
    for i in 0..50 {
        fs::hard_link(top.join("a/file"), top.join(format!("a/b/c/link{i}"))).unwrap();
    }
    // a gigabyte long, nothing on disk
    fs::File::create(top.join("hole")).unwrap().set_len(1 << 30).unwrap();
    symlink("/", top.join("a/to-root")).unwrap();
    symlink("..", top.join("a/b/loop")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    let fifo = top.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let got = size(top);
    assert_eq!((got.bytes, got.inodes), (du(top, "-B1"), du(top, "--inodes")));
    assert!(!got.incomplete && got.unreadable == 0);
    assert!(got.bytes < 1 << 20);
}

#[test]
fn depth_is_bounded_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().to_owned();
    for _ in 0..300 {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    let got = size(dir.path());
    assert_eq!((got.inodes, got.incomplete, got.unreadable), (129, true, 0));
}

#[test]
fn the_budget_is_kept_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..100 {
        fs::write(dir.path().join(i.to_string()), "x").unwrap();
    }
    let all = size_within(dir.path(), 100);
    assert_eq!((all.inodes, all.incomplete), (101, false));
    let cut = size_within(dir.path(), 99);
    assert_eq!((cut.inodes, cut.incomplete), (100, true));
}

#[test]
fn what_vanishes_on_the_way_was_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let sub = dir.path().join("sub/deep");
            while !stop.load(Ordering::Relaxed) {
                fs::create_dir_all(&sub).unwrap();
                for i in 0..20 {
                    fs::write(sub.join(i.to_string()), "x").unwrap();
                }
                fs::remove_dir_all(dir.path().join("sub")).unwrap();
            }
        });
        for _ in 0..500 {
            let got = size(dir.path());
            assert!(got.inodes >= 1 && !got.incomplete, "{got:?}");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_directory_that_may_not_be_read_makes_it_at_least() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("closed")).unwrap();
    fs::write(dir.path().join("closed/file"), "x").unwrap();
    fs::write(dir.path().join("open"), "x").unwrap();
    fs::set_permissions(dir.path().join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    // root reads everything: this thread gives that up
    let got = std::thread::scope(|scope| {
        let walk = || {
            let mut mine = capabilities(None).unwrap();
            mine.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
            set_capabilities(None, mine).unwrap();
            size(dir.path())
        };
        scope.spawn(walk).join().unwrap()
    });
    assert_eq!((got.inodes, got.incomplete, got.unreadable), (3, true, 1));
}

#[test]
fn a_walk_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let stopped =
        walk(open(dir.path()), &mut Bounds::new(9), &mut Size::default(), || Err(Stopped));
    assert_eq!(stopped, Err(Stopped));
}

/// A `/proc` with one process, whose root is an overlay with this upper directory.
fn proc_with(upper: &str) -> tempfile::TempDir {
    let proc = tempfile::tempdir().unwrap();
    fs::create_dir(proc.path().join("7")).unwrap();
    fs::write(proc.path().join("7/cgroup"), "0::/docker/c0ffee\n").unwrap();
    let mounts =
        format!("1 0 0:9 / / rw - overlay overlay rw,lowerdir=/l,upperdir={upper},workdir=/w\n");
    fs::write(proc.path().join("7/mountinfo"), mounts).unwrap();
    proc
}

fn target(logs: &[&Path]) -> Target {
    let log_sources = logs.iter().map(|path| path.to_path_buf()).collect();
    Target { id: "c0ffee".to_owned(), pid: 7, cgroup: Some("c0ffee".to_owned()), log_sources }
}

fn start(proc: &Path) -> DiskUsage {
    let every = Duration::from_millis(20);
    let proc = proc.to_owned();
    DiskUsage::start(Settings { proc, every, inodes_per_second: 100_000, inodes_max: 1_000 })
        .unwrap()
}

#[test]
fn layer_and_logs_are_measured_again_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (upper, logs) = (dir.path().join("upper"), dir.path().join("logs"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&logs).unwrap();
    fs::write(upper.join("a"), "x").unwrap();
    let proc = proc_with(upper.to_str().unwrap());
    let usage = start(proc.path());
    assert_eq!(usage.get("c0ffee"), None);
    usage.set_targets(vec![target(&[&logs, &logs.join(".")])]);
    let first = until("the first walk", || usage.get("c0ffee"));
    let (layer, log) = (first.writable.unwrap(), first.logs.unwrap());
    assert_eq!((layer.inodes, log.inodes, layer.complete), (2, 1, true));
    assert_eq!(layer.bytes, du(&upper, "-B1"));
    fs::write(logs.join("app.log"), "line\n").unwrap();
    until("the new log", || usage.get("c0ffee").filter(|m| m.logs.is_some_and(|u| u.inodes == 2)));
    usage.set_targets(Vec::new());
    assert_eq!(usage.get("c0ffee"), None);
    assert!(usage.stats().walks >= 2 && usage.stats().failures.is_empty());
}

#[test]
fn one_failure_does_not_hide_the_other_figure() {
    let logs = tempfile::tempdir().unwrap();
    for (upper, cause) in [("/no/such/dir", "open"), ("diff/relative", "relative")] {
        let proc = proc_with(upper);
        let usage = start(proc.path());
        usage.set_targets(vec![target(&[logs.path()])]);
        let got = until("a walk", || usage.get("c0ffee"));
        assert!(got.writable.is_none() && got.logs.is_some());
        assert!(usage.stats().failures[cause] >= 1);
    }
    // a process id that is another container's by now
    let proc = proc_with("/tmp");
    let usage = start(proc.path());
    usage.set_targets(vec![Target {
        id: "other".to_owned(),
        cgroup: Some("other".to_owned()),
        ..target(&[])
    }]);
    let got = until("a walk", || usage.get("other"));
    assert_eq!(got, Measured { writable: None, logs: None });
    assert!(usage.stats().failures["process"] >= 1);
}

#[test]
fn the_rate_is_kept_and_the_end_is_prompt() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..400 {
        fs::write(dir.path().join(i.to_string()), "").unwrap();
    }
    let proc = proc_with(dir.path().to_str().unwrap());
    let settings = Settings { proc: proc.path().to_owned(), ..Settings::default() };
    let begun = Instant::now();
    let usage =
        DiskUsage::start(Settings { inodes_per_second: 1_000, ..settings.clone() }).unwrap();
    usage.set_targets(vec![target(&[])]);
    until("a walk", || usage.get("c0ffee"));
    assert!(begun.elapsed() >= Duration::from_millis(380), "{:?}", begun.elapsed());
    drop(usage);

    // at this rate it would take an hour
    let usage = DiskUsage::start(Settings { inodes_per_second: 1, ..settings }).unwrap();
    let shared = Arc::downgrade(&usage.shared);
    usage.set_targets(vec![target(&[])]);
    until("the walk to begin", || usage.stats().walking);
    drop(usage);
    until("the thread to end", || shared.upgrade().is_none().then_some(()));
}
