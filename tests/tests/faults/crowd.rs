//! A thousand containers come at once, and go at once.

use crate::lab::{Groups, Recorder, SOON, bare, descriptors, last_pass, now, passes, resident};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Home};
use e2e::wait::eventually;
use std::collections::{BTreeMap, BTreeSet};

const CROWD: usize = 1000;

/// The ids of all containers, page by page.
fn listed(dadvisor: &Dadvisor, limit: usize) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = dadvisor.get(&format!("/v1/containers?limit={limit}&metrics=none{cursor}"))?;
        let items = page["items"].as_array().context("no items")?;
        ensure!(items.len() <= limit, "a page of {}", items.len());
        ids.extend(items.iter().filter_map(|item| item["id"].as_str()).map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(ids),
        }
    }
}

/// Containers read in the last pass.
fn read_last(dadvisor: &Dadvisor) -> Result<usize> {
    let count = dadvisor.get("/v1/node")?["pass"]["containers"].as_u64();
    Ok(usize::try_from(count.context("no count")?)?)
}

/// Fails unless the last pass read so many.
fn reads(dadvisor: &Dadvisor, wanted: usize) -> Result<()> {
    let read = read_last(dadvisor)?;
    ensure!(read == wanted, "{read} containers, wanted {wanted}");
    Ok(())
}

/// How many series came at each tick; fails if one came twice.
fn by_tick(recorder: &Recorder) -> Result<BTreeMap<u64, usize>> {
    let mut ticks = BTreeMap::<u64, BTreeSet<String>>::new();
    for line in recorder.lines(".memory.usage_bytes") {
        let new = ticks.entry(line.timestamp).or_default().insert(line.path.clone());
        ensure!(new, "{} twice at {}", line.path, line.timestamp);
    }
    Ok(ticks.into_iter().map(|(timestamp, series)| (timestamp, series.len())).collect())
}

/// A crowd and the daemon that meets it.
struct Meeting {
    groups: Groups,
    names: Vec<String>,
    recorder: Recorder,
    _home: Home,
    dadvisor: Dadvisor,
}

impl Meeting {
    fn begin() -> Result<Self> {
        let groups = Groups::new("crowd")?;
        let names = (0..CROWD).map(|n| format!("c{n:04}")).collect();
        let ours = groups.app("");
        let recorder = Recorder::start(move |path| path.contains(&ours))?;
        let mut settings = bare(recorder.address());
        settings.more = groups.wanted();
        let home = Home::new(&settings)?;
        let dadvisor = home.start()?;
        passes(&dadvisor, 3)?;
        ensure!(listed(&dadvisor, 100)?.is_empty(), "containers before there are any");
        Ok(Self { groups, names, recorder, _home: home, dadvisor })
    }

    /// They come: all are read, listed and sent.
    fn come(&self) -> Result<()> {
        let Self { groups, names, recorder, dadvisor, .. } = self;
        names.iter().try_for_each(|name| groups.create(name))?;
        let born = now();
        eventually(SOON, "all are read", || reads(dadvisor, CROWD))?;
        let (_, seen) = last_pass(dadvisor)?.context("no pass")?;
        println!("all read {} s after the last was made", seen.saturating_sub(born));
        ensure!(seen <= born + 8, "cgroups are looked for every 5 s");
        let wanted: Vec<_> = names.iter().map(|name| groups.id(name)).collect();
        for limit in [100, 333, 1000] {
            ensure!(listed(dadvisor, limit)? == wanted, "not all of them in pages of {limit}");
        }
        eventually(SOON, "three ticks with all of them are sent", || {
            let ticks = by_tick(recorder)?;
            let full = ticks.iter().filter(|(tick, series)| **tick >= seen && **series == CROWD);
            ensure!(full.count() >= 3, "{ticks:?}");
            Ok(())
        })
    }

    /// They go: none is read, listed or sent, and the log does not tell of each.
    fn go(&mut self) -> Result<()> {
        let Self { groups, names, recorder, dadvisor, .. } = self;
        let lines = dadvisor.log().lines().count();
        names.iter().try_for_each(|name| groups.remove(name))?;
        let died = now();
        eventually(SOON, "none is read", || reads(dadvisor, 0))?;
        eventually(SOON, "none is listed", || {
            let left = listed(dadvisor, 1000)?.len();
            ensure!(left == 0, "{left} are listed");
            Ok(())
        })?;
        passes(dadvisor, 3)?;
        let fake: Vec<_> = by_tick(recorder)?.into_iter().filter(|(t, _)| *t > died).collect();
        ensure!(fake.is_empty(), "points of containers that were gone: {fake:?}");
        let log = dadvisor.log();
        let said: Vec<_> = log.lines().skip(lines).collect();
        ensure!(said.len() <= 10, "{} lines, such as {:#?}", said.len(), &said[..5]);
        Ok(())
    }
}

#[test]
fn a_thousand_come_and_go_at_once_and_again() -> Result<()> {
    let mut meeting = Meeting::begin()?;
    let pid = meeting.dadvisor.pid();
    let files = descriptors(pid)?;
    let mut memory = vec![resident(pid)?];
    for _ in 0..3 {
        meeting.come()?;
        memory.push(resident(pid)?);
        meeting.go()?;
        let left = descriptors(pid)?;
        ensure!(left <= files + 8, "{files} descriptors before, {left} after");
        memory.push(resident(pid)?);
    }
    // freed memory stays with the process, in pieces, for the next crowd: it must do for that one
    println!("KiB resident at the start, then full and empty in turn: {memory:?}");
    ensure!(memory[6] <= memory[2] + 2048, "memory grows from crowd to crowd: {memory:?}");
    ensure!(memory[6] <= 40 << 10, "{memory:?}");
    ensure!(meeting.dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
