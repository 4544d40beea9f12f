//! Deaths for want of memory are counted, and the count outlives the container.

use crate::lab::{Lab, SOON, seen, series_of};
use anyhow::{Result, ensure};
use e2e::wait::eventually;
use std::time::Duration;

#[test]
fn oom_kills_are_counted_and_outlive_the_container() -> Result<()> {
    let lab = Lab::new("oom")?;
    let limits = ["--memory", "32m", "--memory-swap", "32m", "--label", "qae.app=e2e/oom"];
    // the shell stays, only what asks for too much dies
    let greedy = lab.docker.run("greedy", &limits, "exec sleep 100000")?;
    let dadvisor = lab.home.start()?;
    seen(&dadvisor, &greedy)?;
    let total = "qae.dc1.app.e2e_oom.all.oom_kills_total";
    for n in [1.0, 2.0] {
        // its own end is what is wanted: the exit code is 137
        lab.docker.exec(&greedy, "tail /dev/zero || true")?;
        let own = series_of("oom", &greedy, "memory.oom_kills_total");
        for target in [own.as_str(), total] {
            eventually(SOON, target, || {
                let kills = lab.fresh(target)?;
                ensure!(kills == n, "{kills} of {n}");
                Ok(())
            })?;
        }
    }
    lab.docker.remove(&greedy)?;
    // one that is dead before anybody looks, and gone with it
    let quick = [&limits[..], &["--rm"]].concat();
    lab.docker.run("quick", &quick, "exec tail /dev/zero")?;
    eventually(Duration::from_secs(60), "the kill within a tick", || {
        let kills = lab.fresh(total)?;
        ensure!(kills == 3.0, "{kills} of 3");
        Ok(())
    })?;
    // the count stays while no container of the app is left, and over a restart of the daemon
    lab.series(total, lab.now(), 3)?;
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    let dadvisor = lab.home.start()?;
    let again = lab.docker.run("again", &limits, "exec sleep 100000")?;
    seen(&dadvisor, &again)?;
    ensure!(lab.fresh(total)? == 3.0, "a restart of the daemon forgets kills");
    Ok(())
}
