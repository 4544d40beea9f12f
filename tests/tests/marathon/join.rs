//! One instance from two mouths, Marathon's list and a node's report, in either order.

use crate::support::{Lab, SOON, told};
use anyhow::{Result, ensure};
use e2e::agent::{Agent, container};
use e2e::marathon::Version;
use e2e::wait::eventually;
use serde_json::Value;

/// A container of this task, with a log volume.
fn of_task(task: &str, serial: u32) -> Value {
    let mut container = container("a", serial);
    container["task"] = task.into();
    container["instance"] = task.into();
    container["log_volumes"] =
        serde_json::json!([{"source": format!("/logs/{serial}"), "target": "/qae/logs"}]);
    container
}

/// Until the task is one instance, with what both know of it.
fn joined(lab: &Lab, task: &str, node: &str, serial: u32) -> Result<()> {
    eventually(SOON, "one instance of both", || {
        let items = lab.centre.items("/v1/instances?limit=1000")?;
        let of_task: Vec<&Value> = items.iter().filter(|i| i["id"] == task).collect();
        ensure!(of_task.len() == 1, "{items:?}");
        let instance = of_task[0];
        let id = format!("{serial:012x}{}", "e".repeat(52));
        ensure!(instance["container"] == id.as_str(), "{instance}");
        ensure!(instance["log_volumes"][0]["source"] == format!("/logs/{serial}"), "{instance}");
        ensure!(instance["key"] == format!("m/{task}"), "{instance}");
        ensure!(instance["state"] == "running" && instance["health"] == "healthy", "{instance}");
        ensure!(instance["backends"][0]["container_port"] == 8080, "{instance}");
        ensure!(instance["node"] == node, "{instance}");
        Ok(())
    })
}

#[test]
fn a_task_and_its_container_are_one_instance() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let node = Agent::new(&lab.centre, "node-02")?;
    // Marathon first
    let first = lab.marathon.run_app("/a", 1)?.remove(0);
    lab.until_task(SOON, &first, "running healthy")?;
    node.report(&lab.centre, &[of_task(&first, 1)])?;
    joined(&lab, &first, "node-02", 1)?;
    // the node first: its report names a task that Marathon tells of a moment later
    let other = Agent::new(&lab.centre, "node-03")?;
    lab.marathon.mute();
    let second = lab.marathon.launch("/a")?;
    lab.marathon.started(&second)?;
    lab.marathon.check(&second, true)?;
    other.report(&lab.centre, &[of_task(&second, 2)])?;
    lab.marathon.unmute();
    lab.marathon.label("/a", "x", "y")?;
    joined(&lab, &second, "node-03", 2)?;
    // Marathon says that it ends
    let bus = lab.bus()?;
    lab.marathon.kill(&first)?;
    let gone = told(&bus, "instance_gone", &format!("m/{first}"))?;
    ensure!(gone.data["payload"]["container"].is_string(), "{:?}", gone.data);
    lab.until(SOON, &[second])
}
