//! What is missing on this host, for `dadvisor check`: facts and cures, no printing.

mod block_io;

use crate::collect::text::next_line;
use crate::kernel::hierarchy::place::of_process;
use crate::kernel::hierarchy::{Mode, Tree};
use crate::kernel::shared::Kernel;
use common::check::{Finding, Severity, finding};
use common::files;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

impl Kernel {
    /// What is missing on this host, for `dadvisor check`. Reads some files anew: not for the way of a sample.
    pub fn diagnose(&self) -> Vec<Finding> {
        let kernel = self;
        let mut found = Vec::new();
        hierarchies(kernel, &mut found);
        namespaces(&kernel.roots.proc, &mut found);
        pressure(kernel, &mut found);
        if let Some(blkio) = point(kernel, Tree::Blkio) {
            found.extend(block_io::counted(&blkio, &kernel.roots.sys.join("block")));
        }
        found.push(open_files());
        rights(kernel, &mut found);
        if kernel.cores().is_none() || kernel.memory().is_none() {
            found.push(finding(
            Severity::Less,
            "devices",
            format!(
                "the host's size is not readable ({}/devices/system/cpu/online, {}/meminfo): limits that do not bind are shown too",
                kernel.roots.sys.display(),
                kernel.roots.proc.display()
            ),
        ));
        }
        if !kernel.roots.sys.join("dev/block").is_dir() {
            found.push(finding(
            Severity::Less,
            "devices",
            format!(
                "{}/dev/block is missing: block devices are called by number; mount sysfs there",
                kernel.roots.sys.display()
            ),
        ));
        }
        found
    }
}

fn point(kernel: &Kernel, tree: Tree) -> Option<PathBuf> {
    kernel.hierarchies.mount(tree).map(|mount| PathBuf::from(OsStr::from_bytes(&mount.point)))
}

fn hierarchies(kernel: &Kernel, found: &mut Vec<Finding>) {
    let mode = match kernel.mode() {
        Mode::V1 => "v1",
        Mode::V2 => "v2",
        Mode::Hybrid => "hybrid (controllers on v1, pressure on v2)",
    };
    let main =
        [Tree::Memory, Tree::Cpuacct, Tree::Unified].into_iter().find_map(|t| point(kernel, t));
    let at = main.map(|path| path.display().to_string()).unwrap_or_default();
    found.push(finding(Severity::Fine, "cgroups", format!("{mode}, {at}")));
    let missing = if kernel.is_v2() { missing_v2(kernel) } else { missing_v1(kernel) };
    if !missing.is_empty() {
        let cure = match kernel.is_v2() {
            true => {
                "write +<controller> to cgroup.subtree_control of the root, or look for cgroup_disable on the kernel's command line"
            }
            false => {
                "mount them, or look for cgroup_disable and cgroup_no_v1 on the kernel's command line"
            }
        };
        let text = format!(
            "controllers {} are missing, and their figures with them: {cure}",
            missing.join(", ")
        );
        found.push(finding(Severity::Less, "cgroups", text));
    }
    for tree in Tree::ALL {
        if let Some(mount) = kernel.hierarchies.mount(tree).filter(|mount| mount.root != b"/") {
            let text = format!(
                "{} shows only {} of its hierarchy: containers outside are not seen; run with --cgroupns=host, or on the host",
                String::from_utf8_lossy(&mount.point),
                String::from_utf8_lossy(&mount.root)
            );
            found.push(finding(Severity::Bad, "cgroups", text));
        }
    }
    let memory = point(kernel, Tree::Memory);
    if memory.is_some_and(|memory| !memory.join("memory.memsw.limit_in_bytes").exists()) {
        found.push(finding(
            Severity::Less,
            "cgroups",
            "swap is not accounted (boot with swapaccount=1): no swap figures",
        ));
    }
}

fn missing_v1(kernel: &Kernel) -> Vec<&'static str> {
    let v1 = &Tree::ALL[..6];
    v1.iter().filter(|tree| kernel.hierarchies.mount(**tree).is_none()).map(|t| t.name()).collect()
}

fn missing_v2(kernel: &Kernel) -> Vec<&'static str> {
    let enabled = point(kernel, Tree::Unified)
        .and_then(|root| fs::read_to_string(root.join("cgroup.subtree_control")).ok())
        .unwrap_or_default();
    let has = |name: &&str| enabled.split_whitespace().any(|word| word == *name);
    ["cpu", "memory", "io", "pids"].into_iter().filter(|name| !has(name)).collect()
}

/// Inode of the first namespace of its kind, the same on every kernel (`PROC_CGROUP_INIT_INO`, `PROC_PID_INIT_INO`).
const INIT_CGROUP_NS: &str = "cgroup:[4026531835]";
const INIT_PID_NS: &str = "pid:[4026531836]";

fn namespaces(proc: &Path, found: &mut Vec<Finding>) {
    let differs = |name: &str, init: &str| {
        fs::read_link(proc.join("self/ns").join(name)).is_ok_and(|link| link.as_os_str() != init)
    };
    let first = fs::read(proc.join("1/cgroup")).unwrap_or_default();
    let above = of_process(&first).into_iter().flatten().any(|path| path.starts_with(b"/.."));
    if above || differs("cgroup", INIT_CGROUP_NS) {
        found.push(finding(
            Severity::Bad,
            "namespaces",
            "this is a private cgroup namespace: containers beside it are not seen; run with --cgroupns=host, or on the host",
        ));
    }
    if differs("pid", INIT_PID_NS) {
        found.push(finding(
            Severity::Bad,
            "namespaces",
            "this is a private pid namespace: the containers' processes are hidden, and network figures with them; run with --pid=host, or on the host",
        ));
    }
}

fn pressure(kernel: &Kernel, found: &mut Vec<Finding>) {
    let path = kernel.roots.proc.join("pressure/cpu");
    let text = match fs::read(&path) {
        Ok(text) if next_line(&text).is_some() => None,
        Ok(_) => Some(format!("{} is empty", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Some("the kernel is built without pressure (CONFIG_PSI)".to_owned())
        }
        Err(error) => Some(format!("{}: {error}; boot with psi=1", path.display())),
    };
    let text = text.or_else(|| {
        (kernel.mode() == Mode::V1).then(|| {
            "pressure per container needs the v2 tree: mount cgroup2 at unified".to_owned()
        })
    });
    if let Some(text) = text {
        found.push(finding(Severity::Less, "pressure", format!("no pressure figures: {text}")));
    }
}

/// Descriptors for 1,000 containers on v1, not held: five directories, pressure, a process.
const ENOUGH: u64 = 8192;

fn open_files() -> Finding {
    let limit = files::limit();
    let hard = limit.hard.map_or("unlimited".to_owned(), |hard| hard.to_string());
    if limit.hard.is_none_or(|hard| hard >= ENOUGH) {
        return finding(Severity::Fine, "files", format!("up to {hard} open files"));
    }
    let text = format!(
        "only {hard} open files allowed: reading more than about {} containers costs more; raise LimitNOFILE to 65536",
        limit.hard.unwrap_or(0) / 8
    );
    finding(Severity::Less, "files", text)
}

fn rights(kernel: &Kernel, found: &mut Vec<Finding>) {
    let proc = kernel.roots.proc.display();
    let cure = "run as root, or with CAP_SYS_PTRACE";
    if kernel.networks.host.is_none() {
        let text = format!(
            "no network namespace is readable ({proc}/self/ns/net): no network figures; {cure}"
        );
        found.push(finding(Severity::Bad, "rights", text));
    } else if fs::metadata(kernel.roots.proc.join("1/ns/net")).is_err() {
        let text = format!(
            "{proc}/1/ns/net is not readable: the network dadvisor runs in is taken for the host's; {cure}"
        );
        found.push(finding(Severity::Less, "rights", text));
    }
}
