//! What `/openapi.json` promises: a valid description, and no answer that it does not name.

use anyhow::{Context, Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Centre, Home, Settings};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// A program of the environment that `tests/setup.sh schemathesis` makes.
fn tool(name: &str) -> Result<PathBuf> {
    let cache = match std::env::var_os("QAE_TEST_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("no HOME")?).join(".cache/qae-tests")
        }
    };
    let path = cache.join("schemathesis/bin").join(name);
    ensure!(path.exists(), "no {}: run tests/setup.sh schemathesis", path.display());
    Ok(path)
}

fn run(command: &mut Command) -> Result<()> {
    let out = command.output().with_context(|| format!("{command:?}"))?;
    let (said, wrong) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.success(), "{command:?}\n{said}\n{wrong}");
    println!("{said}");
    Ok(())
}

#[test]
fn the_description_is_valid_and_kept() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let centre = home.start()?;
    let agent = Agent::new(&centre, "n1")?;
    agent.report(
        &centre,
        &[container("shop/web", 1), container("shop/web", 2), container("bank", 3)],
    )?;
    let description = home.state().with_file_name("openapi.json");
    let whole = centre.json("/openapi.json")?;
    std::fs::write(&description, whole.to_string())?;
    run(Command::new(tool("openapi-spec-validator")?).arg(&description))?;
    let bounded = home.state().with_file_name("bounded.json");
    std::fs::write(&bounded, without_streams(whole)?.to_string())?;
    run(Command::new(tool("schemathesis")?)
        .current_dir(home.state())
        .arg("run")
        .arg(&bounded)
        .args(["--url", &format!("http://{}", centre.address)])
        .args(["-H", &format!("Authorization: Bearer {}", centre.token)])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--request-timeout", "20"])
        .args(["--seed", "7", "--no-color", "--workers", "2"]))?;
    streams_refuse_as_described(&centre)
}

/// The description without what makes an answer a stream. One that is granted never ends by itself, and schemathesis judges answers that
/// are whole: it would wait until its patience ends and call that a failure. So `/v1/events` is tried as the list that it also is.
fn without_streams(mut description: Value) -> Result<Value> {
    let events = &mut description["paths"]["/v1/events"]["get"];
    let parameters = events["parameters"].as_array_mut().context("no parameters")?;
    parameters.retain(|parameter| parameter["name"] != "topics" && parameter["name"] != "after");
    let answer = events["responses"]["200"]["content"].as_object_mut().context("no answer")?;
    answer.remove("text/event-stream").context("/v1/events is no stream any more")?;
    let paths = description["paths"].as_object_mut().context("no paths")?;
    let gives =
        |path: &Value, kind: &str| path["get"]["responses"]["200"]["content"][kind].is_object();
    let more = paths.iter().find(|(_, path)| gives(path, "text/event-stream"));
    ensure!(more.is_none(), "{more:?} is a stream too: it needs a bound here");
    // `follow=0` ends one of logs, but it is not the default, and whoever tries leaving parameters out waits
    paths.retain(|_, path| !gives(path, "application/x-ndjson"));
    // there is no log-agent behind the centre here: the 502 that is described is right, and schemathesis takes any 5xx for a fault
    paths.remove("/v1/instances/{instance}/logs/files").context("no list of log files")?;
    Ok(description)
}

/// A refusal ends at once, and so do logs without `follow`. What the bus grants is read in `history` and `storm`.
fn streams_refuse_as_described(centre: &Centre) -> Result<()> {
    let epoch = centre.json("/v1/snapshot?topics=all")?["cursor"].clone();
    let (epoch, _) = epoch.as_str().and_then(|c| c.split_once(':')).context("no cursor")?;
    let ahead = format!("after={epoch}:999999");
    for (query, status, code) in [
        ("topics=no%20such", 400, "bad_topic"),
        ("topics=", 400, "bad_topic"),
        ("after=x", 400, "bad_cursor"),
        ("topics=all&limit=3", 400, "bad_query"),
        ("after=0000:1", 410, "epoch_changed"),
        (ahead.as_str(), 410, "cursor_ahead"),
    ] {
        let answer = centre.call("GET", &format!("/v1/events?{query}"), "")?;
        let problem: Value = serde_json::from_slice(&answer.body)?;
        ensure!(answer.status == status && problem["code"] == code, "{query}: {problem}");
    }
    for (path, status) in [
        ("/v1/apps/shop%2Fweb/logs/stream?follow=0", 200),
        ("/v1/apps/none/logs/stream", 404),
        ("/v1/apps/shop%2Fweb/logs/stream?follow=2", 400),
        ("/v1/apps/shop%2Fweb/logs/stream?nothing=2", 400),
        ("/v1/instances/none/logs/stream", 404),
        ("/v1/instances/none/logs/files", 404),
        ("/v1/instances/000000000001/logs/files", 502),
    ] {
        let answer = centre.call("GET", path, "")?;
        ensure!(answer.status == status, "{path}: {}", answer.head);
    }
    Ok(())
}
