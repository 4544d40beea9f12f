//! `qae-api` with the fleet it is made for: thousands of followers of the bus, thousands of reporting nodes.

mod api;
mod followers;
mod nodes;
mod talk;

use crate::process::{cpu_seconds, resident};
use crate::table::Table;
use anyhow::{Context, Result};
use api::Api;
use followers::Followers;
use nodes::Nodes;
use std::path::Path;
use std::time::{Duration, Instant};

/// Events whose way to every follower is timed.
const EVENTS: u32 = 20;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(500);

/// Every figure, in one run.
pub fn run(binary: &Path, followers: usize, nodes: usize) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let mut table = Table::new(&["what", "figure", "goal"]);
        size(binary, &mut table)?;
        reports(binary, nodes, &mut table).await?;
        herd(binary, followers, &mut table).await?;
        Ok(table.render())
    }))
}

fn add(table: &mut Table, what: impl Into<String>, figure: impl Into<String>, goal: &str) {
    table.row(vec![what.into(), figure.into(), goal.to_owned()]);
}

fn mb(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let mb = bytes as f64 / 1e6;
    format!("{mb:.1} MB")
}

fn size(binary: &Path, table: &mut Table) -> Result<()> {
    let bytes = std::fs::metadata(binary).with_context(|| binary.display().to_string())?.len();
    add(table, "binary", mb(bytes), "15 MB");
    let started = Instant::now();
    let api = Api::start(binary)?;
    let took = started.elapsed();
    add(table, "start to first answer", format!("{} ms", took.as_millis()), "");
    std::thread::sleep(Duration::from_secs(5));
    add(table, "resident, idle", mb(resident(api.pid())?), "30 MB");
    Ok(())
}

/// CPU while every node reports each ten seconds: unchanged, then one in twenty changed.
async fn reports(binary: &Path, count: usize, table: &mut Table) -> Result<()> {
    let api = Api::start(binary)?;
    let mut nodes = Nodes::enrol(&api, count).await?;
    nodes.round(&api, Duration::from_secs(10), 1).await?;
    for (what, changed_in) in [("unchanged", 0), ("one in 20 changed", 20)] {
        let (cpu, begin) = (cpu_seconds(api.pid())?, Instant::now());
        for _ in 0..3 {
            nodes.round(&api, Duration::from_secs(10), changed_in).await?;
        }
        let share = (cpu_seconds(api.pid())? - cpu) / begin.elapsed().as_secs_f64();
        let goal = if changed_in == 0 { "10 %" } else { "" };
        add(
            table,
            format!("{count} reports per 10 s, {what}"),
            format!("{:.1} % of a core", share * 100.0),
            goal,
        );
    }
    add(
        table,
        format!("resident with {count} nodes, {} instances", count * nodes::CONTAINERS),
        mb(resident(api.pid())?),
        "",
    );
    Ok(())
}

async fn herd(binary: &Path, count: usize, table: &mut Table) -> Result<()> {
    let mut api = Api::start(binary)?;
    let mut nodes = Nodes::enrol(&api, 1).await?;
    nodes.round(&api, Duration::ZERO, 1).await?;

    let begin = Instant::now();
    let followers = Followers::start(&api, count);
    followers.all_connected(Duration::from_secs(60)).await?;
    add(
        table,
        format!("{count} followers connect"),
        format!("{:.1} s", begin.elapsed().as_secs_f64()),
        "30 s",
    );

    let mut times = Vec::new();
    for _ in 0..EVENTS {
        tokio::time::sleep(PAUSE).await;
        let sent = Instant::now();
        let seq = nodes.change_one(&api).await?;
        times.extend(followers.heard(seq, sent, Duration::from_secs(30)).await?);
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    let figure =
        format!("{:.0} / {:.0} ms", at(50).as_secs_f64() * 1e3, at(99).as_secs_f64() * 1e3);
    add(table, format!("one event to all {count}, p50 / p99"), figure, "p99 500 ms");
    add(table, format!("resident with {count} followers"), mb(resident(api.pid())?), "300 MB");

    let begin = Instant::now();
    api.kill_and_start()?;
    followers.all_connected(Duration::from_secs(120)).await?;
    let seq = nodes.change_one(&api).await?;
    followers.heard(seq, Instant::now(), Duration::from_secs(60)).await?;
    add(
        table,
        "killed, restarted: all back and caught up",
        format!("{:.1} s", begin.elapsed().as_secs_f64()),
        "60 s",
    );
    let renders = api.metric("qae_api_snapshots_renders_total").await?;
    add(table, "snapshots rendered for their return", format!("{renders:.0}"), "no herd");
    add(table, "resident after their return", mb(resident(api.pid())?), "300 MB");
    Ok(())
}
