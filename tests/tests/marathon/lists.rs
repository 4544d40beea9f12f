//! Lists that are wrong, cut, late or empty, and an API that was away.

use crate::support::{AGAIN, Lab, SOON};
use anyhow::{Result, ensure};
use e2e::marathon::{Fault, Version};
use e2e::wait::eventually;
use serde_json::json;
use std::time::{Duration, Instant};

const EMPTY: &str = r#"{"apps":[]}"#;

#[test]
fn an_empty_list_ends_nothing_until_a_second_one() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 4)?;
    lab.until(SOON, &tasks)?;
    lab.marathon.fault(Fault::Lists(vec![EMPTY.into()]));
    lab.marathon.close_streams();
    lab.until_cluster(AGAIN, "following", "lacks 4 of 4 tasks")?;
    ensure!(lab.tasks()?.len() == 4);
    lab.until_cluster(AGAIN, "following", "")?;
    eventually(AGAIN, "the doubt is over", || {
        let cluster = lab.cluster("m")?;
        ensure!(cluster["detail"] == "", "{cluster}");
        Ok(())
    })?;
    ensure!(lab.tasks()?.len() == 4 && lab.figure("held_lists_total")? == 1.0);
    // and twice: it is so
    lab.marathon.mute();
    lab.marathon.delete("/a")?;
    lab.marathon.unmute();
    lab.marathon.close_streams();
    let begun = Instant::now();
    lab.until(AGAIN, &[])?;
    ensure!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn a_leader_that_goes_in_mid_list() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 4)?;
    lab.until(SOON, &tasks)?;
    lab.marathon.fault(Fault::Cut("/v2/apps".into(), 700));
    lab.marathon.close_streams();
    lab.until_cluster(AGAIN, "away", "end of file before message length reached")?;
    ensure!(lab.tasks()?.len() == 4);
    lab.marathon.heal();
    lab.until_cluster(AGAIN, "following", "")?;
    lab.until(SOON, &tasks)
}

#[test]
fn an_answer_that_is_no_list_is_not_an_empty_one() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 4)?;
    lab.until(SOON, &tasks)?;
    for fault in [
        Fault::Body("/v2/apps".into(), r#"{"message":"starting"}"#.into()),
        Fault::Body("/v2/apps".into(), "<html>".into()),
        Fault::Status("/v2/apps".into(), 503),
    ] {
        lab.marathon.fault(fault.clone());
        let before = (lab.figure("list_failures_total")?, lab.figure("lists_total")?);
        // whatever was known of the cluster is to be looked at again
        lab.marathon.tell("group_change_success", json!({"groupId": "/"}));
        eventually(AGAIN, "a list that failed", || {
            ensure!(lab.figure("list_failures_total")? > before.0, "{fault:?}");
            Ok(())
        })?;
        lab.marathon.heal();
        eventually(AGAIN, "one that did not", || {
            ensure!(lab.figure("lists_total")? > before.1, "{fault:?}");
            Ok(())
        })?;
        ensure!(lab.tasks()?.len() == 4, "{fault:?}");
    }
    ensure!(lab.figure("failures_total")? == 0.0, "the stream was left");
    lab.until(SOON, &tasks)
}

#[test]
fn what_happened_while_the_api_was_away() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 3)?;
    lab.until(SOON, &tasks)?;
    let Lab { marathon, home, centre } = lab;
    centre.kill()?;
    marathon.kill(&tasks[0])?;
    let next = marathon.run_app("/b", 1)?;
    let lab = Lab { centre: home.start()?, marathon, home };
    lab.until(SOON, &[&tasks[1..], &next].concat())?;
    let ended = lab.centre.items("/v1/instances?state=ended")?;
    ensure!(ended.len() == 1 && ended[0]["id"] == tasks[0].as_str(), "{ended:?}");
    Ok(())
}

#[test]
fn a_marathon_that_comes_later() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    lab.until_cluster(SOON, "following", "")?;
    lab.marathon.fault(Fault::Status("/v2/info".into(), 502));
    let Lab { marathon, home, centre } = lab;
    centre.stop()?;
    let lab = Lab { centre: home.start()?, marathon, home };
    lab.until_cluster(SOON, "unknown", "answered 502")?;
    ensure!(lab.centre.ask("/readyz")?.status == 200, "the API itself is well");
    lab.marathon.heal();
    lab.until_cluster(AGAIN, "following", "")?;
    Ok(())
}
