//! Viewers of one file: what they cost log-agent, and how soon one of them has a line that was just written.

use super::shipper::{Place, Shipper};
use super::{Sink, figure};
use crate::process::{cpu_seconds, resident};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use common::api_types::live::PROTOCOL;
use common::http::{Options, Socket, Url, bearer};
use common::moment::Moment;
use common::ticket::{PublicKeys, Right, SigningKey, Ticket, sign};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Viewers, lines a second, and the goal.
const LOADS: [(usize, u32, &str); 3] = [
    (1, 50, "p50 10 ms, p99 50 ms"),
    (1, 2_000, "p50 10 ms, p99 50 ms"),
    (200, 2_000, "under one core"),
];
const SECONDS: u32 = 10;
const SILENCE: Duration = Duration::from_secs(20);

pub fn run(binary: &Path) -> Result<Table> {
    let mut table = Table::new(&["viewers", "lines/s", "p50 ms", "p99 ms", "CPU %", "RSS", "goal"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (viewers, rate, goal) in LOADS {
        table.row(runtime.block_on(measure(binary, viewers, rate, goal))?);
    }
    Ok(table)
}

async fn measure(binary: &Path, viewers: usize, rate: u32, goal: &str) -> Result<Vec<String>> {
    let shipper = Shipper::LogAgent(binary.to_owned());
    let place = Place::new()?;
    let ticket = ticket(&place)?;
    let sink = Sink::start(&shipper, None)?;
    let path = place.volume().join("a.log");
    std::fs::write(&path, "begin\n")?;
    let process = shipper.start(&place, "*.log", sink.address)?;
    sink.arrived.wait(1, Duration::from_secs(30))?;
    let url = Url::parse(&format!(
        "http://{}/v1/logs/one/stream?file=a.log&lines=0",
        place.listens(Duration::from_secs(30))?
    ))?;
    let mut sockets = Vec::new();
    for _ in 0..viewers {
        let options = Options { max_body: 4 << 20, ..Options::default() };
        let mut socket = Socket::open(&url, PROTOCOL, bearer(&ticket), &options).await?;
        let hello = socket.next(SILENCE).await?.context("no hello")?;
        ensure!(hello.contains("\"hello\""), "not greeted: {hello}");
        sockets.push(socket);
    }
    let epoch = Instant::now();
    let before = cpu_seconds(process.pid())?;
    let writer = std::thread::spawn(move || write(&path, epoch, rate));
    let mut first = sockets.remove(0);
    // the others are read as raw as may be: they are the load, not what is measured
    let others: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            tokio::spawn(async move {
                while let Ok(Some(text)) = socket.next(SILENCE).await {
                    if text.contains("\"over\"") {
                        return true;
                    }
                }
                false
            })
        })
        .collect();
    let mut late = Vec::new();
    let (mut over, mut last) = (false, String::new());
    while !over {
        let text = tokio::time::timeout(SILENCE, first.next(SILENCE)).await;
        let text = text.with_context(|| format!("no line came after {last}"))??;
        let text = text.with_context(|| format!("the stream ended after {last}"))?;
        let now = epoch.elapsed();
        let frame: serde_json::Value = serde_json::from_str(&text)?;
        last = text
            .chars()
            .take(300)
            .chain(text.chars().skip(text.len().saturating_sub(200).max(300)))
            .collect::<String>();
        for line in frame["lines"].as_array().into_iter().flatten().filter_map(|l| l.as_str()) {
            over |= line == "over";
            let at = line.split(' ').next().and_then(|at| at.parse().ok());
            late.extend(at.map(|at| now.saturating_sub(Duration::from_micros(at))));
        }
    }
    for other in others {
        ensure!(other.await?, "a viewer did not see the end");
    }
    let cpu = (cpu_seconds(process.pid())? - before) / epoch.elapsed().as_secs_f64();
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    ensure!(!late.is_empty(), "no line came");
    late.sort_unstable();
    let at =
        |share: usize| late[(late.len() * share / 100).min(late.len() - 1)].as_secs_f64() * 1e3;
    Ok(vec![
        viewers.to_string(),
        rate.to_string(),
        format!("{:.2}", at(50)),
        format!("{:.2}", at(99)),
        format!("{:.1}", cpu * 100.0),
        format!("{:.1} MB", figure(resident(process.pid())?) / 1e6),
        goal.to_owned(),
    ])
}

/// Lines that say when they were written, in microseconds.
fn write(path: &Path, epoch: Instant, rate: u32) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    let padding = "x".repeat(80);
    for n in 0..rate * SECONDS {
        let due = Duration::from_secs_f64(f64::from(n) / f64::from(rate));
        std::thread::sleep(due.saturating_sub(epoch.elapsed()));
        writeln!(file, "{} {padding}", epoch.elapsed().as_micros())?;
    }
    Ok(writeln!(file, "over")?)
}

/// A ticket by a key of our own, which the agent finds where it keeps the centre's.
fn ticket(place: &Place) -> Result<String> {
    let key = SigningKey::from_seed(&[7; 32]);
    let keys = PublicKeys { keys: vec![key.public()] };
    place.keep("log-agent/keys.json", &serde_json::to_string(&keys)?)?;
    let now = Moment::now();
    let ticket = Ticket {
        id: "bench".into(),
        user: "bench".into(),
        instances: vec!["c/bench/one".into()],
        files: "**".into(),
        rights: vec![Right::Read],
        issued: now,
        expires: now.after(Duration::from_secs(3_600)),
    };
    Ok(sign(&ticket, &key))
}
