//! What runs is seen, soon, by everybody who may look.

use crate::support::{Up, directory};
use anyhow::{Context, Result, ensure};
use e2e::docker::Docker;
use e2e::wait::eventually;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// From `docker run` to every place where it is seen.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn a_container_is_seen_within_two_seconds() -> Result<()> {
    let docker = Docker::system("up-seen")?;
    let dir = directory()?;
    let up = Up::start(dir.path())?;
    ensure!(up.said.iter().any(|l| l.starts_with("  docker    engine ")), "{:?}", up.said);
    let events = up.follow()?;
    // the node is there once dadvisor has reported
    eventually(Duration::from_secs(10), "the node", || {
        let nodes = up.json(&["nodes", "--json"])?;
        ensure!(nodes["items"][0]["agents"][0]["name"] == "dadvisor", "{nodes}");
        Ok(())
    })?;

    let web = docker.run("web", &["--label", "qae.app=e2e/up-web"], "sleep 600")?;
    let begin = Instant::now();
    let of_web = |e: &Value| e["payload"]["id"] == json!(web.short());
    events.wait(SOON, "the event", |e| e["type"] == "instance_changed" && of_web(e))?;
    eventually(SOON, "in the table", || {
        let table = up.shown(&["apps"])?;
        let line = table.lines().find(|l| l.starts_with("e2e/up-web "));
        line.map(str::to_owned).with_context(|| table.clone())
    })?;
    let app = up.get("/v1/apps/e2e%2Fup-web")?;
    ensure!(app["dcs"][0]["running"] == 1, "{app}");
    ensure!(begin.elapsed() < SOON, "all of it took {:?}", begin.elapsed());

    docker.remove(&web)?;
    let gone = events.wait(SOON, "its end", |e| e["type"] == "instance_gone" && of_web(e))?;
    ensure!(gone["payload"]["state"] == "ended", "{gone}");
    let timeline = up.shown(&["events", "--app", "e2e/up-web"])?;
    ensure!(timeline.contains("instance_gone") && timeline.contains("ended on "), "{timeline}");
    let live = up.json(&["instances", "--app", "e2e/up-web", "--json"])?;
    ensure!(live["items"] == json!([]), "{live}");
    Ok(())
}

#[test]
fn a_browser_signs_in_once_and_gets_the_page() -> Result<()> {
    let dir = directory()?;
    let up = Up::start(dir.path())?;
    let page = up.ask("GET", "/", "")?;
    ensure!(
        page.status == 200 && page.header("content-type").is_some_and(|t| t.contains("html")),
        "{}",
        page.head
    );
    ensure!(up.ask("GET", "/v1/apps", "")?.status == 401, "without a token nothing is told");
    let body = json!({ "code": up.code }).to_string();
    let first = up.ask("POST", "/v1/sessions", &body)?;
    ensure!(first.status == 200, "{}", first.head);
    let cookie = first.header("set-cookie").context("no cookie")?;
    ensure!(cookie.starts_with("qae_session=") && cookie.contains("HttpOnly"), "{cookie}");
    let pair = cookie.split(';').next().context("no pair")?;
    let apps = e2e::http::request(&up.address, "GET", "/v1/apps", &[("Cookie", pair)], "")?;
    ensure!(apps.status == 200, "{}", apps.head);
    ensure!(up.ask("POST", "/v1/sessions", &body)?.status != 200, "the link is good for one");
    Ok(())
}

#[test]
fn figures_are_seen_and_nothing_is_wrong() -> Result<()> {
    let docker = Docker::system("up-top")?;
    let dir = directory()?;
    let up = Up::start(dir.path())?;
    let busy = docker.run("busy", &["--label", "qae.app=e2e/up-busy"], "while :; do :; done")?;
    // two passes two seconds apart make a rate
    let cpu = eventually(Duration::from_secs(20), "its CPU", || {
        let figures = up.json(&["top", "e2e/up-busy", "--json"])?;
        let series = figures["series"].as_array().context("no series")?;
        let cpu = series
            .iter()
            .find(|s| s["metric"] == "cpu.percent")
            .with_context(|| figures.to_string())?;
        let points = cpu["points"].as_array().context("no points")?;
        points.iter().filter_map(|p| p[1].as_f64()).next_back().context("no value")
    })?;
    ensure!(cpu > 5.0, "{cpu}");
    let table = up.shown(&["top", "--once"])?;
    ensure!(table.contains(busy.short()), "{table}");
    let out = up.qae(&["doctor"])?;
    let report = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(out.status.success() && !report.contains("FAIL"), "{report}");
    Ok(())
}

#[test]
fn lines_are_seen_as_they_are_written() -> Result<()> {
    let docker = Docker::system("up-logs")?;
    let dir = directory()?;
    let up = Up::start(dir.path())?;
    let script = "n=0; while :; do n=$((n+1)); echo line $n >> /qae/logs/app.log; sleep 0.2; done";
    let options = ["--label", "qae.app=e2e/up-logs", "--volume", "/qae/logs"];
    let talks = docker.run("talks", &options, script)?;
    eventually(Duration::from_secs(20), "its lines", || {
        let shown = up.shown(&["logs", "e2e/up-logs"])?;
        ensure!(shown.contains(&format!("{} app.log | line 1\n", talks.short())), "{shown}");
        Ok(())
    })?;
    let files = up.json(&["logs", talks.short(), "--files", "--json"])?;
    ensure!(files["items"][0]["file"] == "app.log", "{files}");
    let last = up.shown(&["logs", talks.short(), "app.log", "-n", "1", "--grep", "line"])?;
    ensure!(last.starts_with("line ") && last.lines().count() == 1, "{last}");
    let quiet = docker.run("quiet", &["--label", "qae.app=e2e/up-quiet"], "sleep 100")?;
    eventually(Duration::from_secs(20), "what is said of one without a log volume", || {
        let out = up.qae(&["logs", quiet.short()])?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        ensure!(out.status.code() == Some(69) && said.contains("no such instance"), "{said}");
        Ok(())
    })
}
