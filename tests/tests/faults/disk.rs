//! No space below the state directory: points wait in memory, the oldest give way, and all is well again once there is room.

use crate::lab::{Groups, Recorder, SOON, bare, carbon, last_pass, own, passes, said};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::Home;
use e2e::disk::Small;
use e2e::wait::eventually;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

/// Enough of them to overfill the memory in some ten seconds.
const MANY: usize = 200;

#[test]
fn a_full_disk_costs_the_oldest_points_and_nothing_else() -> Result<()> {
    let groups = Groups::new("disk")?;
    (0..MANY).try_for_each(|n| groups.create(&format!("c{n:03}")))?;
    // carbon is away, so that all of it has to wait
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut settings = bare(&address);
    settings.more = groups.wanted();
    let home = Home::new(&settings)?;
    // what is kept to be sent again takes space too
    home.edit(|text| text.replace("[graphite]\n", "[graphite]\nreplay_window = \"2s\"\n"))?;
    let disk = Small::mount(&home.state(), 64)?;
    let dadvisor = home.start()?;
    eventually(SOON, "all are read", || {
        let read = dadvisor.get("/v1/node")?["pass"]["containers"].as_u64();
        ensure!(read == Some(MANY as u64), "{read:?}");
        Ok(())
    })?;
    passes(&dadvisor, 2)?;

    disk.fill()?;
    let (_, filled) = last_pass(&dadvisor)?.context("no pass")?;
    eventually(SOON, "batches are kept in memory", || {
        let carbon = carbon(&dadvisor)?;
        ensure!(carbon["spool_error"].is_string(), "{carbon}");
        ensure!(own(&dadvisor, "dadvisor_carbon_memory_bytes")? > 0.0, "no memory is used");
        Ok(())
    })?;
    let dropped = || own(&dadvisor, "dadvisor_carbon_dropped_disk_points_total");
    ensure!(dropped()? == 0.0, "dropped while memory has room");
    eventually(Duration::from_secs(90), "memory is full too", || {
        ensure!(dropped()? > 0.0, "nothing is dropped yet");
        Ok(())
    })?;
    passes(&dadvisor, 3)?;
    let memory = own(&dadvisor, "dadvisor_carbon_memory_bytes")?;
    ensure!(memory <= f64::from(9 << 20), "{memory} bytes are kept");
    for (what, times) in [
        ("the spool's disk takes nothing", 1),
        ("disk and memory are full", 1),
        ("the spool's disk takes batches again", 0),
    ] {
        ensure!(said(&dadvisor, what) == times, "{what}: {} times", said(&dadvisor, what));
    }

    disk.free()?;
    let kept = move |path: &str| path.contains(".app.") && path.ends_with(".memory.usage_bytes");
    let recorder = Recorder::start_at(&address, kept)?;
    eventually(Duration::from_secs(60), "all of it is sent", || {
        let carbon = carbon(&dadvisor)?;
        ensure!(carbon["spool_error"].is_null() && carbon["memory_bytes"] == 0, "{carbon}");
        ensure!(carbon["oldest_seconds"].as_u64().is_none_or(|age| age <= 2), "{carbon}");
        Ok(())
    })?;
    ensure!(said(&dadvisor, "the spool's disk takes batches again") == 1, "it did not say so");
    let status = carbon(&dadvisor)?;
    let count = |key: &str| status[key].as_u64().unwrap_or(0);
    let accounted =
        count("acknowledged_points") + count("waiting_points") + count("dropped_disk_points");
    ensure!(count("submitted_points") == accounted, "not all accounted for: {status}");
    println!(
        "{} of {} points were dropped",
        count("dropped_disk_points"),
        count("submitted_points")
    );

    // what came before the disk was full, then a gap, then everything up to now
    let mut ticks = BTreeMap::<u64, usize>::new();
    for line in recorder.lines(".memory.usage_bytes") {
        *ticks.entry(line.timestamp).or_default() += 1;
    }
    let there: Vec<_> = ticks.iter().filter(|(_, n)| **n == MANY).map(|(at, _)| *at).collect();
    let gaps: Vec<_> = there.windows(2).filter(|w| w[1] != w[0] + 1).collect();
    println!("full ticks: {there:?}");
    ensure!(gaps.len() == 1, "one gap wanted: {gaps:?}");
    ensure!(gaps[0][0] + 1 >= filled, "lost before the disk was full: {gaps:?}, {filled}");
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
