//! What the tests here share: the far end of the wire, cgroups of a test's own, the daemon's own figures.

mod gate;
mod groups;

pub use gate::{Gate, Line, Manner, Recorder};
pub use groups::{Groups, cgroup_of, remove_everywhere};

use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Settings};
use e2e::wait::eventually;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Long enough for anything that is a matter of seconds.
pub const SOON: Duration = Duration::from_secs(30);

/// Settings without Docker, for a carbon at this address.
pub fn bare(carbon: &str) -> Settings {
    Settings { carbon: carbon.to_owned(), docker: "".into(), ..Settings::default() }
}

/// Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs())
}

/// Number and tick (Unix seconds) of the last pass that is over; None before the first.
pub fn last_pass(dadvisor: &Dadvisor) -> Result<Option<(u64, u64)>> {
    let node = dadvisor.get("/v1/node")?;
    let Some(timestamp) = node["timestamp"].as_str() else { return Ok(None) };
    let passes = node["pass"]["passes"].as_u64().context("no count of passes")?;
    Ok(Some((passes, unix(timestamp)?)))
}

/// Waits for so many more passes.
pub fn passes(dadvisor: &Dadvisor, more: u64) -> Result<()> {
    let count = || Ok::<_, anyhow::Error>(last_pass(dadvisor)?.map_or(0, |(passes, _)| passes));
    let before = count()?;
    eventually(SOON, "more passes", || {
        let passes = count()?;
        ensure!(passes >= before + more, "{} of {more}", passes - before);
        Ok(())
    })
}

/// A sample of `/metrics` without labels, or with the labels given in `name`.
pub fn own(dadvisor: &Dadvisor, name: &str) -> Result<f64> {
    let answer = dadvisor.ask("/metrics")?;
    ensure!(answer.status == 200, "/metrics: status {}", answer.status);
    let text = String::from_utf8(answer.body)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("no {name} in /metrics"))?.parse()?)
}

/// Carbon as `/v1/node` shows it.
pub fn carbon(dadvisor: &Dadvisor) -> Result<Value> {
    Ok(dadvisor.get("/v1/node")?["carbon"].clone())
}

/// How often the log says something.
pub fn said(dadvisor: &Dadvisor, what: &str) -> usize {
    dadvisor.log().lines().filter(|line| line.contains(what)).count()
}

/// Descriptors that a process holds.
pub fn descriptors(pid: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Its resident memory, KiB.
pub fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Unix seconds of an RFC 3339 time in UTC, as the API prints it.
pub fn unix(time: &str) -> Result<u64> {
    let mut parts = time.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    let mut part =
        || parts.next().with_context(|| format!("no time: {time}"))?.context("no number");
    let (year, month, day) = (part()?, part()?, part()?);
    let (hour, minute, second) = (part()?, part()?, part()?);
    // days since 1970-01-01, by years that begin in March
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Ok(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[test]
fn times_are_read() -> Result<()> {
    assert_eq!(unix("1970-01-01T00:00:00.000Z")?, 0);
    assert_eq!(unix("2026-11-25T10:00:00.000Z")?, 1_795_600_800);
    assert_eq!(unix("2028-02-29T23:59:59.000Z")?, 1_835_481_599);
    assert!(unix("yesterday").is_err());
    Ok(())
}
