//! The built API and the built dadvisor with a real engine: what happens to a container is on the bus within two seconds.

use crate::history::{self, SOON};
use anyhow::{Context, Result, ensure};
use e2e::centre::{Centre, Home, Settings};
use e2e::dadvisor::{self, Dadvisor};
use e2e::docker::{Container, Docker};
use e2e::sse::{Frame, Sse};
use e2e::wait::eventually;
use std::time::{Duration, Instant};

/// From the command's end to the bus.
const TOLD: Duration = Duration::from_secs(2);

struct Lab {
    docker: Docker,
    centre: Centre,
    // keep their directories
    _home: Home,
    agent: Option<Dadvisor>,
    agent_home: dadvisor::Home,
}

impl Lab {
    fn start(test: &str) -> Result<Self> {
        let docker = Docker::system(test)?;
        let home = Home::new(&Settings::default())?;
        let centre = home.start()?;
        let agent_home = dadvisor::Home::new(&dadvisor::Settings::default())?;
        let token = agent_home.state().with_file_name("token");
        std::fs::write(&token, centre.node_token("e2e")?)?;
        let api = format!("[api]\nurl = \"http://{}\"\ntoken_file = {token:?}\n", centre.address);
        agent_home.edit(|text| format!("{text}\n{api}"))?;
        let agent = Some(agent_home.start()?);
        let lab = Self { docker, centre, _home: home, agent, agent_home };
        eventually(SOON, "the node reports", || lab.centre.json("/v1/nodes/e2e"))?;
        Ok(lab)
    }

    fn follow(&self) -> Result<Sse> {
        let cursor = self.centre.json("/v1/snapshot?topics=all")?["cursor"].clone();
        self.centre.follow("all", cursor.as_str().context("no cursor")?)
    }
}

fn told(
    sse: &Sse,
    what: &str,
    container: &Container,
    wanted: impl Fn(&Frame) -> bool,
) -> Result<Frame> {
    let begin = Instant::now();
    let frame = sse.wait(TOLD, what, |f| {
        f.data["payload"]["container"] == container.id.as_str() && wanted(f)
    })?;
    println!("{what}: {:?}", begin.elapsed());
    Ok(frame)
}

#[test]
fn a_container_s_life_within_two_seconds() -> Result<()> {
    let lab = Lab::start("life")?;
    let (docker, sse) = (&lab.docker, lab.follow()?);
    let web = docker.run(
        "web",
        &[
            "--label",
            "qae.app=shop/web",
            "-p",
            "127.0.0.1::8080",
            "--health-cmd",
            "test -e /tmp/well",
            "--health-interval",
            "300ms",
            "--health-retries",
            "1",
        ],
        "touch /tmp/well; trap 'exit 3' TERM; while :; do sleep 0.1; done",
    )?;
    let started = told(&sse, "start", &web, |f| f.data["payload"]["state"] == "running")?;
    let payload = &started.data["payload"];
    ensure!(payload["app"] == "shop/web" && payload["id"] == web.short(), "{payload}");
    ensure!(payload["key"] == format!("local/e2e/{}", web.short()), "{payload}");
    let healthy = sse.wait(SOON, "healthy", |f| f.data["payload"]["health"] == "healthy")?;
    ensure!(healthy.kind == "health_changed" || healthy.kind == "instance_changed");
    docker.exec(&web, "rm /tmp/well")?;
    // the engine itself needs an interval to see it
    let ill = sse.wait(Duration::from_secs(4), "unhealthy", |f| {
        f.data["payload"]["health"] == "unhealthy"
    })?;
    ensure!(ill.kind == "health_changed", "{}", ill.kind);
    let backends = lab.centre.items("/v1/instances?app=shop%2Fweb")?[0]["backends"].clone();
    ensure!(
        backends[0]["container_port"] == 8080 && backends[0]["address"] == "127.0.0.1",
        "{backends}"
    );

    docker.on(&web, "restart", &["-t", "3"])?;
    let before = payload["started_at"].clone();
    told(&sse, "restart", &web, |f| {
        f.kind == "instance_changed"
            && f.data["payload"]["state"] == "running"
            && f.data["payload"]["started_at"] != before
    })?;
    docker.on(&web, "stop", &["-t", "3"])?;
    let gone = told(&sse, "stop", &web, |f| f.kind == "instance_gone")?;
    ensure!(gone.data["payload"]["exit"]["code"] == 3, "{}", gone.data);
    docker.on(&web, "start", &[])?;
    told(&sse, "start again", &web, |f| f.data["payload"]["state"] == "running")?;
    docker.on(&web, "kill", &[])?;
    let gone = told(&sse, "kill", &web, |f| f.kind == "instance_gone")?;
    ensure!(gone.data["payload"]["exit"]["code"] == 137, "{}", gone.data);
    let ended = lab.centre.items("/v1/instances?app=shop%2Fweb&state=ended")?;
    ensure!(!ended.is_empty() && ended[0]["state"] == "ended", "{ended:?}");
    Ok(())
}

#[test]
fn a_rename_and_a_short_life() -> Result<()> {
    let lab = Lab::start("rename")?;
    let (docker, sse) = (&lab.docker, lab.follow()?);
    let plain = docker.run("plain", &[], "while :; do sleep 1; done")?;
    let first = told(&sse, "start", &plain, |f| f.kind == "instance_changed")?;
    ensure!(first.data["payload"]["app"] == format!("docker/{}", plain.name), "{}", first.data);
    let other = format!("{}-other", plain.name);
    docker.cli(["rename", &plain.name, &other])?;
    // without labels the name is the app: the instance leaves one and joins the other
    told(&sse, "gone from the old app", &plain, |f| {
        f.kind == "instance_gone" && f.data["payload"]["app"] == first.data["payload"]["app"]
    })?;
    told(&sse, "in the new app", &plain, |f| {
        f.data["payload"]["app"] == format!("docker/{other}")
    })?;
    let short = docker.run("short", &["--label", "qae.app=shop/job"], "exit 7")?;
    let gone = told(&sse, "a life of an instant", &short, |f| f.kind == "instance_gone")?;
    ensure!(gone.data["payload"]["exit"]["code"] == 7, "{}", gone.data);
    history::check(&history::all(&lab.centre)?)
}

/// Both are killed again and again while containers come and go: in the end the centre has what the engine has.
#[test]
fn kills_of_both_under_change() -> Result<()> {
    let mut lab = Lab::start("kills")?;
    let mut kept = Vec::new();
    for round in 0..4u32 {
        let name = format!("c{round}");
        kept.push(lab.docker.run(
            &name,
            &["--label", "qae.app=shop/kept"],
            "while :; do sleep 1; done",
        )?);
        if let Some(agent) = lab.agent.take() {
            agent.kill()?;
        }
        if round > 0 {
            lab.docker.remove(&kept.remove(0))?;
        }
        lab.agent = Some(lab.agent_home.start()?);
    }
    let wanted: Vec<_> = kept.iter().map(|c| c.id.clone()).collect();
    eventually(SOON, "the centre has what the engine has", || {
        let list = lab.centre.items("/v1/instances?app=shop%2Fkept")?;
        let have: Vec<_> = list.iter().filter_map(|i| i["container"].as_str()).collect();
        ensure!(have == wanted, "{have:?} and not {wanted:?}");
        Ok(())
    })?;
    let events = history::all(&lab.centre)?;
    history::check(&events)?;
    ensure!(history::living(&events) == history::listed(&lab.centre)?);
    Ok(())
}
