//! From a write to its arrival at the sink, one line at a time.

use super::shipper::{Place, Shipper};
use super::{Eye, Sink};
use crate::table::Table;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Lines.
const LINES: u32 = 400;
/// Between two, with a jitter of as much.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest a line may take.
const LIMIT: Duration = Duration::from_secs(20);

pub fn run(shippers: &[Shipper]) -> Result<Table> {
    let mut table = Table::new(&["who", "p50 ms", "p99 ms", "most ms", "goal"]);
    for shipper in shippers {
        let mut took = measure(shipper)?;
        took.sort_unstable();
        let at =
            |share: usize| took[(took.len() * share / 100).min(took.len() - 1)].as_secs_f64() * 1e3;
        table.row(vec![
            shipper.name().to_owned(),
            format!("{:.2}", at(50)),
            format!("{:.2}", at(99)),
            format!("{:.2}", at(100)),
            if matches!(shipper, Shipper::LogAgent(_)) { "p99 300 ms, acknowledged" } else { "" }
                .to_owned(),
        ]);
    }
    Ok(table)
}

fn measure(shipper: &Shipper) -> Result<Vec<Duration>> {
    let place = Place::new()?;
    let (told, came) = mpsc::channel();
    let eye = Eye::new(move |line| {
        // the other end is gone when the measurement is over
        told.send((Instant::now(), String::from_utf8_lossy(line).into_owned())).ok();
    });
    let sink = Sink::start(shipper, Some(eye))?;
    let mut file =
        OpenOptions::new().append(true).create(true).open(place.volume().join("a.log"))?;
    let _process = shipper.start(&place, "*.log", sink.address)?;
    let mut took = Vec::new();
    for serial in 0..LINES {
        let line = format!("line {serial}");
        let begin = Instant::now();
        writeln!(file, "{line}")?;
        let arrived = loop {
            let (at, seen) =
                came.recv_timeout(LIMIT).with_context(|| format!("{line} never came"))?;
            if seen == line {
                break at;
            }
        };
        // the first finds it starting
        if serial > 0 {
            took.push(arrived.saturating_duration_since(begin));
        }
        std::thread::sleep(PAUSE + PAUSE.mul_f64(f64::from(serial % 10) / 10.0));
    }
    Ok(took)
}
