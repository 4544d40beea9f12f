//! What it costs, on this machine: run with `--ignored --nocapture`.

use super::*;
use std::io::Write;
use std::time::Instant;

/// Lines that say when they were written, `per_second` of them, and how late each viewer saw them.
async fn lateness(viewers: usize, per_second: u32, seconds: u32) -> (Vec<u128>, f64) {
    let server = Server::start().await;
    server.lab.write("a.log", b"begin\n");
    server.lab.source("a.log");
    let mut watching = Vec::new();
    for _ in 0..viewers {
        let mut watcher = server.watch("file=a.log").await;
        watcher.lines_until("begin").await;
        watching.push(watcher);
    }
    let epoch = Instant::now();
    let path = server.lab.path("a.log");
    let writer = std::thread::spawn(move || {
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        for n in 0..per_second * seconds {
            let due = Duration::from_secs_f64(f64::from(n) / f64::from(per_second));
            std::thread::sleep(due.saturating_sub(epoch.elapsed()));
            let padding = "x".repeat(80);
            writeln!(file, "{} {padding}", epoch.elapsed().as_micros()).unwrap();
        }
        writeln!(file, "over").unwrap();
    });
    let cpu = || common::own::Own::read().cpu_ms.unwrap();
    let before = cpu();
    let mut late = Vec::new();
    let mut rest = watching.split_off(1);
    // the others are read as raw as may be: they are the load, not what is measured
    let others = tokio::spawn(async move {
        let reads = rest.iter_mut().map(|w| async {
            while let Some(Ok(message)) = w.socket.next().await {
                if message.to_text().is_ok_and(|text| text.contains("\"over\"")) {
                    break;
                }
            }
        });
        futures_util::future::join_all(reads).await;
    });
    let mut over = false;
    while !over {
        if let Frame::Lines { lines, .. } = watching[0].frame().await.unwrap().frame {
            let now = epoch.elapsed().as_micros();
            for line in lines {
                over |= line == "over";
                let at = line.split(' ').next().and_then(|at| at.parse::<u128>().ok());
                late.extend(at.map(|at| now - at));
            }
        }
    }
    others.await.unwrap();
    let took = epoch.elapsed().as_secs_f64();
    writer.join().unwrap();
    late.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "some seconds")]
    let cores = (cpu() - before) as f64 / 1_000.0 / took;
    println!(
        "{viewers} viewers, {per_second} lines/s: p50 {} us, p99 {} us, max {} us; {cores:.2} cores (server and viewers); {:?}",
        late[late.len() / 2],
        late[late.len() * 99 / 100],
        late[late.len() - 1],
        server.live.figures()
    );
    (late, cores)
}

#[tokio::test]
#[ignore = "a measurement"]
async fn lines_are_seen_at_once() {
    let mut told = Vec::new();
    for (viewers, per_second) in [(200, 2_000), (1, 20), (1, 2_000)] {
        let (late, cores) = lateness(viewers, per_second, 5).await;
        told.push((late[late.len() / 2], late[late.len() * 99 / 100], cores));
    }
    let alone = &told[1..];
    assert!(alone.iter().all(|(half, most, _)| *half < 10_000 && *most < 50_000), "{told:?}");
    assert!(told[0].2 < 2.0, "{told:?}");
}

#[tokio::test]
#[ignore = "a measurement"]
async fn a_backlog_is_read_fast() {
    let server = Server::start().await;
    let line = format!(
        "{}\n",
        "0123456789 INFO a line of one hundred bytes, as most of them are ".repeat(2)
    );
    server.lab.write("a.log", line.repeat(1_000_000).as_bytes());
    server.lab.source("a.log");
    for query in ["file=a.log&lines=0", "file=a.log&lines=0&grep=nothing"] {
        let mut watcher = server.watch(query).await;
        let source = match watcher.frame().await.unwrap().frame {
            Frame::Hello { of, .. } => of.source,
            other => panic!("{other:?}"),
        };
        let begun = Instant::now();
        let mut watcher = server.watch(&format!("{query}&from={source}.0.0")).await;
        let mut bytes = 0;
        let end = line.len() as u64 * 1_000_000;
        while bytes < end - (1 << 20) {
            let message = watcher.socket.next().await.unwrap().unwrap();
            let text = message.to_text().unwrap();
            // the frame's own word for how far it got, behind its lines
            let next = text.rsplit_once("\"next\":").and_then(|(_, rest)| rest.split(',').next());
            bytes = next.and_then(|n| n.parse().ok()).unwrap_or(bytes);
        }
        let mb = bytes as f64 / 1e6;
        println!("{query}: {:.0} MB/s", mb / begun.elapsed().as_secs_f64());
    }
}
