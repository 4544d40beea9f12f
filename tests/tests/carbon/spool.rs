//! The process killed, the disk full, the cap reached, with a real Graphite at the end.

use crate::support::*;
use common::carbon::{Carbon, Settings};
use e2e::graphite::{Graphite, eventually};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SPOOL: &str = "QAE_TEST_CHILD_SPOOL";
const ADDRESS: &str = "QAE_TEST_CHILD_CARBON";

/// Not a test: the process that `killed_at_any_moment` kills. Submits a batch for every slot of the last hour, and says so.
#[test]
#[ignore = "started by killed_at_any_moment_no_submitted_batch_is_lost"]
fn child() {
    let (Ok(spool), Ok(address)) = (std::env::var(SPOOL), std::env::var(ADDRESS)) else { return };
    let running = Running::start(Settings {
        replay_window: Duration::from_millis(1),
        ..settings(&[address], Path::new(&spool))
    });
    let end = now();
    for timestamp in (0..360).rev().map(|i| end - i * 10) {
        running.carbon.submit(&batch("i1", timestamp, 40));
        println!("submitted {timestamp}");
        std::thread::sleep(Duration::from_millis(3));
    }
    std::thread::park();
}

#[test]
fn killed_at_any_moment_no_submitted_batch_is_lost() {
    let graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "spool::child", "--ignored", "--nocapture"])
        .env(SPOOL, dir.path())
        .env(ADDRESS, graphite.line_addr())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut submitted: Vec<u64> = Vec::new();
    for line in out.lines() {
        if let Some((_, timestamp)) = line.unwrap().split_once("submitted ") {
            submitted.push(timestamp.parse().unwrap());
        }
        if submitted.len() == 100 {
            // SIGKILL, in the middle of sending and submitting; lines already written are still read
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!((100..360).contains(&submitted.len()), "{}", submitted.len());
    let running = Running::start(settings(&[graphite.line_addr()], dir.path()));
    running.drained();
    let (first, last) = (submitted[0], submitted[submitted.len() - 1]);
    for i in [0, 17, 39] {
        eventually(LIMIT, "every submitted point", || {
            let points = graphite.points(&path("i1", i), first - 10, last);
            let values_right = points.iter().all(|(_, v)| *v == (i + 1) as f64);
            assert!(values_right, "a point nobody made");
            (points.len() == submitted.len()).then_some(())
        });
    }
}

/// A file system of a few MB, unmounted on drop.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(dir.path()).status().unwrap();
        assert!(mounted.success(), "mounting a tmpfs needs root");
        Self(dir)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(e) = Command::new("umount").args(["-l"]).arg(self.0.path()).status() {
            eprintln!("umount: {e}");
        }
    }
}

#[test]
fn a_full_disk_under_the_spool_loses_nothing_while_memory_lasts() {
    let mut graphite = Graphite::start();
    graphite.stop();
    let disk = SmallDisk::mount("1m");
    let spool = disk.0.path().join("spool");
    let running = Running::start(settings(&[graphite.line_addr()], &spool));
    let end = now();
    let timestamps: Vec<u64> = (0..60).rev().map(|i| end - i * 10).collect();
    // 60 times 42 KB do not fit into 1 MiB
    for timestamp in &timestamps {
        running.carbon.submit(&batch("i1", *timestamp, 700));
    }
    let status = running.carbon.status();
    assert!(status.spool_error.as_deref().unwrap().contains("space"), "{status:#?}");
    assert!(status.disk_bytes > 300_000 && status.memory_bytes > 500_000, "{status:#?}");
    assert_eq!((status.waiting_points, status.dropped_disk_points), (42_000, 0));
    // it is sent while the disk is still full
    graphite.start_again();
    let status = running.drained();
    balanced(&status);
    assert_eq!(
        status.dropped_at_cap_points + status.dropped_disk_points + status.damaged_points,
        0
    );
    for i in [0, 350, 699] {
        eventually(LIMIT, "every point of the outage", || {
            (graphite.points(&path("i1", i), timestamps[0] - 10, end).len() == 60).then_some(())
        });
    }
    // room again: back to the disk
    let remount =
        Command::new("mount").args(["-o", "remount,size=16m"]).arg(disk.0.path()).status();
    assert!(remount.unwrap().success());
    running.carbon.submit(&batch("i2", end, 10));
    let status = running.drained();
    assert_eq!((status.spool_error, status.memory_bytes), (None, 0));
    // attempts that failed left nothing behind
    let files = std::fs::read_dir(&spool).unwrap().flatten();
    let segments = files.filter(|f| f.path().extension().is_some_and(|e| e == "segment"));
    let sizes: u64 = segments.map(|f| f.metadata().unwrap().len()).sum();
    assert_eq!(sizes, status.disk_bytes);
}

#[test]
fn at_the_cap_the_oldest_go_the_newest_arrive_and_the_count_is_right() {
    let graphite = Graphite::start();
    let dir = tempfile::tempdir().unwrap();
    let capped = Settings { spool_max: 1 << 20, ..settings(&[graphite.line_addr()], dir.path()) };
    let carbon = Carbon::open(capped).unwrap();
    let end = now();
    let timestamps: Vec<u64> = (0..60).rev().map(|i| end - i * 10).collect();
    for timestamp in &timestamps {
        carbon.submit(&batch("i1", *timestamp, 700));
    }
    let status = carbon.status();
    assert!(status.disk_bytes <= 1 << 20);
    assert!(status.dropped_at_cap_points > 0);
    assert_eq!(status.dropped_at_cap_points + status.waiting_points, 42_000);
    let kept = usize::try_from(status.waiting_points / 700).unwrap();
    let running = Running::of(carbon);
    balanced(&running.drained());
    eventually(LIMIT, "exactly the newest", || {
        let points = graphite.points(&path("i1", 699), timestamps[0] - 10, end);
        let seen: Vec<u64> = points.iter().map(|(t, _)| *t).collect();
        (seen == timestamps[60 - kept..]).then_some(())
    });
}
