//! What production does to a shipper: its sink goes away under rotation, it is killed again and again, the directory holds a link to a secret
//! and a FIFO.

use super::rotation::{plan, tally, verdict};
use super::shipper::{Place, Shipper};
use super::{Eye, Sink};
use crate::table::Table;
use anyhow::Result;
use e2e::logs::writers::Writers;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Lines a second of all files together.
const RATE: u64 = 20_000;
const FILES: u32 = 4;
/// How long the sink is away.
const AWAY: Duration = Duration::from_secs(20);
/// From kill to kill.
const LIFE: Duration = Duration::from_secs(3);

pub fn run(shippers: &[Shipper], seconds: u64) -> Result<Table> {
    let mut table = Table::new(&["who", "what", "written", "lost", "repeated", "out of order"]);
    for shipper in shippers {
        away(shipper, &mut table)?;
        killed(shipper, seconds * 3, &mut table)?;
        hostile(shipper, &mut table)?;
    }
    Ok(table)
}

fn writers(place: &Place) -> Writers {
    let rate = RATE / u64::from(FILES);
    // each generation lives for about 8 s: three of them come and go while the sink is away
    Writers::start((0..FILES).map(|n| plan(place, n, rate, rate * 2)).collect())
}

/// Rotated generations are not in the pattern: they have to be found before they are renamed.
fn away(shipper: &Shipper, table: &mut Table) -> Result<()> {
    let place = Place::new()?;
    let (tally, eye) = tally();
    let sink = Sink::start(shipper, Some(eye))?;
    let _process = shipper.start(&place, "*.log", sink.address)?;
    let writers = writers(&place);
    std::thread::sleep(Duration::from_secs(5));
    sink.leave();
    std::thread::sleep(AWAY);
    sink.come_back()?;
    std::thread::sleep(Duration::from_secs(5));
    let written = writers.stop()?;
    sink.arrived.settle(Duration::from_secs(35), Duration::from_secs(180));
    row(
        table,
        shipper,
        "sink away 20 s under rotation",
        written.iter().map(|w| w.lines).sum(),
        verdict(&tally, &written),
    );
    Ok(())
}

fn killed(shipper: &Shipper, seconds: u64, table: &mut Table) -> Result<()> {
    let place = Place::new()?;
    let (tally, eye) = tally();
    let sink = Sink::start(shipper, Some(eye))?;
    let writers = writers(&place);
    let kills = (seconds / LIFE.as_secs()).max(1);
    for _ in 0..kills {
        // killed when it is dropped
        let _process = shipper.start(&place, "*.log", sink.address)?;
        std::thread::sleep(LIFE);
    }
    let _process = shipper.start(&place, "*.log", sink.address)?;
    let written = writers.stop()?;
    sink.arrived.settle(Duration::from_secs(5), Duration::from_secs(180));
    let what = format!("kill -9 every 3 s, {kills} times");
    row(table, shipper, &what, written.iter().map(|w| w.lines).sum(), verdict(&tally, &written));
    Ok(())
}

/// A link to a file outside, and a FIFO nobody writes to, beside a file with one line.
fn hostile(shipper: &Shipper, table: &mut Table) -> Result<()> {
    let place = Place::new()?;
    let outside = tempfile::NamedTempFile::new()?;
    fs::write(outside.path(), "a secret of the host\n")?;
    std::os::unix::fs::symlink(outside.path(), place.volume().join("a.log"))?;
    mknodat(CWD, place.volume().join("b.log"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let (leaked, lives) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let eye = {
        let (leaked, lives) = (Arc::clone(&leaked), Arc::clone(&lives));
        Eye::new(move |line| match line {
            b"a secret of the host" => leaked.store(true, Ordering::Relaxed),
            _ => lives.store(true, Ordering::Relaxed),
        })
    };
    let sink = Sink::start(shipper, Some(eye))?;
    let _process = shipper.start(&place, "*.log", sink.address)?;
    fs::write(place.volume().join("z.log"), "a line\n")?;
    sink.arrived.settle(Duration::from_secs(3), Duration::from_secs(30));
    let yes = |flag: &AtomicBool, yes: &str, no: &str| {
        if flag.load(Ordering::Relaxed) { yes } else { no }.to_owned()
    };
    let what = "a link to a file of the host, a FIFO";
    let verdict = [
        yes(&leaked, "LEAKED the file", "nothing leaked"),
        yes(&lives, "goes on", "HANGS"),
        String::new(),
    ];
    row(table, shipper, what, 1, verdict);
    Ok(())
}

fn row(table: &mut Table, shipper: &Shipper, what: &str, written: u64, verdict: [String; 3]) {
    let mut cells = vec![shipper.name().to_owned(), what.to_owned(), written.to_string()];
    cells.extend(verdict);
    table.row(cells);
}
