//! Carbon refuses, hangs, breaks off in mid-batch, and is back: all in one life of the daemon.

use crate::lab::{Gate, Manner, SOON, bare, carbon, last_pass, own, passes, said};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Home};
use e2e::graphite::Graphite;
use e2e::wait::eventually;
use rustix::process::Signal;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Waits until carbon is so, and says the same in both places.
fn is(dadvisor: &Dadvisor, wanted: &str) -> Result<()> {
    eventually(SOON, wanted, || {
        let carbon = carbon(dadvisor)?;
        ensure!(carbon["state"] == wanted, "{carbon}");
        let label = format!("dadvisor_carbon_state{{state=\"{wanted}\"}}");
        ensure!(own(dadvisor, &label)? == 1.0, "{label}");
        Ok(())
    })
}

/// Waits until nothing older than a tick or two waits.
fn caught_up(dadvisor: &Dadvisor) -> Result<()> {
    is(dadvisor, "connected")?;
    eventually(SOON, "the backlog is sent", || {
        let carbon = carbon(dadvisor)?;
        let fresh = |age: &serde_json::Value| age.as_u64().is_none_or(|age| age <= 2);
        ensure!(fresh(&carbon["oldest_seconds"]), "{carbon}");
        ensure!(carbon["failing_since_ms"].is_null(), "{carbon}");
        Ok(())
    })
}

/// Depth and age of what waits, while carbon is away: both rise.
fn backlog_grows(dadvisor: &Dadvisor) -> Result<()> {
    let depth = || -> Result<(f64, f64)> {
        let figure = |name| own(dadvisor, &format!("dadvisor_carbon_{name}"));
        Ok((figure("waiting_points")?, figure("oldest_seconds")?))
    };
    let before = eventually(SOON, "something waits", depth)?;
    passes(dadvisor, 3)?;
    let after = depth()?;
    ensure!(after.0 > before.0 && after.1 > before.1, "{before:?}, then {after:?}");
    let shown = carbon(dadvisor)?;
    ensure!(shown["waiting_points"].as_f64() >= Some(after.0), "{shown}, {after:?}");
    ensure!(shown["last_error"].is_string() && shown["failing_since_ms"].is_u64(), "{shown}");
    Ok(())
}

/// Fails unless the log has told of so many outages, and of their ends, once each.
fn told(dadvisor: &Dadvisor, outages: usize, ends: usize) -> Result<()> {
    let (began, ended) =
        (said(dadvisor, "batches wait in the spool"), said(dadvisor, ": works again"));
    ensure!((began, ended) == (outages, ends), "told {began} times, and {ended} times of an end");
    Ok(())
}

#[test]
fn refusing_hanging_breaking_off_and_back_loses_no_point() -> Result<()> {
    let graphite = Graphite::start_with_step("1s");
    let to = Manner::Pass(graphite.line_addr());
    // a port that nobody listens on yet
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let home = Home::new(&bare(&address))?;
    let dadvisor = home.start()?;
    is(&dadvisor, "unreachable")?;
    let (_, begin) = last_pass(&dadvisor)?.context("no pass")?;
    backlog_grows(&dadvisor)?;
    told(&dadvisor, 1, 0)?;

    let gate = Gate::open(&address, to.clone())?;
    caught_up(&dadvisor)?;
    told(&dadvisor, 1, 1)?;

    let hung = Instant::now();
    graphite.signal(Signal::STOP);
    is(&dadvisor, "unreachable")?;
    backlog_grows(&dadvisor)?;
    while hung.elapsed() < Duration::from_secs(20) {
        passes(&dadvisor, 1)?;
    }
    graphite.signal(Signal::CONT);
    caught_up(&dadvisor)?;
    told(&dadvisor, 2, 2)?;

    gate.set(Manner::CloseAfter(1000));
    is(&dadvisor, "unreachable")?;
    backlog_grows(&dadvisor)?;
    gate.set(to);
    caught_up(&dadvisor)?;
    told(&dadvisor, 3, 3)?;

    let (_, end) = last_pass(&dadvisor)?.context("no pass")?;
    passes(&dadvisor, 2)?;
    caught_up(&dadvisor)?;
    let status = carbon(&dadvisor)?;
    for lost in ["dropped_at_cap_points", "dropped_disk_points", "damaged_points"] {
        ensure!(status[lost] == 0, "{status}");
    }
    for target in ["qae.dc1.node.e2e.load.1m", "qae.dc1.node.e2e.memory.total_bytes"] {
        eventually(SOON, target, || {
            let points = graphite.points(target, begin - 1, end);
            let there: Vec<_> = points.iter().map(|(at, _)| *at).collect();
            let wanted: Vec<_> = (begin..=end).collect();
            ensure!(there == wanted, "{} of {}: {there:?}", there.len(), wanted.len());
            Ok(())
        })?;
    }
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
