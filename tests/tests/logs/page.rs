//! From the first page to a line on the screen, as a person goes: the app, the file, the line.

use crate::scene::Scene;
use anyhow::{Context, Result, ensure};
use e2e::chromium::Chromium;
use e2e::wait::eventually;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
/// From a write to its sight.
const SEEN: Duration = Duration::from_secs(1);
/// Runs until its lines are asked for; then each file that appears is a line.
const SCRIPT: &str = "cd /qae/logs; n=0; while :; do n=$((n+1)); \
    printf '%s \\033[32mINFO\\033[0m  request %s took 3 ms\\n' \"$(date +%T)\" $n >>app.log; \
    [ $((n % 7)) != 0 ] || printf '%s \\033[31mERROR\\033[0m <b>no</b> connection to db-3\\n' \"$(date +%T)\" >>app.log; sleep 0.2; done";

/// Pictures are kept where `QAE_TEST_PICTURES` says.
fn picture(page: &mut Chromium, name: &str) -> Result<()> {
    match std::env::var_os("QAE_TEST_PICTURES") {
        Some(dir) => page.picture(&PathBuf::from(dir).join(name)),
        None => Ok(()),
    }
}

#[test]
fn a_line_written_is_on_the_screen_within_a_second() -> Result<()> {
    let scene = Scene::new("view", "")?;
    let agent = scene.home.start()?;
    let container = scene.run(SCRIPT)?;

    let made = scene.centre.call("POST", "/v1/sign-ins", "{}")?.json()?;
    let link = made["url"].as_str().with_context(|| format!("no url in {made}"))?;
    let mut page = Chromium::start(1280, 800)?;
    page.open(link)?;
    page.shows(&scene.app, SOON)?;
    let app = &scene.app;
    page.evaluate(&format!(
        "document.querySelector('details[data-app=\"{app}\"] summary').click()"
    ))?;
    page.shows("app.log", SOON)?;
    picture(&mut page, "page.png")?;
    // the new tab of a click, opened in this one
    page.evaluate(
        "window.open = () => ({ set location(url) { window.opened = url; }, close() {} }); \
         [...document.querySelectorAll('button')].find((b) => b.textContent === 'app.log').click()",
    )?;
    let opened = eventually(SOON, "the link to the log", || {
        page.evaluate("window.opened")?.as_str().map(str::to_owned).context("not yet")
    })?;
    page.open(&opened)?;
    page.shows("request", SOON)?;
    // what is markup in a line is text on the page
    page.shows("<b>no</b> connection", SOON)?;
    picture(&mut page, "logs.png")?;

    let begin = Instant::now();
    scene.docker.cli([
        "exec",
        &container.id,
        "sh",
        "-c",
        "echo a line of its own >>/qae/logs/app.log",
    ])?;
    // the command's own time is not the view's
    let written = begin.elapsed();
    page.shows("a line of its own", SEEN)?;
    println!("written by docker exec in {written:?}, seen {:?} later", begin.elapsed() - written);
    ensure!(page.complaints.is_empty(), "{:?}", page.complaints);
    drop(page);
    scene.docker.cli(["rm", "-f", "-v", &container.id])?;
    ensure!(agent.stop()?.success(), "it did not end well");
    Ok(())
}
