//! Twenty writers, files that rotate by rename and by copying, an agent that is killed again and again, a Flume that stops, is killed,
//! answers FAILED and breaks off: nothing is lost, the order of each file stays, and what came twice is bounded by what was in doubt.

use anyhow::{Context, Result, ensure};
use e2e::flume::{self, Flume};
use e2e::log_agent::{Home, Settings};
use e2e::logs::flaky::{Faults, Flaky};
use e2e::logs::tally::Tally;
use e2e::logs::writers::{Plan, Rotation, Writers};
use e2e::wait::eventually;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const WRITERS: u32 = 20;
/// Of each, a second: what gets through so many faults on a busy machine, too.
const RATE: u64 = 100;
/// Lines of a batch at most, as the agent is set.
const BATCH: u64 = 500;
/// The events file_roll takes at once, which a killed Flume repeats at most.
const FLUME_BATCH: u64 = 100;
/// Between two kills, at least.
const LIFE: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(120);

fn plans(home: &Home) -> Result<Vec<Plan>> {
    (0..WRITERS)
        .map(|writer| {
            // two files of each instance
            let volume = home.volume("torture", &format!("i{}", writer / 2))?;
            let rotation = if writer % 4 == 3 { Rotation::CopyTruncate } else { Rotation::Rename };
            Ok(Plan {
                writer,
                file: volume.join(format!("w{writer}.log")),
                rotation,
                // some rotate each second, others rarely; kept long enough that what was not read yet is still there
                generation: RATE * u64::from(1 + writer % 5),
                keep: 60,
                rate: RATE,
                length: 120,
            })
        })
        .collect()
}

fn tally(events: &[flume::Event]) -> Tally {
    let mut tally = Tally::default();
    for event in events {
        tally.line(&event.body);
    }
    tally
}

/// One run.
struct Run {
    /// To Flume, at a time.
    connections: u64,
    /// Of the agent.
    kills: u64,
    /// At these, counted from 0, Flume ends in order, and is killed.
    flume_ends: [u64; 2],
}

#[test]
fn nothing_is_lost() -> Result<()> {
    torture(&Run { connections: 1, kills: 8, flume_ends: [2, 5] })
}

#[test]
fn nothing_is_lost_over_two_connections() -> Result<()> {
    torture(&Run { connections: 2, kills: 4, flume_ends: [1, 2] })
}

fn torture(run: &Run) -> Result<()> {
    let node = flume::Settings::default();
    let mut flume = Flume::start(&node)?;
    let faults = Faults { failed: 61, half: 97, unanswered: 131 };
    let flaky = Flaky::start(flume.address()?.parse()?, faults)?;
    let Run { connections, kills, flume_ends: [stop, kill_it] } = *run;
    let more = format!("batch_events = {BATCH}\nflume_connections = {connections}");
    let home = Home::new(&Settings { flume: vec![flaky.address()], more, ..Settings::default() })?;
    let writers = Writers::start(plans(&home)?);
    let requests = || flaky.counts().requests.load(Ordering::Relaxed);
    let mut agent = home.start()?;
    for kill in 0..kills {
        let (before, begin) = (requests(), Instant::now());
        eventually(DEADLINE, "requests between two kills", || {
            ensure!(begin.elapsed() >= LIFE && requests() >= before + 10, "{}", requests());
            Ok(())
        })?;
        agent.kill()?;
        match kill {
            at if at == stop => flume.stop()?,
            at if at == kill_it => flume.kill()?,
            _ => {}
        }
        agent = home.start()?;
        if [stop, kill_it].contains(&kill) {
            flume.start_again(&node)?;
        }
    }
    let written = writers.stop()?;
    let lines: u64 = written.iter().map(|w| w.lines).sum();
    let rotations: u64 = written.iter().map(|w| w.rotations).sum();
    // incomplete, it is counted below
    let events = eventually(DEADLINE, "all of it in Flume", || {
        let events = flume.events()?;
        let came = tally(&events).lines();
        ensure!(
            came == lines,
            "{came} of {lines} lines, {} bytes behind",
            agent.figure("log_agent_lag_bytes")?
        );
        Ok(events)
    });
    let events = events.or_else(|error| {
        eprintln!("{error:#}");
        flume.events()
    })?;
    ensure!(agent.stop()?.success(), "the agent did not end well");
    let tally = tally(&events);
    let lost = tally.lost(&written);
    let counts = flaky.counts();
    let count = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed);
    println!(
        "{lines} lines of {WRITERS} writers, {connections} connections, {rotations} rotations, {kills} kills of the agent, 2 ends of Flume; {} requests: {} FAILED, {} \
         cut in half, {} unanswered. lost {} (renamed) {} (copied), repeated {}, out of order {}, foreign {}",
        requests(),
        count(&counts.failed),
        count(&counts.half),
        count(&counts.unanswered),
        lost.renamed,
        lost.copied,
        tally.repeated,
        tally.out_of_order,
        tally.foreign,
    );
    ensure!(lost.renamed == 0, "lost, the first: {:?}", tally.missing(&written, 40));
    // the writers copy and truncate without writing meanwhile: nothing falls between
    ensure!(lost.copied == 0, "lost, the first: {:?}", tally.missing(&written, 40));
    ensure!(tally.out_of_order == 0 && tally.foreign == 0, "out of order, or torn");
    // what each connection had under way when either end went, and what was not answered
    let doubts = (kills + 2) * connections + count(&counts.unanswered);
    let bound = doubts * BATCH + 2 * FLUME_BATCH;
    ensure!(tally.repeated <= bound, "{} repeated, {bound} may be", tally.repeated);
    count(&counts.failed).checked_sub(1).context("no FAILED was seen: the proxy did nothing")?;
    Ok(())
}
