//! The engine hangs while containers come and go beneath it.

use crate::lab::{Recorder, SOON, cgroup_of, now, passes, remove_everywhere};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Home, Settings};
use e2e::docker::Container;
use e2e::engine::Engine;
use e2e::wait::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A hang shows when the engine is asked again, which is every 30 s, and does not answer.
const ASKED: Duration = Duration::from_secs(60);

fn engine_is(dadvisor: &Dadvisor, wanted: &str) -> Result<()> {
    eventually(ASKED, wanted, || {
        let docker = &dadvisor.get("/v1/node")?["docker"];
        ensure!(docker["state"] == wanted, "{docker}");
        Ok(())
    })
}

fn is_read(dadvisor: &Dadvisor, container: &Container) -> Result<()> {
    eventually(SOON, "a container is read", || dadvisor.container(&container.id).map(|_| ()))
}

/// Fifteen seconds and more in which the engine hangs and a container ends.
fn hanging(
    dadvisor: &Dadvisor,
    recorder: &Recorder,
    ends: &Container,
    first: Option<Pid>,
) -> Result<()> {
    let hung = Instant::now();
    // its cgroup would stay until the engine removes it
    let first = first.context("no process")?;
    let cgroup = cgroup_of(first)?;
    kill_process(first, Signal::KILL)?;
    remove_everywhere(&cgroup)?;
    eventually(SOON, "it is not read any more", || {
        let read = dadvisor.get("/v1/node")?["pass"]["containers"].as_u64();
        ensure!(read == Some(1), "{read:?} containers are read");
        Ok(())
    })?;
    let died = now();
    engine_is(dadvisor, "hung")?;
    println!("seen as hung after {:?}", hung.elapsed());
    while hung.elapsed() < Duration::from_secs(15) {
        passes(dadvisor, 1)?;
    }
    let points = recorder.lines(&format!(".inst.{}.memory.usage_bytes", ends.short()));
    let fake: Vec<_> = points.iter().filter(|line| line.timestamp > died).collect();
    ensure!(fake.is_empty(), "points of one that ended before {died}: {fake:?}");
    Ok(())
}

#[test]
fn while_the_engine_hangs_the_known_are_read_the_ended_are_silent_and_the_new_come_after()
-> Result<()> {
    let engine = Engine::start(&[])?;
    let docker = engine.docker("hang");
    let recorder = Recorder::start(|path| path.ends_with(".memory.usage_bytes"))?;
    let carbon = recorder.address().to_owned();
    let home = Home::new(&Settings { carbon, docker: engine.socket(), ..Settings::default() })?;
    let stays = docker.run("stays", &[], "exec sleep 100000")?;
    let ends = docker.run("ends", &[], "exec sleep 100000")?;
    let first = docker.inspect(&ends, "{{.State.Pid}}")?.parse().ok().and_then(Pid::from_raw);
    let dadvisor = home.start()?;
    is_read(&dadvisor, &stays)?;
    is_read(&dadvisor, &ends)?;
    engine_is(&dadvisor, "up")?;
    let begin = now() + 1;

    engine.signal(Signal::STOP)?;
    // asked for now, it is started once the engine goes on
    let (hang, new) = std::thread::scope(|scope| -> Result<_> {
        let new = scope.spawn(|| docker.run("new", &[], "exec sleep 100000"));
        let hang = hanging(&dadvisor, &recorder, &ends, first);
        // whatever came of it: the thread waits for the engine
        engine.signal(Signal::CONT)?;
        Ok((hang, new.join().unwrap_or_else(|_| anyhow::bail!("it panicked"))))
    })?;
    hang?;
    let new = new?;
    is_read(&dadvisor, &new)?;
    engine_is(&dadvisor, "up")?;
    let end = now() - 2;
    let path = format!(".inst.{}.memory.usage_bytes", stays.short());
    let ticks: BTreeSet<_> = recorder.lines(&path).iter().map(|line| line.timestamp).collect();
    let missing: Vec<_> = (begin..=end).filter(|tick| !ticks.contains(tick)).collect();
    ensure!(missing.is_empty(), "no figures of the known one at {missing:?}");
    eventually(SOON, "the ended one is gone", || {
        ensure!(dadvisor.container(&ends.id).is_err(), "it is still listed");
        Ok(())
    })?;
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
