//! Block IO of one group: which files, then names and sums.

use super::Kernel;
use crate::collect::io::{Counted, Family as Blkio, blkio_v1, has_device, stat_v2};
use crate::collect::text::Flaws;
use crate::kernel::devices::Kind;
use crate::kernel::read::files::Files;
use crate::kernel::read::stats::{Cause, Family};
use crate::kernel::read::table::File;
use crate::sample::{DeviceRow, Field, MAX_ROWS, Sample, add_row};
use std::time::Instant;

/// Reads the devices' counters into rows, and those of whole disks into sums. A group that has done no IO has zeros.
pub(super) fn read(files: &mut Files, kernel: &mut Kernel, now: Instant, sample: &mut Sample) {
    kernel.rows.clear();
    let read = if kernel.is_v2() {
        stat(files, kernel)
    } else if let Some(family) = kernel.blkio {
        pair(files, kernel, family)
    } else {
        probe(files, kernel)
    };
    if let Some(read) = read {
        rows(kernel, now, read, sample);
    }
}

/// Which half of the rows is whole: a sum that lacks a device would look like a counter that fell.
#[derive(Clone, Copy)]
struct Read {
    bytes: bool,
    operations: bool,
}

impl Read {
    const WHOLE: Self = Self { bytes: true, operations: true };
}

fn stat(files: &mut Files, kernel: &mut Kernel) -> Option<Read> {
    let text = files.read(&mut kernel.reader, File::IoStat)?;
    let flaws = stat_v2(text, &mut kernel.rows);
    files.note(&mut kernel.reader, File::IoStat, flaws);
    let whole = flaws == Flaws::NONE;
    Some(Read { bytes: whole, operations: whole })
}

/// The two files of a v1 family.
const fn of_family(family: Blkio) -> (File, File) {
    match family {
        Blkio::Bfq => (File::BfqBytes, File::BfqOps),
        Blkio::Cfq => (File::CfqBytes, File::CfqOps),
        Blkio::ThrottleRecursive => (File::ThrottleRecursiveBytes, File::ThrottleRecursiveOps),
        Blkio::Throttle => (File::ThrottleBytes, File::ThrottleOps),
    }
}

fn pair(files: &mut Files, kernel: &mut Kernel, family: Blkio) -> Option<Read> {
    let (bytes, operations) = of_family(family);
    let text = files.read(&mut kernel.reader, bytes)?;
    let any = has_device(text);
    let flaws = blkio_v1(text, Counted::Bytes, &mut kernel.rows);
    files.note(&mut kernel.reader, bytes, flaws);
    let mut read = Read { bytes: flaws == Flaws::NONE, operations: flaws == Flaws::NONE };
    if any {
        // both files list the same devices: none there, none here
        let more = files
            .read(&mut kernel.reader, operations)
            .map(|text| blkio_v1(text, Counted::Operations, &mut kernel.rows));
        files.note(&mut kernel.reader, operations, more.unwrap_or(Flaws::NONE));
        read.operations &= more == Some(Flaws::NONE);
    }
    Some(read)
}

/// No device line was seen on this host yet. The throttle files count all IO on every kernel that has their recursive form, so while
/// they show nothing, there is nothing in the others either: an idle host costs one file per group, not four.
fn probe(files: &mut Files, kernel: &mut Kernel) -> Option<Read> {
    let sentinel = files.read(&mut kernel.reader, File::ThrottleRecursiveBytes).map(has_device);
    if sentinel == Some(false) {
        return Some(Read::WHOLE);
    }
    let mut read_any = sentinel.is_some();
    for family in Blkio::ALL {
        let shows = files.read(&mut kernel.reader, of_family(family).0).map(has_device);
        read_any |= shows.is_some();
        if shows == Some(true) {
            tracing::debug!(?family, "block IO is read from these files");
            kernel.blkio = Some(family);
            return pair(files, kernel, family);
        }
    }
    read_any.then_some(Read::WHOLE)
}

const SUMS: [Field; 4] = [Field::IoReadBytes, Field::IoWriteBytes, Field::IoReads, Field::IoWrites];

fn rows(kernel: &mut Kernel, now: Instant, read: Read, sample: &mut Sample) {
    let mut sums = [0u64; 4];
    let mut dropped = 0;
    for row in &kernel.rows {
        let device = kernel.devices.get(row.device, now, &mut kernel.reader.stats);
        if device.kind == Kind::Partition {
            continue;
        }
        if device.kind == Kind::Disk {
            for (sum, counter) in sums.iter_mut().zip(row.counters) {
                *sum = sum.saturating_add(counter);
            }
        }
        // half a row is none
        if !read.operations {
            continue;
        }
        let shown = DeviceRow { name: device.name, counters: row.counters };
        dropped += u32::from(!add_row(&mut sample.rows.devices, shown));
    }
    kernel.reader.stats.count_many(Family::Io, Cause::Dropped, dropped, || {
        format!("a container uses more than {MAX_ROWS} devices: only so many are shown")
    });
    let whole = [read.bytes, read.bytes, read.operations, read.operations];
    for ((field, sum), whole) in SUMS.iter().zip(sums).zip(whole) {
        if whole {
            sample.figures.set(*field, sum);
        }
    }
}
