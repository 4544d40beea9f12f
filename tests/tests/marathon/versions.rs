//! Old Marathons: without a stream, without event lines, without instances; and networks other than a bridge.

use crate::support::{Lab, SOON};
use anyhow::{Result, ensure};
use e2e::marathon::Version;

#[test]
fn events_without_a_type_of_their_own() -> Result<()> {
    let lab = Lab::new(Version::V0_10)?;
    let tasks = lab.marathon.run_app("/a", 3)?;
    lab.until_task(SOON, &tasks[2], "running healthy")?;
    lab.marathon.kill(&tasks[0])?;
    lab.until(SOON, &tasks[1..])
}

#[test]
fn networks() -> Result<()> {
    for version in [Version::V1_4, Version::V1_9] {
        let lab = Lab::new(version)?;
        for (app, mode) in
            [("/bridge", "container/bridge"), ("/own", "container"), ("/host", "host")]
        {
            lab.marathon.define(app, 1);
            lab.marathon.network(app, mode)?;
            let task = lab.marathon.launch(app)?;
            lab.marathon.started(&task)?;
            let task = lab.until_task(SOON, &task, "running unknown")?;
            let backend = &task["backends"][0];
            let own = backend["address"].as_str().is_some_and(|a| a.starts_with("172.17."));
            match mode {
                "container" if version == Version::V1_9 => {
                    ensure!(own && backend["port"] == 8080, "{backend}")
                }
                "container" => {}
                "host" => ensure!(!own && backend["container_port"].is_null(), "{backend}"),
                _ => ensure!(!own && backend["container_port"] == 8080, "{backend}"),
            }
        }
    }
    Ok(())
}
