//! Damaged kernel files, one at a time and at random: a bad file costs its own figures, never others, never the pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod fixture;

use common::check::Severity;
use common::container::{Container, Network};
use dadvisor::kernel::read::BUFFER;
use dadvisor::kernel::read::stats::Cause;
use dadvisor::kernel::{Families, Group, Kernel, Reading};
use dadvisor::sample::{Field, Sample};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A copy of a fixture tree that may be damaged.
fn copy(name: &str) -> tempfile::TempDir {
    fn copy_dir(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                copy_dir(&from, &to);
            } else if kind.is_symlink() {
                symlink(fs::read_link(&from).unwrap(), to).unwrap();
            } else {
                fs::copy(&from, to).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&fixture::tree(name), dir.path());
    dir
}

fn one() -> Container {
    fixture::container("a1", Some(100), Network::Own)
}

/// Every file that is read for the container.
fn files(tree: &Path) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                walk(&path, found);
            } else if path.to_string_lossy().contains(&"a1".repeat(32)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&tree.join("cgroup"), &mut found);
    // without this one the cgroup is gone
    found.retain(|path| !path.ends_with("cgroup.procs"));
    found.extend(
        ["dev", "snmp", "sockstat", "sockstat6"].map(|n| tree.join("proc/100/net").join(n)),
    );
    found.sort();
    found
}

type Figures = BTreeMap<&'static str, u64>;

fn figures(sample: &Sample) -> Figures {
    sample.figures.iter().map(|(field, value)| (field.name(), value)).collect()
}

/// A first reading of the tree as it is.
fn read(tree: &Path, hold: bool) -> (Figures, u64) {
    let mut kernel = Kernel::open(fixture::roots(tree), Families::default(), hold).unwrap();
    let mut group = Group::open(&mut kernel, &one()).unwrap();
    let mut sample = Sample::default();
    assert_eq!(group.read(&mut kernel, true, &mut sample), Reading::Ok);
    let stats = kernel.stats();
    (figures(&sample), [Cause::Wrong, Cause::Cut].map(|cause| stats.total(cause)).iter().sum())
}

fn changed(before: &Figures, after: &Figures) -> Vec<&'static str> {
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    keys.filter(|key| before.get(*key) != after.get(*key)).copied().collect()
}

fn one_file_at_a_time(name: &str) {
    let dir = copy(name);
    let tree = dir.path();
    let (whole, trouble) = read(tree, false);
    assert_eq!(trouble, 0);
    for file in files(tree) {
        let text = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let without = changed(&whole, &read(tree, false).0);
        let digits: Vec<u8> =
            text.iter().map(|b| if b.is_ascii_digit() { b'x' } else { *b }).collect();
        let huge: Vec<u8> = text.iter().copied().cycle().take(BUFFER * 3 + 7).collect();
        let cut = text[..text.len() * 2 / 3].to_vec();
        for (damage, bytes) in [
            ("empty", vec![]),
            ("no numbers", digits),
            ("cut", cut),
            ("binary", vec![0xff; 100]),
            ("huge", huge),
            ("blank", b" \n\n \t\n".to_vec()),
            ("overflow", b"99999999999999999999999\n".repeat(3)),
        ] {
            fs::write(&file, &bytes).unwrap();
            let (after, _) = read(tree, damage.len() % 2 == 0);
            let spoiled = changed(&whole, &after);
            let others: Vec<_> = spoiled.iter().filter(|name| !without.contains(name)).collect();
            assert!(others.is_empty(), "{} {damage}: {others:?}", file.display());
        }
        fs::write(&file, text).unwrap();
    }
    assert_eq!(read(tree, false), (whole, 0));
}

#[test]
fn a_bad_file_costs_its_own_figures_v1() {
    one_file_at_a_time("v1");
}

#[test]
fn a_bad_file_costs_its_own_figures_v2() {
    one_file_at_a_time("v2");
}

#[test]
fn a_file_that_is_missing_is_tried_again_on_slow_passes_only() {
    let dir = copy("v2");
    let file = dir
        .path()
        .join(format!("cgroup/system.slice/docker-{}.scope/pids.current", "a1".repeat(32)));
    fs::remove_file(&file).unwrap();
    let mut kernel = Kernel::open(fixture::roots(dir.path()), Families::default(), true).unwrap();
    let mut group = Group::open(&mut kernel, &one()).unwrap();
    let mut sample = Sample::default();
    let mut current = |slow| {
        assert_eq!(group.read(&mut kernel, slow, &mut sample), Reading::Ok);
        sample.figures.get(Field::PidsCurrent)
    };
    assert_eq!(current(false), None);
    fs::write(&file, "17\n").unwrap();
    assert_eq!(current(false), None);
    // of a container that does not run, one slow pass of five reads everything
    let tried = (0..5).filter(|_| current(true) == Some(17)).count();
    assert!((1..=5).contains(&tried), "{tried}");
    assert_eq!(current(false), Some(17));
}

#[test]
fn a_directory_that_vanishes_in_mid_pass_is_gone() {
    for (name, hold) in [("v1", false), ("v2", false), ("hybrid", true)] {
        let dir = copy(name);
        let mut kernel =
            Kernel::open(fixture::roots(dir.path()), Families::default(), hold).unwrap();
        // a removed cgroup's held files cannot be read, which those of a fixture can
        kernel = kernel.sparing_nothing();
        let mut group = Group::open(&mut kernel, &one()).unwrap();
        let mut sample = Sample::default();
        assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Ok);
        let path = group.path().to_owned();
        // of the files of a removed cgroup the last one read is gone like the first
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(group.read(&mut kernel, true, &mut sample), Reading::Gone);
        assert_eq!(sample, Sample::default());
        assert!(Group::open(&mut kernel, &one()).is_err() || name != "v2");
    }
}

#[test]
fn private_namespaces_are_named() {
    let dir = copy("v2");
    let proc = dir.path().join("proc");
    fs::write(proc.join("1/cgroup"), "0::/../../init.scope\n").unwrap();
    fs::remove_file(proc.join("self/ns/pid")).unwrap();
    symlink("pid:[4026532300]", proc.join("self/ns/pid")).unwrap();
    fs::remove_file(proc.join("pressure/cpu")).unwrap();
    let kernel = Kernel::open(fixture::roots(dir.path()), Families::default(), false).unwrap();
    let found = kernel.diagnose();
    let bad: Vec<_> = found.iter().filter(|f| f.severity == Severity::Bad).collect();
    assert_eq!(bad.len(), 2, "{found:?}");
    assert!(bad[0].text.contains("--cgroupns=host") && bad[1].text.contains("--pid=host"));
    assert!(found.iter().any(|f| f.topic == "pressure" && f.severity == Severity::Less));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_damage_is_survived(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), proptest::collection::vec(any::<u8>(), 0..200), any::<bool>()), 1..8),
        v2 in any::<bool>(), hold in any::<bool>(),
    ) {
        let dir = copy(if v2 { "v2" } else { "v1" });
        let files = files(dir.path());
        for (at, bytes, append) in damage {
            let file = at.get(&files);
            let mut text = if append { fs::read(file).unwrap() } else { Vec::new() };
            text.extend(bytes);
            fs::write(file, text).unwrap();
        }
        read(dir.path(), hold);
    }
}
