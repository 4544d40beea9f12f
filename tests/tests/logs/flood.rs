//! A container that writes 10 MB/s, watched in a browser: the page answers all the while, keeps no more than it shows, ends at the last
//! line, and a reader who stood still is told what was left out and can have it.

use crate::scene::Scene;
use anyhow::{Context, Result, ensure};
use e2e::chromium::Chromium;
use e2e::docker::Container;
use e2e::wait::eventually;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
/// Megabytes in a flood, written in so many seconds and a little more.
const MEGABYTES: u32 = 100;
/// Between two pictures on the screen, in milliseconds, on a machine that has to write and ship all this, too.
const FROZEN: f64 = 1_500.0;
/// Elements and bytes of the page.
const ELEMENTS: f64 = 3_000.0;
const HEAP: f64 = 400e6;
/// Makes a megabyte of lines, then floods whenever it is told to.
const SCRIPT: &str = "cd /qae/logs; echo begin >app.log; \
    awk 'BEGIN { for (n = 0; n < 10000; n++) printf \"%05d %094d\\n\", n, n }' >/tmp/block; \
    while :; do [ -e /tmp/flood ] || { sleep 0.1; continue; }; read n <\"/tmp/flood\"; rm /tmp/flood; \
    for m in $(seq $n); do cat /tmp/block >>app.log; usleep 90000; done; echo \"the end of $n\" >>app.log; done";

/// Counts the time between two pictures.
const WATCH: &str = "window.longest = 0; { let last = performance.now(); const seen = (now) => { \
    longest = Math.max(longest, now - last); last = now; requestAnimationFrame(seen); }; requestAnimationFrame(seen); }";

fn flood(scene: &Scene, container: &Container, megabytes: u32) -> Result<()> {
    let script = format!("echo {megabytes} >/tmp/next; mv /tmp/next /tmp/flood");
    scene.docker.exec(container, &script).map(|_| ())
}

fn number(page: &mut Chromium, expression: &str) -> Result<f64> {
    page.evaluate(expression)?.as_f64().with_context(|| format!("{expression} is no number"))
}

#[test]
fn a_flood_does_not_freeze_the_page_and_a_stopped_reader_gets_its_gap() -> Result<()> {
    let scene = Scene::new("flood", "")?;
    let agent = scene.home.start()?;
    let container = scene.run(SCRIPT)?;
    let (address, ticket, instance) = eventually(SOON, "a ticket", || scene.ticket())?;
    let mut page = Chromium::start(1280, 800)?;
    let link = format!("http://{address}/#ticket={ticket}&instance={instance}&file=app.log");
    eventually(SOON, "the first line", || {
        page.open("about:blank")?;
        page.open(&link)?;
        page.shows("begin", Duration::from_secs(5))
    })?;

    page.evaluate(WATCH)?;
    flood(&scene, &container, MEGABYTES)?;
    page.shows(&format!("the end of {MEGABYTES}"), SOON)?;
    let longest = number(&mut page, "longest")?;
    let elements = number(&mut page, "document.querySelectorAll('*').length")?;
    let heap = number(&mut page, "performance.memory.usedJSHeapSize")?;
    let gaps = number(&mut page, "document.querySelectorAll('.gap').length")?;
    println!(
        "{MEGABYTES} MB at 10 MB/s: at most {longest:.0} ms between two pictures, {elements} elements, {:.0} MB of heap, {gaps} gaps in sight",
        heap / 1e6
    );
    ensure!(longest < FROZEN, "the page stood still for {longest} ms");
    ensure!(elements < ELEMENTS, "{elements} elements");
    ensure!(heap < HEAP, "{heap} bytes of heap");

    page.evaluate("document.getElementById('pause').click()")?;
    flood(&scene, &container, 30)?;
    let path = format!("/v1/logs/{instance}/tail?file=app.log&lines=1");
    let bearer = format!("Bearer {ticket}");
    eventually(SOON, "the end of the flood in the file", || {
        let headers = [("Authorization", bearer.as_str())];
        let answer = e2e::http::request(&address, "GET", &path, &headers, "")?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(text.contains("the end of 30"), "{text}");
        Ok(())
    })?;
    ensure!(!page.text()?.contains("the end of 30"), "a page that stands still shows nothing new");
    page.evaluate("document.getElementById('pause').click()")?;
    page.shows("the end of 30", SOON)?;
    // above what is at the end
    let gap = "[...document.querySelectorAll('.gap')].at(-1)";
    eventually(SOON, "the gap", || {
        page.evaluate("{ const view = document.getElementById('view'); view.scrollTop -= 400; }")?;
        let text = page.evaluate(&format!("{gap}?.textContent ?? ''"))?;
        ensure!(text.as_str().is_some_and(|t| t.contains("did not keep up")), "{text}");
        Ok(())
    })?;
    let told = page.evaluate(&format!("{gap}.textContent"))?;
    page.evaluate(&format!("{gap}.querySelector('button').click()"))?;
    eventually(SOON, "lines of the gap", || {
        let now = page.evaluate(&format!("{gap}?.textContent ?? 'none'"))?;
        ensure!(now != told && now != "loading…", "still {now}");
        Ok(())
    })?;
    ensure!(page.complaints.is_empty(), "{:?}", page.complaints);
    drop(page);
    scene.docker.cli(["rm", "-f", "-v", &container.id])?;
    ensure!(agent.stop()?.success(), "it did not end well");
    Ok(())
}
