//! A file that is there already: how fast it is through, and what that costs.

use super::shipper::{Place, Shipper};
use super::{ANY, LINE, Sink, figure, floor, lines, mb};
use crate::process::{cpu_seconds, peak};
use crate::table::Table;
use anyhow::Result;
use e2e::logs::writers::line;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than the slowest needs.
const LIMIT: Duration = Duration::from_secs(300);

pub fn run(shippers: &[Shipper], bytes: u64) -> Result<Table> {
    let mut table = Table::new(&["who", "MB/s", "CPU s/GB", "peak RSS", "goal"]);
    let count = bytes / LINE as u64;
    let model = Place::new()?;
    let path = model.volume().join("model");
    write(&path, count)?;

    let arrived = Arc::default();
    let sink = lines::listen(ANY, &arrived, None)?;
    let (wall, cpu) = floor::frames(&path, sink)?;
    arrived.close(sink);
    row(&mut table, "floor: read, find lines, copy, write", bytes, wall, cpu.as_secs_f64(), None);
    for shipper in shippers {
        let place = Place::new()?;
        let sink = Sink::start(shipper, None)?;
        // the same bytes, and as warm
        fs::rename(&path, place.volume().join("one.log"))?;
        let begin = Instant::now();
        let process = shipper.start(&place, "*.log", sink.address)?;
        let came = sink.arrived.wait(count, LIMIT);
        let wall = begin.elapsed();
        let (cpu, peak) = (cpu_seconds(process.pid())?, peak(process.pid())?);
        fs::rename(place.volume().join("one.log"), &path)?;
        came?;
        row(&mut table, shipper.name(), bytes, wall, cpu, Some(peak));
    }
    Ok(table)
}

fn row(table: &mut Table, who: &str, bytes: u64, wall: Duration, cpu: f64, peak: Option<u64>) {
    let bytes = figure(bytes);
    table.row(vec![
        who.to_owned(),
        format!("{:.0}", bytes / 1e6 / wall.as_secs_f64()),
        format!("{:.2}", cpu / (bytes / 1e9)),
        peak.map_or_else(String::new, mb),
        if who == "log-agent" { "1,000; 0.8; 3 times rsyslog" } else { "" }.to_owned(),
    ]);
}

/// Numbered lines.
pub fn write(path: &Path, count: u64) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut bytes = Vec::new();
    for serial in 0..count {
        bytes.clear();
        line(0, 0, serial, LINE, &mut bytes);
        file.write_all(&bytes)?;
    }
    Ok(file.flush()?)
}
