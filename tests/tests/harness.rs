//! The harness itself: a test's own engine harms nobody's and leaves nothing.

use anyhow::{Result, ensure};
use e2e::docker::{Docker, SOCKET};
use e2e::engine::Engine;
use rustix::process::Signal;
use std::path::Path;

#[test]
fn an_engine_of_ones_own_leaves_others_alone_and_nothing_behind() -> Result<()> {
    let machine = Docker::system("machine")?;
    let neighbour = machine.run("neighbour", &[], "exec sleep 100000")?;
    let mut engine = Engine::start(&["--live-restore"])?;
    let dir = engine.socket().parent().map(Path::to_owned).unwrap_or_default();
    let docker = engine.docker("own");
    let container = docker.run("lives", &[], "exec sleep 100000")?;
    for signal in [Signal::TERM, Signal::KILL] {
        engine.end(signal)?;
        ensure!(docker.exec(&container, "true").is_err(), "it answers after its end");
        engine.start_again()?;
        docker.exec(&container, "true")?;
    }
    drop(docker);
    drop(engine);
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    ensure!(!mounts.contains(&dir.display().to_string()), "mounts are left: {mounts}");
    ensure!(!dir.exists(), "{} is left", dir.display());
    // the machine's engine still has its bridge
    machine.exec(&neighbour, "ip link show eth0")?;
    machine.run("another", &[], "true")?;
    ensure!(Path::new(SOCKET).exists(), "the machine's socket is gone");
    Ok(())
}
