//! What takes its time: each waits for a time-out of the API. They wait side by side.

use crate::support::{AGAIN, Lab, SOON};
use anyhow::{Context, Result, anyhow, ensure};
use e2e::marathon::{Fault, Marathon, Version};
use std::net::TcpListener;
use std::time::{Duration, Instant};

type Case = fn() -> Result<()>;

#[test]
fn silence_hangs_and_marathons_without_a_stream() -> Result<()> {
    let cases: [(&str, Case); 3] = [
        ("silence", silence_is_the_end_of_a_connection),
        ("a server that hangs", a_server_that_hangs_is_passed_over),
        ("no stream", a_marathon_without_a_stream_is_listed),
    ];
    let running = cases.map(|(name, case)| (name, std::thread::spawn(case)));
    for (name, case) in running {
        case.join().map_err(|_| anyhow!("{name}: panicked"))?.context(name)?;
    }
    Ok(())
}

fn silence_is_the_end_of_a_connection() -> Result<()> {
    let lab = Lab::new(Version::V1_9)?;
    let tasks = lab.marathon.run_app("/a", 3)?;
    lab.until(SOON, &tasks)?;
    lab.marathon.fault(Fault::Silence);
    let begun = Instant::now();
    lab.marathon.mute();
    lab.marathon.kill(&tasks[0])?;
    lab.until_cluster(Duration::from_secs(40), "away", "no answer within 30s")?;
    ensure!(begun.elapsed() > Duration::from_secs(20), "{:?}", begun.elapsed());
    // what is known stands meanwhile
    ensure!(lab.tasks()?.len() == 3);
    lab.marathon.heal();
    lab.marathon.unmute();
    lab.until(AGAIN, &tasks[1..])?;
    lab.until_cluster(SOON, "following", "")?;
    Ok(())
}

fn a_server_that_hangs_is_passed_over() -> Result<()> {
    // takes connections and never answers
    let hangs = TcpListener::bind("127.0.0.1:0")?;
    let marathon = Marathon::start(Version::V1_9)?;
    let tasks = marathon.run_app("/a", 1)?;
    let urls = format!("\"http://{}\", \"http://{}\"", hangs.local_addr()?, marathon.address(0));
    let lab = Lab::with(marathon, &Marathon::config_of("m", &urls))?;
    lab.until(Duration::from_secs(20), &tasks)?;
    lab.until_cluster(SOON, "following", "")?;
    Ok(())
}

fn a_marathon_without_a_stream_is_listed() -> Result<()> {
    let marathon = Marathon::start(Version::V0_8)?;
    let tasks = marathon.run_app("/a", 3)?;
    let lab = Lab::of(marathon)?;
    lab.until(SOON, &tasks)?;
    lab.until_cluster(SOON, "following", "has no stream of events")?;
    lab.marathon.kill(&tasks[0])?;
    lab.until(Duration::from_secs(12), &tasks[1..])
}
