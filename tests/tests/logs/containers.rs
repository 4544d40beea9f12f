//! A real container that writes to its log volume: its lines by the link the centre gives, and every one of them in the sink, though the
//! agent is killed meanwhile.

use crate::scene::Scene;
use anyhow::{Context, Result, ensure};
use e2e::http;
use e2e::wait::eventually;
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

#[test]
fn a_containers_lines_are_watched_by_ticket_and_all_of_them_arrive() -> Result<()> {
    let sink = tempfile::tempdir()?;
    let scene = Scene::new("logs", &format!("sink = \"dir:{}\"", sink.path().display()))?;
    let home = &scene.home;
    let agent = home.start()?;

    let script = format!(
        "n=0; while [ $n -lt {LINES} ]; do n=$((n+1)); echo \"line $n\" >> /qae/logs/app.log; sleep 0.1; done; sleep 1000"
    );
    let container = scene.run(&script)?;

    let (address, ticket, instance) = eventually(SOON, "a ticket", || scene.ticket())?;
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
    scene.docker.cli(["rm", "-f", "-v", &container.id])?;
    ensure!(agent.stop()?.success(), "it did not end well");
    Ok(())
}
