//! The whole node over a fixture tree: two readings ten seconds apart, against a golden list.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p dadvisor host::tests`, and read the difference.

use super::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host")
}

fn figures(host: &Host) -> BTreeMap<String, f64> {
    let mut out = BTreeMap::new();
    host.each(&mut |name, value| {
        assert!(value.as_f64().is_finite(), "{name}");
        assert!(out.insert(name.to_string(), value.as_f64()).is_none(), "{name} twice");
    });
    out
}

/// Points `proc` in `dir` at one of the fixture trees.
fn proc_is(dir: &Path, tree: &str) {
    let link = dir.join("proc");
    if link.is_symlink() {
        std::fs::remove_file(&link).unwrap();
    }
    std::os::unix::fs::symlink(fixtures().join(tree), link).unwrap();
}

#[test]
fn two_readings_give_the_golden_list() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = Host::open(dir.path().join("proc"), fixtures().join("sys"));
    let start = Instant::now();
    proc_is(dir.path(), "first");
    host.read(start);
    assert!(figures(&host).keys().all(|name| !name.contains("per_second")));
    proc_is(dir.path(), "second");
    host.read(start + Duration::from_secs(10));

    let mut got = String::new();
    host.each(&mut |name, value| {
        let mut printed = Vec::new();
        assert!(value.write(&mut printed));
        // a fixture cannot hold a file system of a known size, nor say whether it has inodes
        if name.2.starts_with(".inodes_") {
            return;
        }
        let printed = match name.0 {
            "filesystem." => "*".to_owned(),
            _ => String::from_utf8(printed).unwrap(),
        };
        writeln!(got, "{name} {printed}").unwrap();
    });
    for (source, failures) in host.errors() {
        if let Some(error) = &failures.last {
            let error = error.to_string().replace(&*dir.path().to_string_lossy(), "");
            writeln!(got, "# {source} failed {} times: {error}", failures.total).unwrap();
        }
    }
    let golden = fixtures().join("golden.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &got).unwrap();
    }
    assert_eq!(got, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn an_empty_root_gives_nothing_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = Host::open(dir.path().join("proc"), dir.path().join("sys"));
    host.read(Instant::now());
    assert_eq!(figures(&host), BTreeMap::new());
    let failed: Vec<_> =
        host.errors().into_iter().filter(|(_, f)| f.last.is_some()).map(|(name, _)| name).collect();
    // the others are things a kernel can be without
    assert_eq!(failed, ["load", "cpu", "memory", "vm", "net", "uptime"]);
}

#[test]
fn one_bad_source_keeps_its_error_to_itself_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = Host::open(dir.path().to_owned(), fixtures().join("sys"));
    for file in ["loadavg", "stat"] {
        std::fs::copy(fixtures().join("first").join(file), dir.path().join(file)).unwrap();
    }
    let start = Instant::now();
    host.read(start);
    std::fs::write(dir.path().join("stat"), b"cpu  1 2 3\xff\xfe\n").unwrap();
    host.read(start + Duration::from_secs(10));
    assert!(figures(&host).contains_key("load.1m"));
    assert!(!figures(&host).contains_key("cpu.usage_seconds_total"));
    assert_eq!(host.errors()[1].1.total, 1);
    std::fs::copy(fixtures().join("second/stat"), dir.path().join("stat")).unwrap();
    host.read(start + Duration::from_secs(20));
    // the rate spans the gap: 1520 ticks of work in 20 s
    assert!((figures(&host)["cpu.percent"] - 76.0).abs() < 1e-9);
    assert!(host.errors()[1].1.last.is_none());
}

#[test]
fn this_machine_can_be_read() {
    let mut host = Host::open("/proc".into(), "/sys".into());
    host.read(Instant::now());
    let figures = figures(&host);
    for name in ["load.1m", "cpu.usage_seconds_total", "memory.total_bytes", "uptime_seconds"] {
        assert!(figures.get(name).is_some_and(|v| *v >= 0.0), "{name} in {figures:?}");
    }
    assert!(figures["memory.usage_bytes"] <= figures["memory.total_bytes"]);
}
