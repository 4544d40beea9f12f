//! What following costs: the wake-up in every run, the rest on request (`cargo test -p log-agent -- --ignored --nocapture cost`).

use super::*;

/// CPU time of this process's thread of that name, from the kernel's accounting, in ticks of 10 ms.
fn ticks(thread: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let stats = tasks.filter_map(|t| fs::read_to_string(t.unwrap().path().join("stat")).ok());
    let of = stats.filter(|s| s.contains(&format!("({thread})")));
    of.map(|s| {
        s.rsplit(") ")
            .next()
            .unwrap()
            .split(' ')
            .skip(11)
            .take(2)
            .map(|n| n.parse::<u64>().unwrap())
            .sum::<u64>()
    })
    .sum()
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

/// Microseconds from a write to the wake-up, sorted.
fn wake_ups(lab: &mut Lab, file: &str, times: usize, between: Duration) -> Vec<u128> {
    lab.append(file, "first\n");
    lab.ship_until("found", |lab| lab.text().contains("first\n"));
    let mut waits = Vec::new();
    for _ in 0..times {
        // nothing is due: the wait takes its whole time, unless something is told late
        while !lab.files.woken(0).wait(between, 64).is_empty() {}
        let source = lab.source(file).unwrap();
        let len = source.len();
        let at = Instant::now();
        lab.append(file, "x\n");
        while source.len() == len {
            lab.files.woken(0).wait(DEADLINE, 64);
        }
        waits.push(at.elapsed().as_micros());
        lab.shipped.ship(&source);
    }
    waits.sort_unstable();
    waits
}

#[test]
fn a_write_is_told_within_milliseconds() {
    let mut lab = Lab::with(Settings::default());
    let waits = wake_ups(&mut lab, "a.log", 50, Duration::from_millis(3));
    // half of them, so that a busy machine is no failure; polling would need its whole period
    assert!(waits[25] < 20_000, "{waits:?}");
}

#[test]
#[ignore = "measures"]
fn cost_of_waking() {
    for between in [1, 20] {
        let mut lab = Lab::with(Settings::default());
        let waits = wake_ups(&mut lab, "a.log", 300, Duration::from_millis(between));
        println!(
            "write to wake-up, {between} ms apart: p50 {} us, p99 {} us",
            waits[150], waits[297]
        );
    }
}

#[test]
#[ignore = "measures"]
fn cost_of_idle_files() {
    for count in [1_000, 10_000] {
        let before = resident();
        let mut lab = Lab::with(Settings { exclude: Vec::new(), ..Settings::default() });
        for n in 0..count {
            lab.append(&format!("{n}.log"), &format!("{n}\n"));
        }
        lab.ship_until("all", |lab| {
            lab.files.all().iter().filter(|s| s.start().is_some()).count() == count
        });
        lab.ship_until("shipped", |lab| lab.shipped.cursors.len() == count);
        // the first looks after that are for what changed just now
        let at = Instant::now();
        lab.until("time is over", |_| at.elapsed() > Duration::from_secs(12));
        let (ticks_before, at) = (ticks("follow"), Instant::now());
        lab.until("time is over", |_| at.elapsed() > Duration::from_secs(19));
        let cpu = (ticks("follow") - ticks_before) as f64 / at.elapsed().as_secs_f64();
        println!(
            "{count} idle files: {cpu:.3} % of a core, {} MB (with what the test keeps)",
            resident() - before
        );
    }
}

#[test]
#[ignore = "measures"]
fn cost_for_writers() {
    let write = |dir: &Path| {
        let mut file = fs::File::create(dir.join("w.log")).unwrap();
        let at = Instant::now();
        let line = [b'x'; 200];
        for _ in 0..2_000_000 {
            file.write_all(&line).unwrap();
        }
        at.elapsed().as_nanos() / 2_000_000
    };
    let plain = tempfile::tempdir().unwrap();
    let lab = Lab::with(Settings { ships: false, ..Settings::default() });
    println!("200 bytes: {} ns unwatched", write(plain.path()));
    let before = ticks("follow");
    println!(
        "200 bytes: {} ns followed, follower {} ms",
        write(&lab.path("")),
        (ticks("follow") - before) * 10
    );
    println!("200 bytes: {} ns unwatched", write(plain.path()));
}
