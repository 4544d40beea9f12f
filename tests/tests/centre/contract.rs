//! What `/openapi.json` promises: a valid description, and no answer that it does not name.

use anyhow::{Context, Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Home, Settings};
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
    std::fs::write(&description, centre.call("GET", "/openapi.json", "")?.body)?;
    run(Command::new(tool("openapi-spec-validator")?).arg(&description))?;
    run(Command::new(tool("schemathesis")?)
        .current_dir(home.state())
        .arg("run")
        .arg(&description)
        .args(["--url", &format!("http://{}", centre.address)])
        .args(["-H", &format!("Authorization: Bearer {}", centre.token)])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"])
        .args(["--exclude-path", "/v1/events", "--phases", "examples,coverage,fuzzing", "--max-examples", "30"])
        .args(["--seed", "7", "--no-color", "--workers", "2"]))
}
