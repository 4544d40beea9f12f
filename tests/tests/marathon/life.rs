//! A task's life and an app's, in both dialects, as the bus tells it.

use crate::support::{Lab, SOON, told};
use anyhow::{Result, ensure};
use e2e::marathon::{Marathon, Version};
use e2e::wait::eventually;
use std::time::Instant;

fn key(task: &str) -> String {
    format!("m/{task}")
}

fn life(version: Version) -> Result<()> {
    let lab = Lab::new(version)?;
    lab.until_cluster(SOON, "following", "")?;
    let bus = lab.bus()?;
    lab.marathon.define("/shop/web", 2);
    let app = told(&bus, "app_changed", "shop/web")?;
    ensure!(app.data["payload"]["dcs"][0]["wanted"] == 2, "{:?}", app.data);
    ensure!(app.data["actor"] == "cluster:m", "{:?}", app.data);

    let task = lab.marathon.launch("/shop/web")?;
    let staged = told(&bus, "instance_changed", &key(&task))?;
    ensure!(staged.data["payload"]["state"] == "staging", "{:?}", staged.data);

    let begun = Instant::now();
    lab.marathon.started(&task)?;
    let running = told(&bus, "instance_changed", &key(&task))?;
    ensure!(running.data["payload"]["state"] == "running", "{:?}", running.data);
    ensure!(begun.elapsed().as_millis() < 1000, "after {:?}", begun.elapsed());
    ensure!(running.data["payload"]["health"] == "unknown", "{:?}", running.data);
    let backend = &running.data["payload"]["backends"][0];
    ensure!(backend["container_port"] == 8080 && backend["name"] == "http", "{backend}");
    ensure!(backend["address"] == "node-02", "{backend}");

    for (alive, word) in [(true, "healthy"), (false, "unhealthy")] {
        lab.marathon.check(&task, alive)?;
        let checked = told(&bus, "health_changed", &key(&task))?;
        ensure!(checked.data["payload"]["health"] == word, "{:?}", checked.data);
    }
    lab.marathon.say(&task, "TASK_FAILED", "Container exited with status 3")?;
    let gone = told(&bus, "instance_gone", &key(&task))?;
    let reason = &gone.data["payload"]["exit"]["reason"];
    ensure!(reason == "TASK_FAILED: Container exited with status 3", "{reason}");

    lab.marathon.label("/shop/web", "qae.owner", "team-shop")?;
    let app = told(&bus, "app_changed", "shop/web")?;
    ensure!(app.data["payload"]["owner"] == "team-shop", "{:?}", app.data);
    lab.marathon.delete("/shop/web")?;
    told(&bus, "app_deleted", "shop/web")?;
    Ok(())
}

#[test]
fn a_life_by_1_4() -> Result<()> {
    life(Version::V1_4)
}

#[test]
fn a_life_by_1_9() -> Result<()> {
    life(Version::V1_9)
}

#[test]
fn a_run_is_replaced_under_its_instance() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let first = lab.marathon.run_app("/a", 1)?.remove(0);
    lab.until_task(SOON, &first, "running healthy")?;
    let second = lab.marathon.replace(&first)?;
    lab.marathon.started(&second)?;
    lab.marathon.check(&second, true)?;
    let now = lab.until_task(SOON, &second, "running healthy")?;
    ensure!(now["restarts"] == 1, "{now}");
    lab.until(SOON, &[second])
}

#[test]
fn a_lost_host_is_out_of_reach_and_comes_back_or_is_given_up() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 4)?;
    lab.until(SOON, &tasks)?;
    lab.marathon.unreachable(&tasks[0], false)?;
    lab.until_task(SOON, &tasks[0], "unreachable healthy")?;
    lab.marathon.started(&tasks[0])?;
    lab.until_task(SOON, &tasks[0], "running healthy")?;
    // with the default strategy nothing more is told
    let bus = lab.bus()?;
    lab.marathon.unreachable(&tasks[1], true)?;
    let gone = told(&bus, "instance_gone", &key(&tasks[1]))?;
    let reason = gone.data["payload"]["exit"]["reason"].as_str().unwrap_or_default().to_owned();
    ensure!(reason.contains("given up"), "{reason}");
    // lost, which the list calls unreachable
    lab.marathon.say(&tasks[2], "TASK_LOST", "agent removed")?;
    lab.until_task(SOON, &tasks[2], "unreachable healthy")?;
    lab.until(SOON, &[tasks[0].clone(), tasks[2].clone(), tasks[3].clone()])
}

#[test]
fn two_clusters_of_one_data_centre() -> Result<()> {
    let other = Marathon::start(Version::V1_4)?;
    let marathon = Marathon::start(Version::V1_4)?;
    let config = format!("{}{}", marathon.config("m"), other.config("other"));
    // the same app, and task ids that are the same too
    let tasks = marathon.run_app("/a", 2)?;
    ensure!(other.run_app("/a", 2)? == tasks);
    let lab = Lab::with(marathon, &config)?;
    eventually(SOON, "four instances", || {
        let items = lab.centre.items("/v1/instances")?;
        ensure!(items.len() == 4, "{}", items.len());
        let app = lab.centre.json("/v1/apps/a")?;
        let running: Vec<_> =
            app["dcs"].as_array().into_iter().flatten().map(|d| &d["running"]).collect();
        ensure!(running == [2, 2], "{app}");
        Ok(())
    })?;
    other.delete("/a")?;
    eventually(SOON, "the other's are gone", || {
        let keys = lab.centre.items("/v1/instances")?;
        ensure!(keys.iter().all(|i| i["cluster"] == "m") && keys.len() == 2, "{keys:?}");
        let app = lab.centre.json("/v1/apps/a")?;
        ensure!(app["dcs"].as_array().is_some_and(|d| d.len() == 1), "{app}");
        Ok(())
    })
}
