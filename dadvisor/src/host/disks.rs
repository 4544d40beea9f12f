//! `/proc/diskstats`: what the disks did, in sum and one by one.
//!
//! The sum is over whole physical disks (`/sys/block/NAME/device` exists), so that a byte written through LVM or RAID is counted once.
//! Stacked devices (`slaves/` is not empty: dm, md, bcache) have rows of their own and are not in the sum. Partitions, loop, ram and
//! zram devices, and the single paths of a multipath NVMe disk (`hidden`) have none. "virtual" in the sysfs path says nothing: a
//! multipath NVMe disk lives there too. The sum's rates are made of the disks that both readings have: a plugged-in disk brings the
//! bytes of its whole life, which nobody just read.

use super::source::{Before, Error, parsed};
use super::{Emit, Roots};
use crate::sample::{MAX_ROWS, RowName};
use common::metric::{Name, Value};
use procfs_core::DiskStat;
use std::path::Path;

/// The kernel counts in sectors of 512 bytes, whatever the disk does.
const SECTOR: u64 = 512;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Disk {
    name: RowName,
    /// In the sum.
    physical: bool,
    read_bytes: u64,
    write_bytes: u64,
    reads: u64,
    writes: u64,
    /// Milliseconds.
    reading: u64,
    writing: u64,
    busy: u64,
    in_flight: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Disks {
    rows: Vec<Disk>,
    /// Disks beyond [`MAX_ROWS`], in no figure.
    left_out: u64,
}

/// What a block device is, from its directory in `/sys/block`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Physical,
    Stacked,
    Other,
}

pub(super) fn read(roots: &Roots) -> Result<Option<Disks>, Error> {
    let block = roots.sys.join("block");
    parsed(roots.proc.join("diskstats"), |text| parse(text, |name| kind(&block, name)))
}

fn kind(block: &Path, name: &str) -> Kind {
    // sysfs writes '!' for '/' (cciss/c0d0)
    let dir = block.join(name.replace('/', "!"));
    let hidden = std::fs::read(dir.join("hidden")).is_ok_and(|text| text.starts_with(b"1"));
    if hidden {
        Kind::Other
    } else if dir.join("device").exists() {
        Kind::Physical
    } else if std::fs::read_dir(dir.join("slaves")).is_ok_and(|mut slaves| slaves.next().is_some())
    {
        Kind::Stacked
    } else {
        Kind::Other
    }
}

pub(super) fn parse(text: &str, kind: impl Fn(&str) -> Kind) -> Result<Disks, String> {
    let mut disks = Disks::default();
    for line in text.lines() {
        let name = line.split_ascii_whitespace().nth(2).unwrap_or_default();
        // a name is looked up as a path below /sys/block
        if name.is_empty() || name.contains("..") {
            return Err(format!("no device name in \"{line}\""));
        }
        let physical = match kind(name) {
            Kind::Physical => true,
            Kind::Stacked => false,
            Kind::Other => continue,
        };
        if disks.rows.len() == MAX_ROWS {
            disks.left_out += 1;
            continue;
        }
        let stat = DiskStat::from_line(line).map_err(|_| format!("wrong number in \"{line}\""))?;
        disks.rows.push(Disk {
            name: RowName::new(name),
            physical,
            read_bytes: stat.sectors_read.saturating_mul(SECTOR),
            write_bytes: stat.sectors_written.saturating_mul(SECTOR),
            reads: stat.reads,
            writes: stat.writes,
            reading: stat.time_reading,
            writing: stat.time_writing,
            busy: stat.time_in_progress,
            in_flight: stat.in_progress,
        });
    }
    Ok(disks)
}

pub(super) fn emit(now: &Disks, before: Option<&Before<'_, Disks>>, emit: &mut Emit<'_>) {
    emit_sum(now, before, emit);
    if now.left_out > 0 {
        emit(Name::from("io.disks_left_out"), Value::Int(now.left_out));
    }
    for disk in &now.rows {
        let dev = disk.name.as_str();
        let mut one = |end: &str, value| emit(Name("io.", dev, end), value);
        one(".read_bytes_total", Value::Int(disk.read_bytes));
        one(".write_bytes_total", Value::Int(disk.write_bytes));
        one(".reads_total", Value::Int(disk.reads));
        one(".writes_total", Value::Int(disk.writes));
        one(".read_seconds_total", Value::Milli(disk.reading));
        one(".write_seconds_total", Value::Milli(disk.writing));
        one(".busy_seconds_total", Value::Milli(disk.busy));
        one(".in_flight", Value::Int(disk.in_flight));
        let Some((before, was)) = before.and_then(|b| Some((b, find(b.was, disk)?))) else {
            continue;
        };
        if let Some(rate) = before.rate(was.read_bytes, disk.read_bytes) {
            one(".read_bytes_per_second", Value::Float(rate));
        }
        if let Some(rate) = before.rate(was.write_bytes, disk.write_bytes) {
            one(".write_bytes_per_second", Value::Float(rate));
        }
        if let Some(rate) = before.rate(was.busy, disk.busy) {
            // milliseconds per second; the kernel's rounding can pass the whole by a little
            one(".busy_percent", Value::Float((rate / 10.0).min(100.0)));
        }
    }
}

fn emit_sum(now: &Disks, before: Option<&Before<'_, Disks>>, emit: &mut Emit<'_>) {
    let physical = || now.rows.iter().filter(|disk| disk.physical);
    if physical().next().is_none() {
        return;
    }
    let sum = |of: fn(&Disk) -> u64| physical().map(of).fold(0, u64::saturating_add);
    emit(Name::from("io.read_bytes_total"), Value::Int(sum(|d| d.read_bytes)));
    emit(Name::from("io.write_bytes_total"), Value::Int(sum(|d| d.write_bytes)));
    emit(Name::from("io.reads_total"), Value::Int(sum(|d| d.reads)));
    emit(Name::from("io.writes_total"), Value::Int(sum(|d| d.writes)));
    let Some(before) = before else { return };
    let rates = |of: fn(&Disk) -> u64| {
        let both = physical().filter_map(|disk| Some((find(before.was, disk)?, disk)));
        let rates: Vec<f64> = both.filter_map(|(was, now)| before.rate(of(was), of(now))).collect();
        (!rates.is_empty()).then(|| rates.iter().sum::<f64>())
    };
    if let Some(rate) = rates(|d| d.read_bytes) {
        emit(Name::from("io.read_bytes_per_second"), Value::Float(rate));
    }
    if let Some(rate) = rates(|d| d.write_bytes) {
        emit(Name::from("io.write_bytes_per_second"), Value::Float(rate));
    }
}

fn find<'a>(disks: &'a Disks, like: &Disk) -> Option<&'a Disk> {
    disks.rows.iter().find(|disk| disk.name == like.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATS: &str = "   7       0 loop0 1 0 8 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n\
         8       0 sda 100 0 2000 50 10 0 4000 60 2 700 110 0 0 0 0 0 0\n\
         8       1 sda1 90 0 1900 50 10 0 4000 60 0 700 110 0 0 0 0 0 0\n\
       253       0 dm-0 90 0 1900 50 10 0 4000 60 0 700 110\n";

    fn kinds(name: &str) -> Kind {
        match name {
            "sda" | "sdb" => Kind::Physical,
            "dm-0" => Kind::Stacked,
            _ => Kind::Other,
        }
    }

    fn figures(now: &str, was: Option<&str>) -> Vec<(String, f64)> {
        let mut out = Vec::new();
        let was = was.map(|text| parse(text, kinds).unwrap());
        let before = was.as_ref().map(|was| Before { was, seconds: 10.0 });
        emit(&parse(now, kinds).unwrap(), before.as_ref(), &mut |name, value| {
            out.push((name.to_string(), value.as_f64()));
        });
        out
    }

    #[test]
    fn a_byte_is_counted_once() {
        let got = figures(STATS, None);
        assert!(got.contains(&("io.read_bytes_total".to_owned(), 1_024_000.0)));
        assert!(got.contains(&("io.dm-0.read_bytes_total".to_owned(), 972_800.0)));
        assert!(got.iter().all(|(name, _)| !name.contains("sda1") && !name.contains("loop")));
        assert!(got.iter().all(|(name, _)| !name.contains("per_second")));
    }

    #[test]
    fn a_new_disk_makes_no_spike() {
        let was = STATS;
        let now = STATS.replace(
            "sda 100 0 2000 50 10 0 4000 60 2 700",
            "sda 100 0 2020 50 10 0 4000 60 2 5700",
        ) + "8 16 sdb 9 0 999999999 0 0 0 0 0 0 0 0\n";
        let got = figures(&now, Some(was));
        assert!(got.contains(&("io.read_bytes_per_second".to_owned(), 1024.0)));
        assert!(got.contains(&("io.sda.busy_percent".to_owned(), 50.0)));
        assert!(got.iter().all(|(name, _)| name != "io.sdb.read_bytes_per_second"));
    }

    #[test]
    fn a_name_cannot_leave_sysfs() {
        assert!(parse("8 0 ../../etc 1 2 3\n", |_| Kind::Physical).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(([0-9]{1,3} ){2}\\PC{0,8}( [0-9]{0,21}){0,18}\n|\\PC{0,20}\n){0,6}") {
            if let Ok(disks) = parse(&text, |_| Kind::Physical) {
                emit(&disks, Some(&Before { was: &disks, seconds: 1.0 }), &mut |_, _| {});
            }
        }
    }
}
