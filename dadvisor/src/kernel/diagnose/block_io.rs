//! Whether block IO of containers is counted at all (cgroup v1).
//!
//! Kernels that set up block throttling lazily (seen on 6.18) begin to count a disk's IO with the first throttle on it. The root cgroup's files have
//! a line for each disk that is counted, from then until the next boot. Disks with BFQ or, on old kernels, CFQ are counted by those.

use common::check::{Finding, Severity, finding};
use std::fs;
use std::path::Path;

/// Any of these that has a line of a disk counts it.
const COUNTING: [&str; 4] = [
    "blkio.throttle.io_service_bytes_recursive",
    "blkio.throttle.io_service_bytes",
    "blkio.bfq.io_service_bytes_recursive",
    "blkio.io_service_bytes_recursive",
];

/// What there is to say about `blkio`, the root of its hierarchy, and the physical disks in `block`, `/sys/block`; none without a disk in use.
pub(super) fn counted(blkio: &Path, block: &Path) -> Option<Finding> {
    let counting: Vec<String> =
        COUNTING.iter().filter_map(|file| fs::read_to_string(blkio.join(file)).ok()).collect();
    let is_counted = |number: &str| {
        counting.iter().flat_map(|text| text.lines()).any(|l| l.split(' ').next() == Some(number))
    };
    let mut disks = disks_in_use(block);
    disks.sort_unstable();
    let (yes, no): (Vec<_>, Vec<_>) = disks.into_iter().partition(|(_, n)| is_counted(n));
    let names = |disks: &[(String, String)]| {
        disks.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    };
    match no.first() {
        Some((first, _)) => Some(finding(
            Severity::Less,
            "io",
            format!(
                "no container's block IO on {} is counted: this kernel begins with the first throttle on a disk; once after each boot, for each, \
                 run docker run --rm --device-write-bps /dev/{first}:1tb IMAGE true",
                names(&no)
            ),
        )),
        None if yes.is_empty() => None,
        None => Some(finding(
            Severity::Fine,
            "io",
            format!("block IO of containers is counted on {}", names(&yes)),
        )),
    }
}

/// Name and `major:minor` of each physical disk that was read or written since boot.
fn disks_in_use(block: &Path) -> Vec<(String, String)> {
    let used = |dir: &Path| {
        let stat = fs::read_to_string(dir.join("stat")).unwrap_or_default();
        // reads and writes completed
        let mut fields = stat.split_ascii_whitespace();
        [fields.next(), fields.nth(3)].into_iter().flatten().any(|count| count != "0")
    };
    fs::read_dir(block)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|dir| dir.join("device").exists() && used(dir))
        .filter_map(|dir| {
            let number = fs::read_to_string(dir.join("dev")).ok()?;
            Some((dir.file_name()?.to_str()?.to_owned(), number.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files with these contents below a directory.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn disks() -> tempfile::TempDir {
        tree(&[
            ("vda/dev", "254:0\n"),
            ("vda/stat", "  40 0 80 1 9 0 72 1 0 1 2\n"),
            ("vda/device/x", ""),
            ("vdb/dev", "254:16\n"),
            ("vdb/stat", "  0 0 0 0 7 0 56 1 0 1 1\n"),
            ("vdb/device/x", ""),
            ("vdc/dev", "254:32\n"),
            ("vdc/stat", "  0 0 0 0 0 0 0 0 0 0 0\n"),
            ("vdc/device/x", ""),
            ("loop0/dev", "7:0\n"),
            ("loop0/stat", "  40 0 80 1 0 0 0 0 0 1 1\n"),
        ])
    }

    #[test]
    fn a_disk_without_a_line_is_not_counted() {
        let disks = disks();
        let none = tree(&[("blkio.throttle.io_service_bytes_recursive", "Total 0\n")]);
        let found = counted(none.path(), disks.path()).unwrap();
        assert_eq!((found.severity, found.topic), (Severity::Less, "io"));
        assert!(found.text.contains("on vda, vdb is counted"), "{}", found.text);
        assert!(found.text.contains("--device-write-bps /dev/vda:1tb"), "{}", found.text);
        let one = tree(&[
            ("blkio.throttle.io_service_bytes_recursive", "254:0 Read 1\nTotal 1\n"),
            ("blkio.bfq.io_service_bytes_recursive", "Total 0\n"),
        ]);
        let found = counted(one.path(), disks.path()).unwrap();
        assert!(found.text.contains("on vdb is counted"), "{}", found.text);
    }

    #[test]
    fn a_disk_may_be_counted_by_any_of_them() {
        let disks = disks();
        let both = tree(&[
            (
                "blkio.throttle.io_service_bytes_recursive",
                "254:16 Read 1\n254:16 Write 0\nTotal 1\n",
            ),
            ("blkio.bfq.io_service_bytes_recursive", "254:0 Read 5\nTotal 5\n"),
        ]);
        let found = counted(both.path(), disks.path()).unwrap();
        assert_eq!(found.severity, Severity::Fine, "{}", found.text);
        assert!(found.text.ends_with("counted on vda, vdb"), "{}", found.text);
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(
            counted(both.path(), empty.path()),
            None,
            "without disks there is nothing to say"
        );
    }
}
