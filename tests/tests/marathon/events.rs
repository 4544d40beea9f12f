//! The stream of events: cut to pieces, silent, flooded, full of garbage, cut off.

use crate::support::{AGAIN, Lab, SOON, told};
use anyhow::{Result, ensure};
use e2e::marathon::{Fault, Version};
use e2e::wait::eventually;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn byte_by_byte_with_heartbeats_in_two_writes() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    lab.marathon.fault(Fault::ByteByByte);
    lab.marathon.heartbeat(Duration::from_millis(20));
    let tasks = lab.marathon.run_app("/a", 2)?;
    lab.until_task(SOON, &tasks[1], "running healthy")?;
    lab.marathon.kill(&tasks[0])?;
    lab.until(SOON, &tasks[1..])?;
    ensure!(lab.figure("events_malformed_total")? == 0.0);
    ensure!(lab.figure("failures_total")? == 0.0);
    Ok(())
}

#[test]
fn a_flood_does_not_hide_what_matters() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    lab.marathon.buffer(100_000);
    let tasks = lab.marathon.run_app("/a", 50)?;
    lab.until(SOON, &tasks)?;
    let bus = lab.bus()?;
    // Mesos repeats itself: 10,000 a second for three seconds
    let begun = Instant::now();
    for round in 0..300_u32 {
        for n in 0..100 {
            let task = &tasks[(round as usize * 7 + n) % tasks.len()];
            lab.marathon.say(task, "TASK_RUNNING", "")?;
        }
        std::thread::sleep(
            (Duration::from_millis(10) * (round + 1)).saturating_sub(begun.elapsed()),
        );
    }
    let killed = Instant::now();
    lab.marathon.kill(&tasks[0])?;
    told(&bus, "instance_gone", &format!("m/{}", tasks[0]))?;
    ensure!(killed.elapsed() < Duration::from_secs(2), "{:?} behind", killed.elapsed());
    ensure!(lab.figure("events_total")? >= 30_000.0, "{}", lab.figure("events_total")?);
    lab.until(SOON, &tasks[1..])?;
    let lists = lab.figure("lists_total")? + lab.figure("app_lists_total")?;
    ensure!(lists < 40.0, "{lists} lists for events that say nothing new");
    Ok(())
}

#[test]
fn garbage_leads_to_a_list() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 3)?;
    lab.until(SOON, &tasks)?;
    let mut left = tasks.clone();
    let large =
        json!({"eventType": "deployment_info", "plan": {"x": "y".repeat(2 << 20)}}).to_string();
    for (garbage, counter) in [
        (b"data: {\"eventType\": \"status_upd\r\n\r\n".to_vec(), "events_malformed_total"),
        (format!("data: {large}\r\n\r\n").into_bytes(), "events_too_large_total"),
    ] {
        lab.marathon.mute();
        lab.marathon.kill(&left.remove(0))?;
        lab.marathon.raw(&garbage);
        lab.marathon.unmute();
        lab.until(SOON, &left)?;
        ensure!(lab.figure(counter)? == 1.0, "{counter}");
    }
    // neither text nor frames
    lab.marathon.raw(&[0xff, 0, b'\n', 0xfe, b':', b'\r', b'\r', 7]);
    lab.marathon.kill(&left.remove(0))?;
    lab.until(SOON, &left)?;
    ensure!(lab.figure("failures_total")? == 0.0);
    Ok(())
}

#[test]
fn a_reader_that_is_cut_off_comes_back() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 3)?;
    lab.until(SOON, &tasks)?;
    lab.marathon.buffer(4);
    lab.marathon.close_streams();
    lab.until_cluster(AGAIN, "following", "")?;
    eventually(AGAIN, "a stream", || {
        ensure!(lab.marathon.streams() == 1);
        Ok(())
    })?;
    lab.marathon.fault(Fault::Slow(50));
    for _ in 0..100 {
        lab.marathon.say(&tasks[2], "TASK_RUNNING", "")?;
    }
    ensure!(lab.marathon.streams() == 0, "it was not cut off");
    lab.marathon.kill(&tasks[0])?;
    lab.marathon.heal();
    lab.until(AGAIN, &tasks[1..])
}

#[test]
fn a_leader_that_closes_at_once_is_not_hammered() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 2)?;
    lab.until(SOON, &tasks)?;
    lab.marathon.fault(Fault::StillBorn);
    lab.marathon.close_streams();
    lab.until_cluster(AGAIN, "away", "ended before anything came")?;
    // it is not ready, but its lists work: after a few tries it is only listed
    lab.marathon.kill(&tasks[0])?;
    lab.until_cluster(Duration::from_secs(20), "following", "only listed")?;
    lab.until(SOON, &tasks[1..])?;
    let tries = lab.marathon.count("/v2/events");
    ensure!(tries <= 6, "{tries} connections");
    Ok(())
}
