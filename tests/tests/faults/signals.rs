//! Signals in mid-flush: nothing is lost, and who asks twice is not kept waiting.

use crate::lab::{Groups, SOON, bare, carbon, last_pass, passes, said};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Home};
use e2e::graphite::Graphite;
use e2e::wait::eventually;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Enough containers for seconds of theirs to overfill what the kernels between take.
const MANY: usize = 100;
const STEP: u64 = 1;

/// A carbon that hangs while a batch too large for the sockets is on its way to it.
struct Flushing {
    groups: Groups,
    graphite: Graphite,
    home: Home,
    dadvisor: Dadvisor,
}

impl Flushing {
    fn begin(test: &str) -> Result<Self> {
        let groups = Groups::new(test)?;
        (0..MANY).try_for_each(|n| groups.create(&format!("c{n:02}")))?;
        let graphite = Graphite::start_with_step("1s");
        let mut settings = bare(&graphite.line_addr());
        settings.more = groups.wanted();
        let home = Home::new(&settings)?;
        let dadvisor = home.start()?;
        eventually(SOON, "the first points are taken", || {
            let carbon = carbon(&dadvisor)?;
            ensure!(carbon["deliveries"].as_u64() > Some(1), "{carbon}");
            Ok(())
        })?;
        graphite.signal(Signal::STOP);
        // the sender is in the middle of a batch: carbon's kernel took bytes of it, carbon none
        eventually(SOON, "a flush under way", || {
            let carbon = carbon(&dadvisor)?;
            let count = |key: &str| carbon[key].as_u64().unwrap_or(0);
            ensure!(count("waiting_bytes") > 4 << 20, "{carbon}");
            Ok(())
        })?;
        Ok(Self { groups, graphite, home, dadvisor })
    }
}

#[test]
fn sigterm_in_mid_flush_ends_in_time_and_loses_nothing() -> Result<()> {
    let Flushing { groups, graphite, home, dadvisor } = Flushing::begin("term")?;
    let begin = unix_of_start(&dadvisor)?;
    let (_, last) = last_pass(&dadvisor)?.context("no pass")?;
    let asked = Instant::now();
    let status = dadvisor.stop()?;
    println!("ended {:?} after SIGTERM", asked.elapsed());
    ensure!(status.code() == Some(0), "{status}");

    graphite.signal(Signal::CONT);
    let again = home.start()?;
    eventually(Duration::from_secs(60), "all of it is sent", || {
        let carbon = carbon(&again)?;
        ensure!(carbon["oldest_seconds"].as_u64().is_none_or(|age| age <= 3 * STEP), "{carbon}");
        Ok(())
    })?;
    let wanted: Vec<_> = (begin + STEP..=last).step_by(usize::try_from(STEP)?).collect();
    for target in [
        "qae.dc1.node.e2e.load.1m".to_owned(),
        format!("qae.dc1.app.{}.inst.e2e.memory.usage_bytes", groups.app("c00")),
        format!("qae.dc1.app.{}.inst.e2e.pids.current", groups.app("c99")),
    ] {
        eventually(SOON, &target, || {
            let points = graphite.points(&target, begin, last);
            let there: Vec<_> = points.iter().map(|(at, _)| *at).collect();
            ensure!(there == wanted, "{} of {}: {there:?}", there.len(), wanted.len());
            Ok(())
        })?;
    }
    ensure!(again.stop()?.success(), "it ended badly");
    Ok(())
}

/// The first tick of which everything is known to be read.
fn unix_of_start(dadvisor: &Dadvisor) -> Result<u64> {
    let node = dadvisor.get("/v1/node")?;
    let started = node["started_at"].as_str().context("no start")?;
    // cgroups are found a moment after the first pass
    Ok(crate::lab::unix(started)? + 2)
}

#[test]
fn a_second_sigterm_ends_it_at_once() -> Result<()> {
    let Flushing { mut dadvisor, graphite, .. } = Flushing::begin("twice")?;
    dadvisor.signal(Signal::TERM)?;
    eventually(SOON, "it is stopping", || {
        ensure!(said(&dadvisor, "SIGTERM: stopping") == 1, "not yet");
        Ok(())
    })?;
    ensure!(dadvisor.ended(Duration::from_millis(500)).is_err(), "there was nothing to flush");
    dadvisor.signal(Signal::TERM)?;
    let status = dadvisor.ended(Duration::from_secs(1))?;
    ensure!(status.code() == Some(143), "{status}");
    graphite.signal(Signal::CONT);
    Ok(())
}

#[test]
fn sighup_does_not_end_it() -> Result<()> {
    let home = Home::new(&bare(""))?;
    let dadvisor = home.start()?;
    passes(&dadvisor, 1)?;
    for count in 1..=3 {
        dadvisor.signal(Signal::HUP)?;
        eventually(SOON, "it says what it makes of it", || {
            ensure!(said(&dadvisor, "SIGHUP") == count, "not yet");
            Ok(())
        })?;
        passes(&dadvisor, 1)?;
    }
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
