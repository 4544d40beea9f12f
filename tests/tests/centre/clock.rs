//! The wall clock steps both ways: numbers go on, tokens and silence are not fooled for good.

use crate::history::{self, SOON};
use anyhow::{Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Home, Settings};
use e2e::clock::{library, set};
use e2e::wait::eventually;

#[test]
fn a_clock_that_steps_loses_no_event_and_silences_no_node() -> Result<()> {
    let library = library()?;
    let home = Home::new(&Settings::default())?;
    let offset = home.config().with_file_name("offset");
    set(&offset, 0)?;
    let centre = home.start_with([
        ("LD_PRELOAD", library.as_os_str()),
        ("FAKETIME_TIMESTAMP_FILE", offset.as_os_str()),
        ("FAKETIME_NO_CACHE", "1".as_ref()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
    ])?;
    let agent = Agent::new(&centre, "n1")?;
    for (turn, step) in (1u32..).zip([0, 3_600, -7_200, 0]) {
        set(&offset, step)?;
        let list: Vec<_> = (0..turn).map(|n| container("shop/web", n)).collect();
        eventually(SOON, "the report is taken", || agent.report(&centre, &list))?;
        let node = centre.json("/v1/nodes/n1")?;
        ensure!(node["silent"] == false, "silent after a step of {step} s: {node}");
        ensure!(history::listed(&centre)?.len() == turn as usize);
    }
    let events = history::all(&centre)?;
    history::check(&events)?;
    ensure!(!events.iter().any(|e| e["type"] == "node_silent"), "a step made a node silent");
    Ok(())
}
