//! The engine hangs, dies, comes back: what runs goes on being measured.

use crate::lab::{SOON, seen};
use anyhow::{Result, ensure};
use e2e::dadvisor::{Dadvisor, Home, Settings};
use e2e::docker::Container;
use e2e::engine::Engine;
use e2e::wait::eventually;
use rustix::process::Signal;
use std::time::Duration;

/// Waits until the daemon says that the engine is so.
fn engine_is(dadvisor: &Dadvisor, wanted: &str) -> Result<()> {
    eventually(Duration::from_secs(60), wanted, || {
        let docker = &dadvisor.get("/v1/node")?["docker"];
        ensure!(docker["state"] == wanted, "{docker}");
        Ok(())
    })
}

/// Waits for so many more ticks, and for the container's figures in each.
fn ticks(dadvisor: &Dadvisor, container: &Container, wanted: usize) -> Result<()> {
    let recent = || dadvisor.recent(&container.id, "cpu.percent");
    let before = recent()?.len();
    eventually(SOON, "figures of more ticks", || {
        let points = recent()?;
        ensure!(points.len() >= before + wanted, "{} of {wanted}", points.len() - before);
        Ok(())
    })
}

#[test]
fn an_engine_that_hangs_or_dies_stops_no_collection() -> Result<()> {
    let mut engine = Engine::start(&["--live-restore"])?;
    let docker = engine.docker("engine");
    let stays = docker.run("stays", &["--cpus", "0.2"], "while :; do :; done")?;
    let home = Home::new(&Settings { docker: engine.socket(), ..Settings::default() })?;
    let dadvisor = home.start()?;
    seen(&dadvisor, &stays)?;
    engine_is(&dadvisor, "up")?;

    engine.signal(Signal::STOP)?;
    ticks(&dadvisor, &stays, 5)?;
    engine_is(&dadvisor, "hung")?;
    ticks(&dadvisor, &stays, 3)?;
    engine.signal(Signal::CONT)?;
    engine_is(&dadvisor, "up")?;

    for signal in [Signal::TERM, Signal::KILL] {
        engine.end(signal)?;
        engine_is(&dadvisor, "gone")?;
        ticks(&dadvisor, &stays, 3)?;
        engine.start_again()?;
        engine_is(&dadvisor, "up")?;
        ticks(&dadvisor, &stays, 3)?;
    }
    // not a tick without figures in all this time, and who comes now is seen at once
    let points = dadvisor.recent(&stays.id, "cpu.percent")?;
    let gaps: Vec<_> = points.windows(2).filter(|w| w[1].0 != w[0].0 + 1).collect();
    ensure!(gaps.is_empty(), "ticks are missing: {gaps:?}");
    let new = docker.run("new", &[], "exec sleep 100000")?;
    seen(&dadvisor, &new)?;
    docker.remove(&stays)?;
    eventually(SOON, "the removed one is gone", || {
        ensure!(dadvisor.container(&stays.id).is_err(), "it is still listed");
        Ok(())
    })
}

#[test]
fn without_an_engine_the_node_is_measured() -> Result<()> {
    let none = Settings { docker: "/nowhere/docker.sock".into(), ..Settings::default() };
    let home = Home::new(&none)?;
    let dadvisor = home.start()?;
    eventually(SOON, "figures of the node", || {
        let node = dadvisor.get("/v1/node")?;
        ensure!(node["metrics"]["load.1m"].is_number(), "{node}");
        Ok(())
    })?;
    engine_is(&dadvisor, "gone")?;
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
