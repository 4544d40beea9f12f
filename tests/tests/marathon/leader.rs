//! Who leads: changes, standbys, passwords, redirects that go nowhere or elsewhere.

use crate::support::{AGAIN, Lab, SOON};
use anyhow::{Result, ensure};
use e2e::marathon::{Fault, Marathon, Version};

/// A config with a password.
fn with_password(config: &str, dir: &std::path::Path) -> Result<String> {
    let file = dir.join("password");
    std::fs::write(&file, "s3cret\n")?;
    Ok(format!("{config}user = \"qae\"\npassword_file = {:?}\n", file.display().to_string()))
}

#[test]
fn the_leader_changes_and_the_password_goes_along() -> Result<()> {
    let marathon = Marathon::with_servers(Version::V1_9, 3)?;
    marathon.require("qae", "s3cret");
    let dir = tempfile::tempdir()?;
    // only the first is configured
    let config = Marathon::config_of("m", &format!("\"http://{}\"", marathon.address(0)));
    let tasks = marathon.run_app("/a", 2)?;
    let lab = Lab::with(marathon, &with_password(&config, dir.path())?)?;
    lab.until_task(SOON, &tasks[0], "running healthy")?;
    lab.marathon.lead(2);
    lab.marathon.mute();
    lab.marathon.kill(&tasks[1])?;
    lab.marathon.unmute();
    lab.until(AGAIN, &tasks[..1])?;
    let cluster = lab.until_cluster(SOON, "following", "")?;
    ensure!(cluster["leader"] == lab.marathon.address(2), "{cluster}");
    // the new leader has no results of its checks yet, which is no verdict
    lab.until_task(SOON, &tasks[0], "running healthy")?;
    ensure!(lab.marathon.asked().iter().all(|a| !a.authorization.is_empty()));
    Ok(())
}

#[test]
fn a_wrong_password_is_said() -> Result<()> {
    let marathon = Marathon::start(Version::V1_9)?;
    marathon.require("qae", "other");
    let dir = tempfile::tempdir()?;
    let config = with_password(&marathon.config("m"), dir.path())?;
    let lab = Lab::with(marathon, &config)?;
    lab.until_cluster(SOON, "unknown", "answered 401: set `user` and `password_file`")?;
    // it is read anew each time
    std::fs::write(dir.path().join("password"), "other\n")?;
    lab.until_cluster(AGAIN, "following", "")?;
    ensure!(!lab.centre.log().contains("s3cret"), "the log has the password");
    Ok(())
}

#[test]
fn a_standby_redirects_or_passes_on() -> Result<()> {
    for version in [Version::V1_3, Version::V1_9] {
        let marathon = Marathon::with_servers(version, 2)?;
        let config = Marathon::config_of("m", &format!("\"http://{}\"", marathon.address(1)));
        let tasks = marathon.run_app("/a", 2)?;
        let lab = Lab::with(marathon, &config)?;
        lab.until(SOON, &tasks)?;
        lab.marathon.kill(&tasks[0])?;
        lab.until(SOON, &tasks[1..])?;
        let cluster = lab.cluster("m")?;
        ensure!(cluster["leader"] == lab.marathon.address(0), "{cluster}");
    }
    Ok(())
}

#[test]
fn nobody_leads_for_a_while() -> Result<()> {
    let lab = Lab::of(Marathon::with_servers(Version::V1_9, 2)?)?;
    let tasks = lab.marathon.run_app("/a", 2)?;
    lab.until(SOON, &tasks)?;
    lab.marathon.lose_leader();
    lab.until_cluster(AGAIN, "away", "")?;
    ensure!(lab.tasks()?.len() == 2, "nothing ends because nobody answers");
    lab.marathon.lead(1);
    lab.until_cluster(AGAIN, "following", "")?;
    lab.until(SOON, &tasks)
}

#[test]
fn redirects_for_ever_leave_the_lists() -> Result<()> {
    let marathon = Marathon::start(Version::V1_9)?;
    marathon.fault(Fault::Redirect("/v2/events".into(), "http://{self}/v2/events".into()));
    let tasks = marathon.run_app("/a", 2)?;
    let lab = Lab::of(marathon)?;
    lab.until_cluster(SOON, "following", "redirects in a circle")?;
    lab.until(SOON, &tasks)?;
    let tries = lab.marathon.count("/v2/events");
    ensure!(tries <= 10, "{tries} requests");
    Ok(())
}

#[test]
fn no_password_for_strangers() -> Result<()> {
    let stranger = Marathon::start(Version::V1_9)?;
    let marathon = Marathon::start(Version::V1_9)?;
    marathon.require("qae", "s3cret");
    let away = format!("http://{}/v2/events", stranger.address(0));
    marathon.fault(Fault::Redirect("/v2/events".into(), away));
    let dir = tempfile::tempdir()?;
    let config = with_password(&marathon.config("m"), dir.path())?;
    let tasks = marathon.run_app("/a", 1)?;
    let lab = Lab::with(marathon, &config)?;
    lab.until_cluster(SOON, "following", "is neither in `url` of this cluster nor the leader")?;
    lab.until(SOON, &tasks)?;
    ensure!(stranger.asked().is_empty(), "{:?}", stranger.asked());
    ensure!(lab.figure("redirects_refused_total")? >= 1.0);
    Ok(())
}
