//! `kill -9` at moments nobody chose, again and again: every pass that was over is in Graphite, and nothing else is.

use crate::lab::{SOON, bare, carbon, last_pass, now};
use anyhow::{Result, ensure};
use e2e::dadvisor::Home;
use e2e::graphite::Graphite;
use e2e::wait::eventually;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const KILLS: u32 = 10;

/// Milliseconds from 0 to `most`, from the clock's last digits.
fn chance(most: u64) -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.subsec_nanos());
    // spread by a multiplication: a clock's digits are not evenly random
    Duration::from_millis(u64::from(nanos.wrapping_mul(2_654_435_761) >> 8) % most)
}

#[test]
fn killed_again_and_again_loses_no_finished_pass_and_makes_no_other() -> Result<()> {
    let graphite = Graphite::start_with_step("1s");
    let home = Home::new(&bare(&graphite.line_addr()))?;
    // ticks of passes that were over when it was killed, and ticks in which it may have taken a pass
    let (mut finished, mut possible) = (BTreeSet::new(), BTreeSet::new());
    let begin = now() - 1;
    for _ in 0..KILLS {
        let born = now();
        let dadvisor = home.start()?;
        let end = Instant::now() + Duration::from_millis(700) + chance(2500);
        while Instant::now() < end {
            finished.extend(last_pass(&dadvisor)?.map(|(_, tick)| tick));
            std::thread::sleep(Duration::from_millis(10));
        }
        dadvisor.kill()?;
        possible.extend(born..=now());
        // some holes in which nobody measured
        std::thread::sleep(chance(2500));
    }
    let end = now() - 1;
    let last = home.start()?;
    eventually(SOON, "all of it is sent", || {
        let carbon = carbon(&last)?;
        ensure!(carbon["oldest_seconds"].as_u64().is_none_or(|age| age <= 3), "{carbon}");
        ensure!(carbon["damaged_points"] == 0 && carbon["dropped_disk_points"] == 0, "{carbon}");
        Ok(())
    })?;
    eventually(SOON, "a pass after it all", || {
        let tick = last_pass(&last)?.map(|(_, tick)| tick);
        ensure!(tick > Some(end), "{tick:?}");
        Ok(())
    })?;
    ensure!(last.stop()?.success(), "it ended badly");
    let (expected, holes) =
        (finished.len(), (begin..=end).filter(|t| !possible.contains(t)).count());
    println!("{expected} passes seen over {KILLS} lives, {holes} ticks in which it did not run");
    ensure!(expected > usize::try_from(KILLS)? && holes > 0, "{finished:?}");
    for target in ["qae.dc1.node.e2e.load.1m", "qae.dc1.node.e2e.memory.total_bytes"] {
        eventually(SOON, target, || {
            let points = graphite.points(target, begin - 1, end + 3);
            let there: BTreeSet<_> = points.iter().map(|(at, _)| *at).collect();
            let lost: Vec<_> = finished.difference(&there).collect();
            ensure!(lost.is_empty(), "lost: {lost:?} of {finished:?}");
            let fake: Vec<_> = there.difference(&possible).filter(|t| **t <= end).collect();
            ensure!(fake.is_empty(), "no pass made these: {fake:?}");
            Ok(())
        })?;
    }
    Ok(())
}
