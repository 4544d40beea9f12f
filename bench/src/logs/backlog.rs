//! Flume is away and the log grows: the memory of log-agent must not, since the file is the buffer.

use super::one_file::write;
use super::shipper::{Place, Shipper};
use super::{LINE, Sink, mb};
use crate::process::{peak, resident};
use crate::table::Table;
use anyhow::Result;
use std::path::Path;
use std::time::{Duration, Instant};

/// For every GB.
const LIMIT: Duration = Duration::from_secs(30);

pub fn run(binary: &Path, bytes: u64) -> Result<Table> {
    let mut table = Table::new(&["when", "RSS", "goal"]);
    let shipper = Shipper::LogAgent(binary.to_owned());
    let place = Place::new()?;
    let sink = Sink::start(&shipper, None)?;
    write(&place.volume().join("first.log"), 1_000)?;
    let process = shipper.start(&place, "*.log", sink.address)?;
    sink.arrived.wait(1_000, Duration::from_secs(30))?;
    let mut row = |when: String, rss: u64, goal: &str| {
        table.row(vec![when, mb(rss), goal.to_owned()]);
    };
    row("before".to_owned(), resident(process.pid())?, "");
    sink.leave();
    let count = bytes / LINE as u64;
    write(&place.volume().join("second.log"), count)?;
    // time to notice all of it, and to try again more than once
    std::thread::sleep(Duration::from_secs(10));
    let gigabytes = bytes.div_ceil(1_000_000_000);
    row(format!("{gigabytes} GB behind"), resident(process.pid())?, "flat");
    sink.come_back()?;
    let begin = Instant::now();
    sink.arrived.wait(count + 1_000, LIMIT * u32::try_from(gigabytes)?)?;
    row(
        format!("caught up after {:.1} s; peak", begin.elapsed().as_secs_f64()),
        peak(process.pid())?,
        "flat",
    );
    Ok(table)
}
