//! Many files written at a steady rate and rotated by rename: cost, and whether all of it arrives in order.

use super::shipper::{Place, Shipper};
use super::{Eye, LINE, Sink, figure};
use crate::process::cpu_seconds;
use crate::table::Table;
use anyhow::Result;
use e2e::logs::tally::{Lost, Tally};
use e2e::logs::writers::{Plan, Rotation, Writers, Written};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const FILES: u32 = 20;
/// Of all together.
const BYTES_PER_SECOND: u64 = 100_000_000;

pub fn run(shippers: &[Shipper], seconds: u64) -> Result<Table> {
    let mut table =
        Table::new(&["who", "written", "CPU s/GB", "lost", "repeated", "out of order", "goal"]);
    let rate = BYTES_PER_SECOND / LINE as u64 / u64::from(FILES);
    for shipper in shippers {
        let place = Place::new()?;
        let (tally, eye) = tally();
        let sink = Sink::start(shipper, Some(eye))?;
        let process = shipper.start(&place, "*.log*", sink.address)?;
        let plans = (0..FILES).map(|n| plan(&place, n, rate, rate * 2));
        let writers = Writers::start(plans.collect());
        std::thread::sleep(Duration::from_secs(seconds));
        let written = writers.stop()?;
        let lines: u64 = written.iter().map(|w| w.lines).sum();
        sink.arrived.settle(Duration::from_secs(3), Duration::from_secs(120));
        let cpu = cpu_seconds(process.pid())?;
        let bytes = figure(lines * LINE as u64);
        let goal = match shipper {
            Shipper::LogAgent(_) => "2 CPU s/GB, 0 lost, 0 out of order",
            Shipper::Rsyslog => "",
        };
        let mut cells = vec![
            shipper.name().to_owned(),
            lines.to_string(),
            format!("{:.2}", cpu / (bytes / 1e9)),
        ];
        cells.extend(verdict(&tally, &written));
        cells.push(goal.to_owned());
        table.row(cells);
    }
    Ok(table)
}

/// A writer of `<n>.log`, rotated each `generation` lines.
pub fn plan(place: &Place, writer: u32, rate: u64, generation: u64) -> Plan {
    let file = place.volume().join(format!("{writer}.log"));
    Plan { writer, file, rotation: Rotation::Rename, generation, keep: 3, rate, length: LINE }
}

/// A tally and the eye that fills it.
pub fn tally() -> (Arc<Mutex<Tally>>, Eye) {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let seen = Arc::clone(&tally);
    let eye = Eye::new(move |line| seen.lock().unwrap_or_else(PoisonError::into_inner).line(line));
    (tally, eye)
}

/// What a tally says, for a table: lost, repeated, out of order.
pub fn verdict(tally: &Mutex<Tally>, written: &[Written]) -> [String; 3] {
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let lost = tally.lost(written);
    if lost != Lost::default() {
        eprintln!("lost, (writer, first, last): {:?}", tally.missing(written, 20));
    }
    [
        (lost.renamed + lost.copied).to_string(),
        tally.repeated.to_string(),
        tally.out_of_order.to_string(),
    ]
}
