//! No space below the store: what cannot be written is refused and changes nothing, and all is well again once there is room.

use crate::history::{self, SOON};
use anyhow::{Context, Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Home, Settings};
use e2e::disk::Small;
use e2e::wait::eventually;

#[test]
fn a_full_disk_refuses_and_recovers() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let disk = Small::mount(&home.state(), 16)?;
    let centre = home.start()?;
    let agent = Agent::new(&centre, "n1")?;
    agent.report(&centre, &[container("shop/web", 1)])?;
    disk.fill()?;
    let many: Vec<_> = (0..400).map(|n| container("shop/web", n)).collect();
    let refused = eventually(SOON, "a refusal", || {
        let answer = agent.try_report(&centre.address, &many, &[])?;
        ensure!(answer.status != 200, "taken");
        Ok(answer)
    })?;
    ensure!(refused.status == 503, "{}", refused.head);
    ensure!(refused.header("retry-after").is_some(), "{}", refused.head);
    // what is known is answered, and it is what it was
    ensure!(history::listed(&centre)?.len() == 1, "half of a report");
    ensure!(centre.call("GET", "/readyz", "")?.status == 503, "ready with a full disk");

    disk.free()?;
    eventually(SOON, "the report is taken", || agent.report(&centre, &many))?;
    ensure!(history::listed(&centre)?.len() == 400);
    eventually(SOON, "ready again", || {
        ensure!(centre.call("GET", "/readyz", "")?.status == 200);
        Ok(())
    })?;
    history::check(&history::all(&centre)?).context("after the disk was full")
}
