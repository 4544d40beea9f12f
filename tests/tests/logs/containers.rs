//! A real container that writes to its log volume: its lines by the link the centre gives, and every one of them in the sink, though the
//! agent is killed meanwhile.

use anyhow::{Context, Result, ensure};
use e2e::docker::{Docker, SOCKET};
use e2e::http;
use e2e::wait::eventually;
use e2e::{centre, dadvisor, log_agent};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
/// Lines the container writes; some 10 s of them.
const LINES: usize = 100;

/// All parts of one file of the sink, unpacked, in order.
fn unpacked(sink: &Path, file: &str) -> Result<String> {
    let mut parts = Vec::new();
    let mut dirs = vec![sink.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                dirs.push(path);
            } else if name.starts_with(&format!("{file}.")) {
                parts.push(path);
            }
        }
    }
    parts.sort();
    let mut text = String::new();
    for part in parts {
        let mut reader = zstd::Decoder::new(File::open(&part)?)?;
        reader.read_to_string(&mut text).with_context(|| part.display().to_string())?;
    }
    Ok(text)
}

/// The ticket for an instance of an app, and the way in.
fn ticket(centre: &centre::Centre, app: &str) -> Result<(String, String, String)> {
    let body = serde_json::json!({ "app": app }).to_string();
    let made = centre.call("POST", "/v1/tickets", &body)?.json()?;
    let of: &Value = &made["instances"][0];
    let text = |key: &str| {
        of[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {made}"))
    };
    let address = text("address")?;
    let address = address.strip_prefix("http://").context("not http")?.to_owned();
    Ok((address, text("ticket")?, text("instance")?))
}

#[test]
fn a_containers_lines_are_watched_by_ticket_and_all_of_them_arrive() -> Result<()> {
    let docker = Docker::system("logs")?;
    let centre = centre::Home::new(&centre::Settings::default())?.start()?;
    let token = tempfile::NamedTempFile::new()?;
    fs::write(token.path(), centre.node_token("e2e")?)?;
    let api =
        format!("[api]\nurl = \"http://{}\"\ntoken_file = {:?}\n", centre.address, token.path());
    let seen = dadvisor::Settings { more: api.clone(), ..dadvisor::Settings::default() };
    let seen = dadvisor::Home::new(&seen)?;
    let _seen = seen.start()?;
    let sink = tempfile::tempdir()?;
    let home = log_agent::Home::new(&log_agent::Settings {
        docker: SOCKET.into(),
        more: format!("sink = \"dir:{}\"\n{api}", sink.path().display()),
        ..log_agent::Settings::default()
    })?;
    let agent = home.start()?;

    let app = format!("e2e/logs{}", std::process::id());
    let label = format!("qae.app={app}");
    let script = format!(
        "n=0; while [ $n -lt {LINES} ]; do n=$((n+1)); echo \"line $n\" >> /qae/logs/app.log; sleep 0.1; done; sleep 1000"
    );
    let container = docker.run("writer", &["--label", &label, "-v", "/qae/logs"], &script)?;

    let (address, ticket, instance) = eventually(SOON, "a ticket", || ticket(&centre, &app))?;
    let bearer = format!("Bearer {ticket}");
    let headers = [("Authorization", bearer.as_str())];
    let path = format!("/v1/logs/{instance}/tail?file=app.log&lines=3");
    eventually(SOON, "lines by ticket", || {
        let answer = http::request(&address, "GET", &path, &headers, "")?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == 200 && text.contains("line "), "{}: {text}", answer.status);
        Ok(())
    })?;
    ensure!(http::request(&address, "GET", &path, &[], "")?.status == 401, "seen without a ticket");

    agent.kill()?;
    let agent = home.start()?;
    let wanted: String = (1..=LINES).map(|n| format!("line {n}\n")).collect();
    eventually(SOON, "every line in the sink", || {
        let got = unpacked(sink.path(), "app.log")?;
        let mut lines: Vec<&str> = got.lines().collect();
        let many = lines.len();
        // the batch under way when it was killed may be there twice
        let mut seen = HashSet::new();
        lines.retain(|line| seen.insert(*line));
        ensure!(lines.join("\n") + "\n" == wanted, "{many} lines arrived: {:?}", lines.last());
        Ok(())
    })?;
    docker.cli(["rm", "-f", "-v", &container.id])?;
    ensure!(agent.stop()?.success(), "it did not end well");
    Ok(())
}
