//! Files nobody writes: what it costs to have them.

use super::shipper::{Place, Shipper};
use super::{Sink, mb};
use crate::process::{cpu_seconds, resident};
use crate::table::Table;
use anyhow::Result;
use std::fs;
use std::time::Duration;

/// Files, and the goal for log-agent.
const COUNTS: [(u64, &str); 2] = [(1_000, "0.1 %, 20 MB"), (10_000, "0.1 %, 60 MB")];
/// The first look for old files comes 15 s after the start.
const SETTLED: Duration = Duration::from_secs(20);
/// Measured over this: what log-agent does now and then, it does at least once in it.
const SPAN: Duration = Duration::from_secs(60);

pub fn run(shippers: &[Shipper]) -> Result<Table> {
    let mut table = Table::new(&["who", "files", "CPU %", "RSS", "goal"]);
    for (count, goal) in COUNTS {
        for shipper in shippers {
            let place = Place::new()?;
            for n in 0..count {
                fs::write(place.volume().join(format!("{n}.log")), format!("only line of {n}\n"))?;
            }
            let sink = Sink::start(shipper, None)?;
            let process = shipper.start(&place, "*.log", sink.address)?;
            // all of them, but for those a shipper loses
            sink.arrived.wait(count / 100 * 99, Duration::from_secs(120))?;
            // what it does after having sent everything is not idling, nor is the first look of each part
            std::thread::sleep(SETTLED);
            let begin = cpu_seconds(process.pid())?;
            std::thread::sleep(SPAN);
            let cpu = (cpu_seconds(process.pid())? - begin) / SPAN.as_secs_f64();
            table.row(vec![
                shipper.name().to_owned(),
                format!("{count}, of which {} arrived", sink.arrived.lines()),
                format!("{:.2}", cpu * 100.0),
                mb(resident(process.pid())?),
                if matches!(shipper, Shipper::LogAgent(_)) { goal } else { "" }.to_owned(),
            ]);
        }
    }
    Ok(table)
}
