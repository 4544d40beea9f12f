//! PostgreSQL under the centre: restarted under load, and shared by two processes.

use crate::history::{self, SOON};
use anyhow::{Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Home, Settings};
use e2e::postgres::Postgres;
use e2e::wait::eventually;
use std::time::Duration;

#[test]
fn a_database_restarted_under_load() -> Result<()> {
    let postgres = Postgres::start()?;
    let home = Home::new(&Settings { store: postgres.url.clone(), ..Settings::default() })?;
    let centre = home.start()?;
    let agent = Agent::new(&centre, "n1")?;
    let report = |n: u32| {
        let list: Vec<_> = (n..n + 4).map(|n| container("shop/web", n)).collect();
        agent.try_report(&centre.address, &list, &[])
    };
    for turn in 0..20 {
        ensure!(report(turn)?.status == 200);
    }
    std::thread::scope(|scope| {
        let restarting = scope.spawn(|| postgres.restart());
        let mut turn = 20;
        while !restarting.is_finished() {
            // refused meanwhile, and never half taken
            let status = report(turn)?.status;
            ensure!(status == 200 || status == 503, "{status}");
            turn += 1;
        }
        restarting.join().map_err(|_| anyhow::anyhow!("panicked"))?
    })?;
    eventually(SOON, "taken again", || {
        ensure!(report(1_000)?.status == 200);
        Ok(())
    })?;
    let events = history::all(&centre)?;
    history::check(&events)?;
    ensure!(history::living(&events) == history::listed(&centre)?);
    Ok(())
}

#[test]
fn two_processes_tell_one_story() -> Result<()> {
    let postgres = Postgres::start()?;
    let settings = Settings { store: postgres.url.clone(), ..Settings::default() };
    let (one, two) = (Home::new(&settings)?, Home::new(&settings)?);
    let first = one.start()?;
    // the token of the first start is the only admin's: the second process finds it in the store
    std::fs::create_dir_all(two.state().join("api"))?;
    std::fs::copy(one.state().join("api/admin-token"), two.state().join("api/admin-token"))?;
    let second = two.start()?;
    let (a, b) = (Agent::new(&first, "na")?, Agent::new(&first, "nb")?);
    let epoch = history::epoch(&first)?;
    let sse = second.follow("all", &format!("{epoch}:0"))?;
    for turn in 0..15u32 {
        a.report(&first, &[container("shop/web", turn)])?;
        b.report(&second, &[container("shop/api", 100 + turn)])?;
    }
    for key in ["local/na/00000000000e", "local/nb/000000000072"] {
        sse.wait(Duration::from_secs(10), key, |f| f.data["subject"] == key)?;
    }
    let (left, right) = eventually(SOON, "the same head", || {
        let (left, right) = (history::all(&first)?, history::all(&second)?);
        ensure!(left.len() == right.len(), "{} and {}", left.len(), right.len());
        Ok((left, right))
    })?;
    history::check(&left)?;
    ensure!(left == right, "two stories");
    ensure!(history::listed(&first)? == history::listed(&second)?);
    Ok(())
}
