//! A herd of readers that all have to begin anew: they share what is rendered.

use crate::history::{self, SOON};
use anyhow::{Context, Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Centre, Home, Settings};
use std::thread;

const READERS: usize = 300;

/// One counter of `/metrics`, summed over its labels.
fn counter(centre: &Centre, name: &str) -> Result<f64> {
    let text = String::from_utf8(centre.call("GET", "/metrics", "")?.body)?;
    let lines = text.lines().filter(|l| l.split(['{', ' ']).next() == Some(name));
    let values: Vec<f64> = lines.filter_map(|l| l.rsplit(' ').next()?.parse().ok()).collect();
    ensure!(!values.is_empty(), "no {name} in {text}");
    Ok(values.iter().sum())
}

#[test]
fn a_storm_of_410_shares_one_snapshot() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let centre = home.start()?;
    let agent = Agent::new(&centre, "n1")?;
    let many: Vec<_> = (0..200).map(|n| container("shop/web", n)).collect();
    agent.report(&centre, &many)?;
    let before = counter(&centre, "qae_api_snapshots_renders_total")?;
    let come_back = || -> Result<String> {
        let refused = centre.follow("all", "anotherepoch:5").err().context("followed")?;
        ensure!(refused.to_string().contains(" 410 "), "{refused}");
        let snapshot = centre.json("/v1/snapshot?topics=all")?;
        let cursor = snapshot["cursor"].as_str().context("no cursor")?.to_owned();
        ensure!(snapshot["instances"].as_array().is_some_and(|i| i.len() == 200));
        let sse = centre.follow("all", &cursor)?;
        sse.wait(SOON, "a heartbeat", |f| f.kind == "heartbeat")?;
        Ok(cursor)
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, come_back))
            .collect::<std::io::Result<_>>()?;
        for reader in readers {
            reader.join().ok().context("a reader panicked")??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let renders = counter(&centre, "qae_api_snapshots_renders_total")? - before;
    println!("{READERS} readers, {renders} renders");
    ensure!(renders <= 3.0, "{renders} renders for {READERS} readers of one state");
    history::check(&history::all(&centre)?)
}
