//! Agents that speak TLS, and a centre that asks them for an app's lines and figures: once it is told who vouches for them, and not before.

use crate::scene::Scene;
use anyhow::{Context, Result, ensure};
use e2e::centre::Settings;
use e2e::frames::Frames;
use e2e::http::Answer;
use e2e::pki::Pki;
use e2e::wait::eventually;
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
/// Writes until it is ended.
const SCRIPT: &str =
    "n=0; while :; do n=$((n+1)); echo \"line $n\" >> /qae/logs/app.log; sleep 0.1; done";
/// What to do about it.
const REMEDY: &str = "name the file of the authority that signed it (`[server] agents_ca`)";

/// The text of an answer that must have this status.
fn text(answer: &Answer, status: u16) -> Result<String> {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    ensure!(answer.status == status, "{}: {text}", answer.status);
    Ok(text)
}

#[test]
fn the_centre_relays_over_tls_whom_the_authority_vouches_for() -> Result<()> {
    let pki = Pki::new()?;
    // it comes back at the same address
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let settings = Settings { listen: listen.clone(), ..Settings::default() };
    let scene = Scene::with("secure", "", &pki.shown("host"), &settings)?;
    let centre = &scene.centre;
    let agent = scene.home.start()?;
    ensure!(agent.log().contains("listening on https://"), "{}", agent.log());
    let container = scene.run(SCRIPT)?;
    let instance = container.short();

    // a person's link and a program's address say so
    let made = eventually(SOON, "a link", || {
        let made =
            centre.call("POST", "/v1/tickets", &format!("{{\"instance\": \"{instance}\"}}"))?;
        let made = made.json()?;
        let url = made["instances"][0]["url"].as_str().with_context(|| made.to_string())?;
        ensure!(url.starts_with(&format!("https://{}/#ticket=", agent.address)), "{url}");
        Ok(made)
    })?;
    let bearer = made["ticket"].as_str().context("no ticket")?;
    let direct = format!("https://{}/v1/logs/{instance}/tail?file=app.log&lines=1", agent.address);
    eventually(SOON, "a line from the agent itself", || {
        let out = pki.curl(&direct, &["-H", &format!("authorization: Bearer {bearer}")])?;
        ensure!(out.stdout.starts_with(b"line "), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    })?;

    // nobody vouches for it: every way through the centre says what to set
    let app = scene.app.replace('/', "%2F");
    let stream = format!("/v1/apps/{app}/logs/stream");
    let files = format!("/v1/instances/{instance}/logs/files");
    let figures = format!("/v1/metrics?instance={instance}&metric=cpu.percent");
    let mut frames = Frames::open(&centre.address, &format!("{stream}?lines=1"), &centre.token)?;
    let away = frames.expect("away")?;
    ensure!(away["detail"].as_str().is_some_and(|why| why.contains(REMEDY)), "{away}");
    let past = text(&centre.call("GET", &format!("{stream}?follow=0"), "")?, 200)?;
    ensure!(past.contains(REMEDY), "{past}");
    let listed = text(&centre.call("GET", &files, "")?, 502)?;
    ensure!(listed.contains("log_agent_unavailable") && listed.contains(REMEDY), "{listed}");
    let missing = centre.json(&figures)?["missing"][0]["why"].to_string();
    ensure!(missing.contains(REMEDY), "{missing}");

    // a file that is none is refused, a good one is taken over, and the streams are told to come back
    let name = |file: &str| {
        let line = format!("[server]\nagents_ca = {:?}\n", pki.file(file));
        scene.centre_home.edit(|text| {
            let bare: Vec<&str> = text.lines().filter(|l| !l.starts_with("agents_ca")).collect();
            bare.join("\n").replacen("[server]\n", &line, 1)
        })
    };
    fs::copy(Pki::new()?.file("ca.pem"), pki.file("agents.pem"))?;
    for (file, said) in [("host.ext", "the old one stays"), ("agents.pem", "running anew")] {
        name(file)?;
        centre.signal(Signal::HUP)?;
        eventually(SOON, said, || {
            ensure!(centre.log().contains(said), "{}", centre.log());
            Ok(())
        })?;
    }
    ensure!(frames.expect("end")?["why"] == "stopping");

    let mut frames = eventually(SOON, "a stream", || {
        Frames::open(&centre.address, &format!("{stream}?lines=1"), &centre.token)
    })?;
    // it was another's; the right one comes into the same file, and nobody has to come back
    let away = frames.expect("away")?;
    ensure!(away["detail"].as_str().is_some_and(|why| why.contains(REMEDY)), "{away}");
    fs::copy(pki.file("ca.pem"), pki.file("agents.pem"))?;
    centre.signal(Signal::HUP)?;
    let lines = frames.expect("lines")?;
    ensure!(lines["instance"] == instance && lines["file"] == "app.log", "{lines}");
    let past = text(&centre.call("GET", &format!("{stream}?lines=2&follow=0"), "")?, 200)?;
    ensure!(past.contains(&format!("{instance} app.log | line ")), "{past}");
    let listed = centre.items(&files)?;
    ensure!(listed.first().is_some_and(|file| file["file"] == "app.log"), "{listed:?}");
    eventually(SOON, "figures from the node", || {
        let told = centre.json(&figures)?;
        ensure!(told["series"][0]["points"].is_array(), "{told}");
        Ok(())
    })?;
    Ok(())
}
