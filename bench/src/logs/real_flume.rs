//! Into a real Apache Flume on the same machine: what log-agent gets through, beside a bare loop that sends one prepared batch again and
//! again and waits for each answer.

use super::shipper::{Place, Shipper};
use super::{LINE, figure, one_file};
use crate::table::Table;
use anyhow::{Context, Result, bail, ensure};
use common::ids::{AppId, InstanceId};
use e2e::flume::{Flume, Settings};
use e2e::logs::writers::line;
use log_agent::lines::Part;
use log_agent::ship::batch::{Batch, Limits, Line};
use log_agent::ship::flume::{self, Form, Times};
use log_agent::ship::labels::Labels;
use log_agent::ship::sink::Sink as _;
use log_agent::volume::InstanceKey;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// Events of a batch, log-agent's default.
const BATCH: usize = 1_000;
/// One part in so many goes before what is measured: a cold JVM does half as much.
const WARM: u64 = 4;
const LIMIT: Duration = Duration::from_secs(180);

pub fn run(binary: &Path, bytes: u64) -> Result<Table> {
    let heads = ["channel", "connections", "bare loop, lines/s", "log-agent, lines/s", "goal"];
    let mut table = Table::new(&heads);
    let lines = bytes / LINE as u64;
    let rows = [
        ("memory", 1, 1, ""),
        ("memory", 2, 1, "500,000"),
        ("file", 1, 8, "what Flume itself takes"),
    ];
    for (channel, connections, share, goal) in rows {
        let lines = lines / share;
        let bare = bare(channel, connections, lines)?;
        let ours = ours(binary, channel, connections, lines)?;
        table.row(vec![
            channel.to_owned(),
            connections.to_string(),
            format!("{bare:.0}"),
            format!("{ours:.0}"),
            goal.to_owned(),
        ]);
    }
    Ok(table)
}

/// A node that holds up its source as little as may be: the sink of its memory channel throws everything away, its file channel has room
/// for all of it and none (a sink and a source share one lane there). The JVM is one of an operator who wants throughput.
fn node(channel: &str) -> Result<(Flume, SocketAddr)> {
    let (sink, capacity, conf) = match channel {
        "memory" => ("null", "100000", "a1.sinks.k1.batchSize = 10000"),
        _ => ("none", "4000000", ""),
    };
    let java = "-Xmx1g -Xmn600m -XX:+UseParallelGC";
    let settings = Settings { channel, sink, capacity, conf, java, ..Settings::default() };
    let node = Flume::start(&settings)?;
    let address = node.address()?.parse()?;
    Ok((node, address))
}

/// Each connection has a loop of its own; they begin together, and the last one counts.
fn bare(channel: &str, connections: usize, lines: u64) -> Result<f64> {
    let (_node, address) = node(channel)?;
    let share = lines / connections as u64 / BATCH as u64;
    let warm = Arc::new(Barrier::new(connections));
    let loops: Vec<_> = (0..connections)
        .map(|_| {
            let warm = warm.clone();
            thread::spawn(move || bare_loop(address, share, &warm))
        })
        .collect();
    let mut longest = Duration::ZERO;
    for one in loops {
        let Ok(took) = one.join() else { bail!("a bare loop broke") };
        longest = longest.max(took?);
    }
    Ok(figure(share * connections as u64 * BATCH as u64) / longest.as_secs_f64())
}

/// Sends a batch so many times after it is warm; how long that takes.
fn bare_loop(address: SocketAddr, batches: u64, warm: &Barrier) -> Result<Duration> {
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
    let mut send = |times| -> Result<Duration> {
        let begin = Instant::now();
        for _ in 0..times {
            // a full channel says so and is asked again
            while sink.send(&batch.all()).is_err() {
                ensure!(begin.elapsed() < LIMIT, "Flume took no more");
            }
        }
        Ok(begin.elapsed())
    };
    let warmed = send(batches / WARM);
    // the others wait here, whatever became of this one
    warm.wait();
    warmed?;
    send(batches)
}

/// A file in the volume of an instance for each connection.
fn ours(binary: &Path, channel: &str, connections: usize, lines: u64) -> Result<f64> {
    let (node, address) = node(channel)?;
    let place = Place::with(&format!("flume_connections = {connections}"))?;
    let (share, count) = (lines / connections as u64, connections as u64);
    let volumes: Vec<PathBuf> = (0..connections)
        .map(|outlet| place.volume_of(&instance_at(outlet, connections)))
        .collect::<Result<_>>()?;
    for volume in &volumes {
        one_file::write(&volume.join("a.log"), share / WARM)?;
    }
    let _process = Shipper::LogAgent(binary.to_owned()).start(&place, "*.log", address)?;
    taken(&node, share / WARM * count)?;
    for nth in 0..connections {
        one_file::write(&place.dir().join(nth.to_string()), share)?;
    }
    let begin = Instant::now();
    for (nth, volume) in volumes.iter().enumerate() {
        fs::rename(place.dir().join(nth.to_string()), volume.join("b.log"))?;
    }
    taken(&node, (share + share / WARM) * count)?;
    Ok(figure(share * count) / begin.elapsed().as_secs_f64())
}

/// An instance whose files take this one of so many connections.
fn instance_at(outlet: usize, connections: usize) -> String {
    let takes = |id: &String| {
        let key = InstanceKey { app: AppId::new("bench"), id: InstanceId::new(id) };
        log_agent::outlet::of(&key, connections) == outlet
    };
    (0_u32..).map(|nth| format!("i{nth}")).find(takes).unwrap_or_default()
}

fn taken(node: &Flume, lines: u64) -> Result<()> {
    let begin = Instant::now();
    while node.counter("SOURCE.r1", "EventAcceptedCount").context("Flume")? < lines {
        ensure!(begin.elapsed() < LIMIT, "Flume did not take {lines} lines within {LIMIT:?}");
        // each question costs the node some of what it is measured by
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
