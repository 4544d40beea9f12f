//! What happens to containers in their lives: limits that change, restarts, ends within a tick.

use crate::lab::{Lab, SOON, near, seen, series_of};
use anyhow::{Result, ensure};
use e2e::dadvisor::{Dadvisor, Home, Settings};
use e2e::docker::{Container, Docker};
use e2e::wait::eventually;
use std::time::Duration;

/// The engine tells of an update, and the next pass reads the limits; without it they are read once a minute.
const LIMITS: Duration = Duration::from_secs(15);
const MIB: f64 = 1024.0 * 1024.0;

fn has_limits(d: &Dadvisor, c: &Container, memory: f64, cores: f64, pids: f64) -> Result<()> {
    near("memory.limit_bytes", d.metric(&c.id, "memory.limit_bytes")?, memory, 0.0)?;
    near("cpu.limit_cores", d.metric(&c.id, "cpu.limit_cores")?, cores, 0.0)?;
    near("pids.limit", d.metric(&c.id, "pids.limit")?, pids, 0.0)
}

#[test]
fn limits_are_seen_and_followed() -> Result<()> {
    let docker = Docker::system("limits")?;
    let limits =
        ["--memory", "300m", "--memory-swap", "300m", "--cpus", "0.5", "--pids-limit", "50"];
    let limited = docker.run("limited", &limits, "while :; do :; done")?;
    let free = docker.run("free", &["--pids-limit", "-1"], "exec sleep 100000")?;
    let home = Home::new(&Settings::default())?;
    let dadvisor = home.start()?;
    seen(&dadvisor, &limited)?;
    has_limits(&dadvisor, &limited, 300.0 * MIB, 0.5, 50.0)?;
    // a limit that is not there is not sent; the machine's own are no limits of a container
    seen(&dadvisor, &free)?;
    for metric in ["memory.limit_bytes", "memory.percent", "cpu.limit_cores", "cpu.limit_percent"] {
        ensure!(dadvisor.metric(&free.id, metric).is_err(), "{metric} of one without limits");
    }

    let update =
        ["--memory", "200m", "--memory-swap", "200m", "--cpus", "0.25", "--pids-limit", "60"];
    docker.on(&limited, "update", &update)?;
    eventually(LIMITS, "docker update", || has_limits(&dadvisor, &limited, 200.0 * MIB, 0.25, 60.0))
}

#[test]
fn a_restart_makes_no_spike_and_no_negative_rate() -> Result<()> {
    let lab = Lab::new("restart")?;
    let options = ["--cpus", "0.5", "--label", "qae.app=e2e/restart"];
    // some seconds of CPU before each restart, so that a counter taken across it would show
    let looped = lab.docker.run("loop", &options, "while :; do :; done")?;
    let dadvisor = lab.home.start()?;
    seen(&dadvisor, &looped)?;
    let begin = lab.now();
    let percent = series_of("restart", &looped, "cpu.percent");
    // the first rate after a start needs two passes
    lab.series(&percent, lab.now() + 2, 5)?;
    for _ in 0..2 {
        lab.docker.on(&looped, "restart", &["-t", "0"])?;
        lab.series(&percent, lab.now() + 2, 5)?;
    }
    let until = lab.now();
    for (metric, most) in [
        ("cpu.percent", 75.0),
        ("cpu.throttled_percent", 100.0),
        ("net.rx_bytes_per_second", 1e5),
        ("io.write_bytes_per_second", 1e5),
    ] {
        let points = lab.graphite.points(&series_of("restart", &looped, metric), begin, until);
        let wrong: Vec<_> = points.iter().filter(|(_, v)| !(0.0..=most).contains(v)).collect();
        ensure!(wrong.is_empty(), "{metric}: {wrong:?}");
    }
    let uptime = lab.fresh(&series_of("restart", &looped, "uptime_seconds"))?;
    ensure!(uptime < 30.0, "uptime is that of the current run: {uptime}");
    Ok(())
}

/// Descriptors that a process holds.
fn descriptors(pid: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

#[test]
fn a_hundred_short_lives_leave_nothing_behind() -> Result<()> {
    let docker = Docker::system("short")?;
    let steady = docker.run("steady", &[], "exec sleep 100000")?;
    let home = Home::new(&Settings::default())?;
    let dadvisor = home.start()?;
    seen(&dadvisor, &steady)?;
    let before = descriptors(dadvisor.pid())?;
    std::thread::scope(|scope| {
        let lives = |lane: usize| {
            let docker = &docker;
            move || -> Result<()> {
                for n in 0..25 {
                    // some end within a tick, some see one or two
                    let script = if n % 5 == 0 { "sleep 1.5" } else { "true" };
                    docker.run(&format!("{lane}-{n}"), &["--rm"], script)?;
                }
                Ok(())
            }
        };
        let lanes: Vec<_> = (0..4).map(|lane| scope.spawn(lives(lane))).collect();
        lanes
            .into_iter()
            .try_for_each(|lane| lane.join().unwrap_or_else(|_| anyhow::bail!("a lane panicked")))
    })?;
    eventually(SOON, "only the steady one is left", || {
        let items = dadvisor.get("/v1/containers?limit=1000")?["items"].clone();
        let names: Vec<_> =
            items.as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
        let ours = steady.name.trim_end_matches("steady");
        let left: Vec<_> = names.iter().filter(|n| n.starts_with(ours)).collect();
        ensure!(left == [&steady.name.as_str()], "{left:?}");
        Ok(())
    })?;
    let after = descriptors(dadvisor.pid())?;
    ensure!(after <= before + 4, "{before} descriptors before, {after} after");
    let points = dadvisor.recent(&steady.id, "memory.usage_bytes")?;
    let gaps: Vec<_> = points.windows(2).filter(|w| w[1].0 != w[0].0 + 1).collect();
    ensure!(gaps.is_empty(), "ticks are missing: {gaps:?}");
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
