//! `make demo`, shortened: it shows what it promises and leaves nothing.

use anyhow::{Context, Result, ensure};
use e2e::daemon::binary;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_demo_shows_three_apps_and_removes_them() -> Result<()> {
    let qae = binary("qae")?;
    let dir = qae.parent().context("no directory")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo.sh");
    let out = Command::new(script)
        .env("QAE_BIN_DIR", dir)
        .env("QAE_DEMO_SECONDS", "10")
        .stdin(Stdio::null())
        .output()?;
    let (said, errors) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.success(), "{}: {said}\n{errors}", out.status);
    for wanted in ["QAE runs: http://", "$ qae apps", "demo/web ", "demo/chatty ", "demo/crash "] {
        ensure!(said.contains(wanted), "no {wanted:?}: {said}\n{errors}");
    }
    // the one that crashes is told by its exit code
    ensure!(
        said.lines().any(|l| l.contains("demo/crash") && l.contains("exit 3")),
        "{said}\n{errors}"
    );
    let left = Command::new("docker")
        .args([
            "-H",
            &format!("unix://{}", e2e::docker::SOCKET),
            "ps",
            "-aq",
            "--filter",
            "label=qae.test",
        ])
        .args(["--filter", "name=qae-demo-"])
        .output()?;
    ensure!(left.stdout.is_empty(), "left: {}", String::from_utf8_lossy(&left.stdout));
    Ok(())
}
