//! Whole kernel trees (v1, v2, hybrid) posing as hosts: every figure of every container against a golden text beside the tree.
//! After a wanted change run with `GOLDEN=write`, and read the diff.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod fixture;

use common::container::{Container, Network};
use dadvisor::kernel::read::stats::{Cause, Family};
use dadvisor::kernel::{Families, Group, Kernel, Reading};
use dadvisor::sample::{DEVICE_METRICS, INTERFACE_METRICS, Sample};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use fixture::{container, roots};

/// How a tree is read.
#[derive(Clone, Copy)]
struct How {
    hold: bool,
    spare: bool,
}

impl How {
    fn open(self, tree: &Path) -> Kernel {
        let all = Families { cpu_per_core: true, tcp_states: true, ..Families::default() };
        let kernel = Kernel::open(roots(tree), all, self.hold).unwrap();
        if self.spare { kernel } else { kernel.sparing_nothing() }
    }
}

/// What a host has, as text.
fn picture(tree: &Path, how: How, containers: &[Container]) -> String {
    let mut kernel = how.open(tree);
    let mut out = String::new();
    let (mode, cores, memory) = (kernel.mode(), kernel.cores(), kernel.memory());
    writeln!(
        out,
        "{mode:?}, {cores:?} cores, {memory:?} bytes, {:?} dying",
        kernel.dying_cgroups()
    )
    .unwrap();
    for finding in kernel.diagnose().iter().filter(|f| f.topic != "files") {
        let text = finding.text.replace(&*tree.to_string_lossy(), "");
        writeln!(out, "{:?} {}: {text}", finding.severity, finding.topic).unwrap();
    }
    let mut groups: Vec<Group> =
        containers.iter().map(|container| Group::open(&mut kernel, container).unwrap()).collect();
    let mut sample = Sample::default();
    for group in &mut groups {
        assert_eq!(group.read(&mut kernel, true, &mut sample), Reading::Ok);
        let first = sample.clone();
        assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Ok);
        assert_eq!(sample, first, "a slow pass and the next one differ");
        write(&mut out, tree, group, &sample);
    }
    writeln!(out).unwrap();
    for family in Family::ALL {
        for cause in Cause::ALL {
            match kernel.stats().causes(family, cause) {
                0 => {}
                count => writeln!(out, "{} {} {count}", family.name(), cause.name()).unwrap(),
            }
        }
    }
    out
}

fn write(out: &mut String, tree: &Path, group: &Group, sample: &Sample) {
    let path = group.path().strip_prefix(tree).unwrap().display();
    writeln!(out, "\n{path}\n  net: {:?}", group.net_view()).unwrap();
    for (field, raw) in sample.figures.iter() {
        let mut value = Vec::new();
        assert!(field.unit().value(raw).write(&mut value));
        writeln!(out, "  {} {}", field.name(), String::from_utf8(value).unwrap()).unwrap();
    }
    let mut rows = |head: &str, name: &str, metrics: &[&str], counters: &[u64]| {
        for (metric, counter) in metrics.iter().zip(counters) {
            writeln!(out, "  {head}.{name}{metric} {counter}").unwrap();
        }
    };
    for row in &sample.rows.devices {
        rows("io", row.name.as_str(), &DEVICE_METRICS, &row.counters);
    }
    for row in &sample.rows.interfaces {
        rows("net", row.name.as_str(), &INTERFACE_METRICS, &row.counters);
    }
    if !sample.rows.cores.is_empty() {
        writeln!(out, "  cpu by core {:?}", sample.rows.cores).unwrap();
    }
}

fn check(name: &str, containers: &[Container]) {
    let tree = fixture::tree(name);
    let got = picture(&tree, How { hold: false, spare: false }, containers);
    let held = picture(&tree, How { hold: true, spare: false }, containers);
    assert_eq!(held, got, "held files say something else");
    // a tree stands still, so the second pass spares what it can; only what is counted differs
    let figures = |picture: &str| picture.rsplit_once("\n\n").unwrap().0.to_owned();
    let spared = picture(&tree, How { hold: false, spare: true }, containers);
    assert_eq!(figures(&spared), figures(&got), "spared files say something else");
    let golden = tree.with_extension("golden");
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&golden, &got).unwrap();
    }
    let wanted = fs::read_to_string(&golden).unwrap();
    for (line, (got, wanted)) in got.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(got, wanted, "{}:{}", golden.display(), line + 1);
    }
    assert_eq!(got.len(), wanted.len(), "{} is longer or shorter", golden.display());
}

#[test]
fn v2() {
    check(
        "v2",
        &[
            container("a1", Some(100), Network::Own),
            container("b2", Some(200), Network::Own),
            container("d4", Some(400), Network::Host),
        ],
    );
}

#[test]
fn v1() {
    check(
        "v1",
        &[
            container("a1", Some(100), Network::Own),
            container("b2", Some(200), Network::Own),
            // this pid is another process by now
            container("d4", Some(400), Network::Host),
        ],
    );
}

#[test]
fn hybrid() {
    check(
        "hybrid",
        &[
            container("a1", Some(100), Network::Own),
            container("b2", None, Network::Container("a1".repeat(32))),
        ],
    );
}

#[test]
fn only_what_is_asked_for_is_read() {
    let none = Families {
        cpu: false,
        memory: false,
        io: false,
        net: false,
        pids: false,
        pressure: false,
        oom: false,
        cpu_per_core: false,
        tcp_states: false,
    };
    let container = container("a1", Some(100), Network::Own);
    for tree in ["v1", "v2", "hybrid"] {
        let read = |families| {
            let mut kernel = Kernel::open(roots(&fixture::tree(tree)), families, false).unwrap();
            let mut group = Group::open(&mut kernel, &container).unwrap();
            let mut sample = Sample::default();
            assert_eq!(group.read(&mut kernel, true, &mut sample), Reading::Ok);
            let files = Family::ALL.map(|family| kernel.stats().files(family));
            (sample.figures.iter().map(|(field, _)| field.name()).collect::<Vec<_>>(), files)
        };
        let (figures, files) = read(none);
        assert_eq!((figures, files[..8].iter().sum::<u64>()), (vec![], 0), "{tree}");
        let (figures, _) = read(Families { oom: true, ..none });
        assert_eq!(figures, ["memory.oom_kills_total"], "{tree}");
        let (figures, _) = read(Families { net: true, ..none });
        assert!(figures.len() > 8 && figures.iter().all(|n| !n.starts_with("mem")), "{figures:?}");
    }
}

#[test]
fn collection_may_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Kernel>();
    is_send::<Group>();
    is_send::<dadvisor::kernel::oom_watch::OomWatch>();
}
