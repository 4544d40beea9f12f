//! Carbon or dadvisor itself is away for a while: no tick is missing from the series afterwards.

use crate::lab::{Lab, now, seen, series_of, wait_until};
use anyhow::{Result, ensure};
use e2e::docker::Container;
use e2e::wait::eventually;
use rustix::process::Signal;
use std::time::Duration;

/// Series that have to be without a hole: one of the container, one of the node.
fn targets(app: &str, container: &Container) -> [String; 2] {
    [series_of(app, container, "memory.usage_bytes"), "qae.dc1.node.e2e.load.1m".to_owned()]
}

/// Fails if a slot of `(from, until]` is null, once the sender has had `catch_up` to send it.
fn no_holes(
    lab: &Lab,
    targets: &[String],
    from: u64,
    until: u64,
    catch_up: Duration,
) -> Result<()> {
    for target in targets {
        let wanted = (until - from) / lab.step();
        eventually(catch_up, target, || {
            let points = lab.graphite.points(target, from, until);
            ensure!(points.len() as u64 == wanted, "{wanted} wanted, {}: {points:?}", points.len());
            ensure!(points.windows(2).all(|w| w[1].0 == w[0].0 + lab.step()), "{points:?}");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn an_outage_of_a_minute_leaves_no_null() -> Result<()> {
    // at the intervals that users have
    let mut lab = Lab::with_own_graphite("outage", "10s")?;
    let steady =
        lab.docker.run("steady", &["--label", "qae.app=e2e/outage"], "exec sleep 100000")?;
    let dadvisor = lab.home.start()?;
    seen(&dadvisor, &steady)?;
    let targets = targets("outage", &steady);
    let begin = lab.now();
    lab.series(&targets[0], begin, 1)?;
    lab.graphite.stop();
    let stopped = now();
    wait_until(stopped + 60);
    let carbon = &dadvisor.get("/v1/node")?["carbon"];
    println!("carbon after a minute: {carbon}");
    lab.graphite.start_again();
    let end = lab.now() + 10;
    wait_until(end);
    no_holes(&lab, &targets, begin, end, Duration::from_secs(60))
}

#[test]
fn a_kill_leaves_no_null_older_than_a_tick() -> Result<()> {
    let mut lab = Lab::with_own_graphite("kill", "1s")?;
    let steady = lab.docker.run("steady", &["--label", "qae.app=e2e/kill"], "exec sleep 100000")?;
    let targets = targets("kill", &steady);
    let mut dadvisor = lab.home.start()?;
    seen(&dadvisor, &steady)?;
    let begin = lab.now() + 1;
    lab.series(&targets[0], begin, 2)?;
    // once with everything sent, once with seconds of it in the spool, in which carbon is away
    for away in [false, true] {
        if away {
            lab.graphite.stop();
        }
        wait_until(lab.now() + 5);
        let killed = lab.now();
        dadvisor.kill()?;
        if away {
            lab.graphite.start_again();
        }
        dadvisor = lab.home.start()?;
        seen(&dadvisor, &steady)?;
        // all up to the tick before the kill is there
        no_holes(&lab, &targets, begin, killed - 1, Duration::from_secs(60))?;
    }
    // and nothing was made up: no value while it did not run is newer than the clock
    let points = lab.graphite.points(&targets[0], begin, now() + 3600);
    ensure!(points.iter().all(|(time, _)| *time <= now()), "{points:?}");
    Ok(())
}

#[test]
fn sigterm_in_the_middle_of_a_flush_loses_nothing() -> Result<()> {
    let lab = Lab::with_own_graphite("sigterm", "1s")?;
    let steady =
        lab.docker.run("steady", &["--label", "qae.app=e2e/sigterm"], "exec sleep 100000")?;
    let targets = targets("sigterm", &steady);
    let dadvisor = lab.home.start()?;
    seen(&dadvisor, &steady)?;
    let begin = lab.now() + 1;
    lab.series(&targets[0], begin, 2)?;
    // carbon takes bytes but reads none: what is under way is neither sent nor refused
    lab.graphite.signal(Signal::STOP);
    wait_until(lab.now() + 5);
    let stopped = lab.now();
    let ended = dadvisor.stop();
    lab.graphite.signal(Signal::CONT);
    ensure!(ended?.success(), "SIGTERM is a good end");
    let dadvisor = lab.home.start()?;
    seen(&dadvisor, &steady)?;
    no_holes(&lab, &targets, begin, stopped, Duration::from_secs(60))?;
    ensure!(dadvisor.stop()?.success(), "SIGTERM is a good end");
    Ok(())
}
