//! A cgroup that is removed and made anew between two ticks, as a restart does.

use crate::lab::{Groups, Line, Recorder, SOON, bare, passes};
use anyhow::{Result, ensure};
use e2e::dadvisor::Home;
use e2e::wait::eventually;
use std::collections::BTreeSet;

const LIVES: usize = 5;

#[test]
fn a_cgroup_made_anew_within_a_tick_gives_no_rate_across() -> Result<()> {
    let mut groups = Groups::new("rebirth")?;
    let ours = groups.app("burner");
    let recorder = Recorder::start(move |path| path.contains(&ours))?;
    let mut settings = bare(recorder.address());
    settings.more = groups.wanted();
    let home = Home::new(&settings)?;
    groups.create("burner")?;
    groups.run("burner", "while :; do :; done")?;
    let dadvisor = home.start()?;
    let of = |name: &str| recorder.lines(name);
    eventually(SOON, "figures", || {
        ensure!(of(".cpu.percent").len() >= 2, "none yet");
        Ok(())
    })?;
    for life in 1..LIVES {
        groups.remove("burner")?;
        groups.create("burner")?;
        groups.run("burner", "while :; do :; done")?;
        // long enough that a rate across the next restart would stand out
        passes(&dadvisor, 3)?;
        let listed = dadvisor.get("/v1/containers")?["items"].as_array().map_or(0, Vec::len);
        ensure!(listed == 1, "{listed} containers in life {life}");
    }
    // a busy loop takes a core at most; where it competes, less
    for (metric, most) in [
        ("cpu.percent", 130.0),
        ("cpu.user_percent", 130.0),
        ("io.read_bytes_per_second", 1e6),
        ("io.write_bytes_per_second", 1e6),
    ] {
        let wrong: Vec<Line> = of(&format!(".{metric}"))
            .into_iter()
            .filter(|line| !(0.0..=most).contains(&line.value))
            .collect();
        ensure!(wrong.is_empty(), "{metric}: {wrong:?}");
    }
    let total = of(".cpu.usage_seconds_total");
    let fell = total.windows(2).filter(|w| w[1].value < w[0].value).count();
    ensure!(fell == LIVES - 1, "{fell} restarts are in the raw counter: {total:?}");
    // the first tick of a life has no rate, nor has the daemon's second tick if it comes right after its first
    let rates = of(".cpu.percent").len();
    ensure!(rates + LIVES + 1 >= total.len(), "{rates} rates of {} ticks", total.len());
    let series: BTreeSet<_> = total.iter().map(|line| &line.path).collect();
    ensure!(series.len() == 1, "{series:?}");
    let ticks: BTreeSet<_> = total.iter().map(|line| line.timestamp).collect();
    ensure!(ticks.len() == total.len(), "two points in one slot: {total:?}");
    Ok(())
}
