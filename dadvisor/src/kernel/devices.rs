//! Block devices: number to name, and which of them may be summed.
//!
//! The same bytes pass through partitions, loop devices, dm and md stacks on their way to a disk and would be counted again at each.
//! Only whole disks are summed: no partition, no memory or file behind it, nothing built on other devices. Looked up in
//! `<sys>/dev/block/M:m`, kept for five minutes (a number can be given to another device).

use crate::collect::io::DeviceId;
use crate::kernel::read::stats::{Cause, Family, ReadStats};
use crate::sample::RowName;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a device's counters are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A disk: shown and summed.
    Disk,
    /// Loop, RAM, or built on other devices: shown, not summed.
    Stacked,
    /// Part of a disk: neither.
    Partition,
}

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Kernel name (`sda`, `nvme0n1`), escaped; `8_0` where the kernel gives none.
    pub name: RowName,
    /// What its counters are good for.
    pub kind: Kind,
}

const KEPT: Duration = Duration::from_secs(300);

/// More numbers than any host has: then all are forgotten.
const MOST: usize = 4096;

/// The devices seen so far.
#[derive(Debug)]
pub struct Devices {
    root: PathBuf,
    known: HashMap<DeviceId, (Device, Instant)>,
}

impl Devices {
    /// Below `sys`, usually `/sys`.
    pub fn new(sys: &Path) -> Self {
        Self { root: sys.join("dev/block"), known: HashMap::new() }
    }

    /// The device with this number.
    pub fn get(&mut self, id: DeviceId, now: Instant, stats: &mut ReadStats) -> Device {
        if let Some((device, since)) = self.known.get(&id) {
            if now.saturating_duration_since(*since) < KEPT {
                return *device;
            }
        }
        let device = look_up(&self.root, id, stats);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(id, (device, now));
        device
    }
}

fn look_up(root: &Path, id: DeviceId, stats: &mut ReadStats) -> Device {
    let dir = root.join(format!("{}:{}", id.major, id.minor));
    let uevent = fs::read(dir.join("uevent")).unwrap_or_default();
    let Some(name) = device_name(&uevent) else {
        stats.count(Family::Find, Cause::Absent, || {
            format!("{} has no name; the device is called by its number", dir.display())
        });
        let name = format!("{}_{}", id.major, id.minor);
        // 1 and 7 are memory and loop on every Linux
        let kind = if matches!(id.major, 1 | 7) { Kind::Stacked } else { Kind::Disk };
        return Device { name: RowName::new(&name), kind };
    };
    let kind = if dir.join("partition").exists() {
        Kind::Partition
    } else if is_memory_or_file(&name) || has_slaves(&dir) {
        Kind::Stacked
    } else {
        Kind::Disk
    };
    Device { name: RowName::new(&name), kind }
}

/// `DEVNAME=` of a uevent.
fn device_name(uevent: &[u8]) -> Option<String> {
    let line = uevent.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"DEVNAME="))?;
    (!line.is_empty()).then(|| String::from_utf8_lossy(line).into_owned())
}

fn is_memory_or_file(name: &str) -> bool {
    ["loop", "zram", "ram"].iter().any(|kind| {
        name.strip_prefix(kind)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn has_slaves(dir: &Path) -> bool {
    fs::read_dir(dir.join("slaves")).is_ok_and(|mut slaves| slaves.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(root: &Path, number: &str, uevent: &str) -> PathBuf {
        let dir = root.join("dev/block").join(number);
        fs::create_dir_all(dir.join("slaves")).unwrap();
        fs::write(dir.join("uevent"), uevent).unwrap();
        dir
    }

    #[test]
    fn whole_disks_and_others() {
        let sys = tempfile::tempdir().unwrap();
        let root = sys.path();
        device(root, "8:0", "MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\n");
        let part = device(root, "8:1", "DEVNAME=sda1\nDEVTYPE=partition\n");
        fs::write(part.join("partition"), "1\n").unwrap();
        let dm = device(root, "253:0", "DEVNAME=dm-0\n");
        fs::write(dm.join("slaves/sda1"), "").unwrap();
        device(root, "7:0", "DEVNAME=loop0\n");
        device(root, "104:0", "DEVNAME=cciss/c0d0\n");
        device(root, "9:9", "MAJOR=9\n");

        let mut devices = Devices::new(root);
        let mut stats = ReadStats::default();
        let now = Instant::now();
        let mut get = |major, minor| {
            let found = devices.get(DeviceId { major, minor }, now, &mut stats);
            (found.name.as_str().to_owned(), found.kind)
        };
        assert_eq!(get(8, 0), ("sda".to_owned(), Kind::Disk));
        assert_eq!(get(8, 1).1, Kind::Partition);
        assert_eq!(get(253, 0), ("dm-0".to_owned(), Kind::Stacked));
        assert_eq!(get(7, 0).1, Kind::Stacked);
        assert!(get(104, 0).0.starts_with("cciss_c0d0-"));
        assert_eq!(get(9, 9), ("9_9".to_owned(), Kind::Disk));
        assert_eq!(get(7, 9), ("7_9".to_owned(), Kind::Stacked));
        assert_eq!(stats.causes(Family::Find, Cause::Absent), 2);
    }

    #[test]
    fn a_number_can_go_to_another_device() {
        let sys = tempfile::tempdir().unwrap();
        device(sys.path(), "8:0", "DEVNAME=sda\n");
        let mut devices = Devices::new(sys.path());
        let mut stats = ReadStats::default();
        let (id, start) = (DeviceId { major: 8, minor: 0 }, Instant::now());
        assert_eq!(devices.get(id, start, &mut stats).name.as_str(), "sda");
        device(sys.path(), "8:0", "DEVNAME=sdb\n");
        assert_eq!(devices.get(id, start + KEPT / 2, &mut stats).name.as_str(), "sda");
        assert_eq!(devices.get(id, start + KEPT, &mut stats).name.as_str(), "sdb");
    }

    #[test]
    fn names_of_memory_and_files() {
        assert!(
            is_memory_or_file("loop12") && is_memory_or_file("ram0") && is_memory_or_file("zram1")
        );
        assert!(
            !is_memory_or_file("ramdisk")
                && !is_memory_or_file("loop")
                && !is_memory_or_file("sda")
        );
    }
}
