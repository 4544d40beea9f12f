//! Many idle Docker containers, each with its own network namespace: what the whole daemon costs, everything included, into a real
//! carbon, beside the floor of the same reading method and beside `dockerd`.

use crate::daemon::Daemon;
use crate::floor::{Floor, Method, NET_FILES, V1_FILES, V2_FILES, trimmed};
use crate::process::{cpu_seconds, find, resident};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The product's default tick.
const TICK: Duration = Duration::from_secs(10);

/// Containers made for the measurement, removed when dropped.
struct Containers {
    names: Vec<String>,
}

impl Containers {
    fn start(count: usize) -> Result<Self> {
        let mut made = Self { names: Vec::new() };
        let started = Instant::now();
        // two at a time: more only queue inside the engine
        for pair in (0..count).collect::<Vec<_>>().chunks(2) {
            let children: Vec<_> = pair
                .iter()
                .map(|n| {
                    let name = format!("qae-bench-{n}");
                    made.names.push(name.clone());
                    let app = format!("qae.app=bench/app-{}", n % 50);
                    let args = [
                        "run",
                        "-d",
                        "--name",
                        &name,
                        "--label",
                        &app,
                        "qae-test/busybox",
                        "sleep",
                        "100000",
                    ];
                    Command::new("docker").args(args).stdout(std::process::Stdio::null()).spawn()
                })
                .collect::<Result<_, _>>()?;
            for mut child in children {
                ensure!(child.wait()?.success(), "docker run failed");
            }
            if made.names.len() % 100 == 0 {
                eprintln!(
                    "bench: {} containers after {:.0} s",
                    made.names.len(),
                    started.elapsed().as_secs_f64()
                );
            }
        }
        Ok(made)
    }

    fn pids(&self) -> Result<Vec<u32>> {
        let mut args = vec!["inspect", "--format", "{{.State.Pid}}"];
        args.extend(self.names.iter().map(String::as_str));
        let out = Command::new("docker").args(args).output().context("docker inspect")?;
        String::from_utf8(out.stdout)?
            .split_whitespace()
            .map(|p| p.parse().context("pid"))
            .collect()
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        for some in self.names.chunks(50) {
            let done = Command::new("docker")
                .args(["rm", "-f"])
                .args(some)
                .stdout(std::process::Stdio::null())
                .status();
            if !done.is_ok_and(|s| s.success()) {
                eprintln!("bench: containers stay: {some:?}");
            }
        }
    }
}

/// The table.
pub fn run(count: usize, ticks: u32, carbon: &str, binary: &Path) -> Result<String> {
    let span = TICK * ticks;
    let containers = Containers::start(count)?;
    let pids = containers.pids()?;
    let dockerd = find("dockerd").context("dockerd does not run here")?;
    let groups = pids.iter().map(|pid| directories(*pid)).collect::<Result<Vec<_>>>()?;

    let idle = share_over(dockerd, span)?;
    let mut floors = Vec::new();
    for method in [Method::Held, Method::Beneath, Method::Path] {
        let mut floor = Floor::new(method, &groups, &pids)?;
        let files = floor.files() / count.max(1);
        floors.push((method, files, floor_share(&mut floor, ticks)?));
    }
    let daemon = Daemon::start(binary, carbon, TICK, 7001)?;
    daemon.wait_for_containers(count, Duration::from_secs(120))?;
    // the first pass reads what is read rarely, and carbon makes the files
    std::thread::sleep(TICK * 2);
    let (docker_before, before) = (cpu_seconds(dockerd)?, cpu_seconds(daemon.pid())?);
    let start = Instant::now();
    std::thread::sleep(span);
    let wall = start.elapsed().as_secs_f64();
    let ours = (cpu_seconds(daemon.pid())? - before) / wall;
    let docker_with = (cpu_seconds(dockerd)? - docker_before) / wall;
    let rss = resident(daemon.pid())?;
    let points = daemon.metric("dadvisor_points")?;
    let pass = daemon.metric("dadvisor_pass_seconds")?;
    let inspections = daemon.metric("dadvisor_docker_inspects_total")?;

    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let mut table = Table::new(&["what", "figure"]);
    let mut add = |what: String, figure: String| table.row(vec![what, figure]);
    add("containers".into(), count.to_string());
    for (method, files, share) in &floors {
        add(format!("floor, {method:?}, {files} files each"), percent(*share));
    }
    add("dadvisor, everything".into(), percent(ours));
    add(
        "ratio to the floor of the same method (Beneath)".into(),
        format!("{:.2}", ours / floors[1].2),
    );
    add("points per pass".into(), format!("{points:.0}"));
    add("last pass".into(), format!("{:.1} ms", pass * 1e3));
    add("dadvisor resident".into(), format!("{:.1} MB", to_f64(rss) / 1e6));
    add("inspections by the engine".into(), format!("{inspections:.0}"));
    add("descriptors held".into(), daemon.descriptors()?.to_string());
    add("dockerd without dadvisor".into(), percent(idle));
    add("dockerd with dadvisor".into(), percent(docker_with));
    Ok(table.render())
}

/// CPU share of a process over a time.
fn share_over(pid: u32, time: Duration) -> Result<f64> {
    let (before, start) = (cpu_seconds(pid)?, Instant::now());
    std::thread::sleep(time);
    Ok((cpu_seconds(pid)? - before) / start.elapsed().as_secs_f64())
}

/// CPU share of a floor that takes a pass per tick, caches as cold as a tick leaves them.
fn floor_share(floor: &mut Floor, ticks: u32) -> Result<f64> {
    floor.pass()?;
    let me = std::process::id();
    let (before, start) = (cpu_seconds(me)?, Instant::now());
    for _ in 0..ticks {
        std::thread::sleep(TICK);
        floor.pass()?;
    }
    Ok((cpu_seconds(me)? - before) / start.elapsed().as_secs_f64())
}

/// A container's cgroup directories by `/proc/PID/cgroup`, with the files a pass reads.
fn directories(pid: u32) -> Result<Vec<(PathBuf, &'static [&'static str])>> {
    let path = format!("/proc/{pid}/cgroup");
    let text = std::fs::read_to_string(&path).context(path)?;
    let root = Path::new("/sys/fs/cgroup");
    let mut found = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if controllers.is_empty() && root.join("cgroup.controllers").exists() {
            found.push((root.join(group.trim_start_matches('/')), &V2_FILES[..]));
        }
        for (controller, files) in V1_FILES {
            if controllers.split(',').any(|c| c == controller) {
                let dir = root.join(controller).join(group.trim_start_matches('/'));
                let files = trimmed(&dir, files);
                found.push((dir, files));
            }
        }
    }
    ensure!(!found.is_empty(), "{NET_FILES:?}: no cgroup of {pid} found");
    Ok(found)
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}
