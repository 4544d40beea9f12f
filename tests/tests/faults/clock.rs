//! The wall clock steps; the time that really passes does not.

use crate::lab::{Groups, Line, Recorder, SOON, bare, last_pass, now, own, passes, said};
use anyhow::{Context, Result, ensure};
use e2e::clock;
use e2e::dadvisor::{Dadvisor, Home};
use e2e::wait::eventually;
use std::path::Path;
use std::time::{Duration, Instant};

const STEP: u64 = 2;
const HOUR: u64 = 3600;

/// Sets the clock off by so many seconds; waits until two passes stand on it, and says how long the first took to come.
fn step(dadvisor: &Dadvisor, file: &Path, from: i64, to: i64) -> Result<Duration> {
    let (before, _) = last_pass(dadvisor)?.context("no pass")?;
    clock::set(file, to)?;
    let stepped = Instant::now();
    let (expected, tolerance) = (now().saturating_add_signed(to), 3 * STEP);
    let took = eventually(SOON, "a pass on the new clock", || {
        let (passes, tick) = last_pass(dadvisor)?.context("no pass")?;
        ensure!(passes > before && tick.abs_diff(expected) <= tolerance, "pass {passes} at {tick}");
        Ok(stepped.elapsed())
    })?;
    println!("a step from {from:+} s to {to:+} s: a pass {took:?} later");
    passes(dadvisor, 3)?;
    Ok(took)
}

#[test]
fn a_clock_that_steps_moves_the_ticks_and_no_rate() -> Result<()> {
    let library = clock::library()?;
    let mut groups = Groups::new("clock")?;
    let ours = groups.app("burner");
    let recorder = Recorder::start(move |path| path.contains(&ours))?;
    let mut settings = bare(recorder.address());
    settings.more = groups.wanted();
    settings.interval = format!("{STEP}s");
    let home = Home::new(&settings)?;
    groups.create("burner")?;
    groups.run("burner", "while :; do :; done")?;
    let offset = home.config().with_file_name("offset");
    clock::set(&offset, 0)?;
    let environment = [
        ("LD_PRELOAD", library.as_os_str()),
        ("FAKETIME_TIMESTAMP_FILE", offset.as_os_str()),
        ("FAKETIME_NO_CACHE", "1".as_ref()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
        ("DONT_FAKE_MONOTONIC", "1".as_ref()),
        ("NO_FAKE_STAT", "1".as_ref()),
    ];
    let begin = now();
    let dadvisor = home.start_with(environment)?;
    eventually(SOON, "figures", || {
        ensure!(recorder.lines(".cpu.percent").len() >= 2, "none yet");
        Ok(())
    })?;
    let steps = "dadvisor_clock_steps_total";
    ensure!(own(&dadvisor, steps)? == 0.0, "steps before there were any");

    let hour = i64::try_from(HOUR)?;
    for (count, (from, to)) in
        [(0, hour), (hour, 0), (0, -hour), (-hour, 0)].into_iter().enumerate()
    {
        let took = step(&dadvisor, &offset, from, to)?;
        ensure!(took <= Duration::from_secs(2 * STEP), "no pass within two intervals");
        let counted = own(&dadvisor, steps)?;
        ensure!(counted == (count + 1) as f64, "{counted} steps counted, there were {}", count + 1);
        let told = said(&dadvisor, "the wall clock stepped");
        ensure!(told == count + 1, "told {told} times");
    }
    ensure!(said(&dadvisor, "ticks passed without a pass") == 0, "a step is no missed tick");

    let total = recorder.lines(".cpu.usage_seconds_total");
    ensure!(total.iter().all(|line| line.timestamp % STEP == 0), "not on the slots: {total:?}");
    let end = now();
    let on_a_clock = |line: &Line| {
        let mut clocks = [-hour, 0, hour].into_iter();
        clocks.any(|off| (begin - STEP..=end).contains(&line.timestamp.saturating_add_signed(-off)))
    };
    ensure!(total.iter().all(on_a_clock), "on no clock there was: {total:?}");
    ensure!(total.windows(2).all(|w| w[1].value >= w[0].value), "out of order: {total:?}");
    let rates = recorder.lines(".cpu.percent");
    ensure!(
        rates.iter().all(|l| (0.0..=130.0).contains(&l.value)),
        "a rate took the step: {rates:?}"
    );
    ensure!(rates.len() + 1 >= total.len(), "a step is no new life: {} rates", rates.len());
    let recent = dadvisor.recent(&groups.id("burner").replace('/', "%2F"), "cpu.percent")?;
    ensure!(
        recent.len() + 1 >= rates.len(),
        "the last hour has {} of {}",
        recent.len(),
        rates.len()
    );
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
