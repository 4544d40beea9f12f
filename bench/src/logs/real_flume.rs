//! Into a real Apache Flume on the same machine: what log-agent gets through, beside a bare loop that sends one prepared batch again and
//! again and waits for each answer.

use super::shipper::{Place, Shipper};
use super::{LINE, figure, one_file};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use e2e::flume::{Flume, Settings};
use e2e::logs::writers::line;
use log_agent::lines::Part;
use log_agent::ship::batch::{Batch, Limits, Line};
use log_agent::ship::flume::{self, Form, Times};
use log_agent::ship::labels::Labels;
use log_agent::ship::sink::Sink as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// Events of a batch, log-agent's default.
const BATCH: usize = 1_000;
const LIMIT: Duration = Duration::from_secs(180);

pub fn run(binary: &Path, bytes: u64) -> Result<Table> {
    let mut table = Table::new(&["channel", "bare loop, lines/s", "log-agent, lines/s", "goal"]);
    let lines = bytes / LINE as u64;
    for (channel, share, goal) in [("memory", 1, "500,000"), ("file", 8, "what Flume itself takes")]
    {
        let lines = lines / share;
        let bare = bare(channel, lines)?;
        let ours = ours(binary, channel, lines)?;
        table.row(vec![
            channel.to_owned(),
            format!("{bare:.0}"),
            format!("{ours:.0}"),
            goal.to_owned(),
        ]);
    }
    Ok(table)
}

/// A node that holds up its source as little as may be: the sink of its memory channel throws everything away, its file channel has room
/// for all of it and none (a sink and a source share one lane there).
fn node(channel: &str) -> Result<(Flume, SocketAddr)> {
    let (sink, capacity, conf) = match channel {
        "memory" => ("null", "100000", "a1.sinks.k1.batchSize = 10000"),
        _ => ("none", "4000000", ""),
    };
    let settings = Settings { channel, sink, capacity, conf, ..Settings::default() };
    let node = Flume::start(&settings)?;
    let address = node.address()?.parse()?;
    Ok((node, address))
}

fn bare(channel: &str, lines: u64) -> Result<f64> {
    let (_node, address) = node(channel)?;
    let labels = Labels::new("dc1", "bench", "bench", "one", "one.log");
    let mut batch = Batch::new(Limits { events: BATCH, bytes: 4 << 20 });
    let mut body = Vec::new();
    line(0, 0, 0, LINE, &mut body);
    let line =
        Line { offset: 0, part: Part::Whole, timestamp_ms: 0, body: &body[..body.len() - 1] };
    while batch.len() < BATCH {
        ensure!(batch.push(&labels, &line), "a batch is smaller than {BATCH}");
    }
    let settings = flume::Settings {
        hosts: vec![address.to_string()],
        form: Form::Plain,
        times: Times::default(),
    };
    let mut sink = flume::Flume::new(settings);
    // warm
    for _ in 0..200 {
        sink.send(&batch.all())?;
    }
    let begin = Instant::now();
    let batches = lines / BATCH as u64;
    for _ in 0..batches {
        // a full channel says so and is asked again
        while sink.send(&batch.all()).is_err() {
            ensure!(begin.elapsed() < LIMIT, "Flume took no more");
        }
    }
    Ok(figure(batches * BATCH as u64) / begin.elapsed().as_secs_f64())
}

fn ours(binary: &Path, channel: &str, lines: u64) -> Result<f64> {
    let (node, address) = node(channel)?;
    let place = Place::new()?;
    // warm
    one_file::write(&place.volume().join("a.log"), lines / 10)?;
    let _process = Shipper::LogAgent(binary.to_owned()).start(&place, "*.log", address)?;
    taken(&node, lines / 10)?;
    one_file::write(&place.dir().join("b.log"), lines)?;
    let begin = Instant::now();
    std::fs::rename(place.dir().join("b.log"), place.volume().join("b.log"))?;
    taken(&node, lines + lines / 10)?;
    Ok(figure(lines) / begin.elapsed().as_secs_f64())
}

fn taken(node: &Flume, lines: u64) -> Result<()> {
    let begin = Instant::now();
    while node.counter("SOURCE.r1", "EventAcceptedCount").context("Flume")? < lines {
        ensure!(begin.elapsed() < LIMIT, "Flume did not take {lines} lines within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
