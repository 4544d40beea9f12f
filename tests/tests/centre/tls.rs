//! The centre over TLS: an agent that was given the authority reports, one that was not is told why it cannot, and plain HTTP gets nothing.

use crate::history::SOON;
use anyhow::{Context, Result, ensure};
use e2e::centre::{Home, Settings};
use e2e::dadvisor;
use e2e::http;
use e2e::wait::eventually;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn openssl(args: &[&str], dir: &Path) -> Result<()> {
    let out = Command::new("openssl").args(args).current_dir(dir).output().context("openssl")?;
    ensure!(out.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

#[test]
fn agents_and_people_over_tls() -> Result<()> {
    let dir = tempfile::Builder::new().prefix("qae-tls-").tempdir()?;
    openssl(
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=qae",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
        dir.path(),
    )?;
    let file = |name: &str| dir.path().join(name);
    let more = format!("cert = {:?}\nkey = {:?}\n", file("cert.pem"), file("key.pem"));
    let home = Home::new(&Settings { more, ..Settings::default() })?;
    let centre = home.start()?;
    ensure!(http::get(&centre.address, "/healthz").is_err(), "plain HTTP was answered");

    let ask = |method: &str, path: &str, body: &str| -> Result<Value> {
        let out = Command::new("curl")
            .args(["-sS", "--max-time", "10", "-X", method, "--cacert"])
            .arg(file("cert.pem"))
            .args(["-H", &format!("Authorization: Bearer {}", centre.token)])
            .args(["-H", "Content-Type: application/json", "-d", body])
            .arg(format!("https://{}{path}", centre.address))
            .output()
            .context("curl")?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(serde_json::from_slice(&out.stdout)?)
    };
    let made = ask("POST", "/v1/tokens", r#"{"name": "agents-e2e", "node": "e2e"}"#)?;
    std::fs::write(file("token"), made["token"].as_str().context("no token")?)?;

    let agent = |authority: &str| -> Result<dadvisor::Home> {
        let home = dadvisor::Home::new(&dadvisor::Settings::default())?;
        let api = format!(
            "[api]\nurl = \"https://{}\"\ntoken_file = {:?}\n{authority}",
            centre.address,
            file("token")
        );
        home.edit(|text| format!("{text}\n{api}"))?;
        Ok(home)
    };
    let stranger = agent("")?;
    let running = stranger.start()?;
    eventually(SOON, "it says what is wrong", || {
        let log = running.log();
        ensure!(log.to_lowercase().contains("certificate"), "{log}");
        Ok(())
    })?;
    ensure!(ask("GET", "/v1/nodes", "")?["items"].as_array().is_some_and(Vec::is_empty));
    drop(running);

    let trusted = agent(&format!("ca_file = {:?}\n", file("cert.pem")))?;
    let running = trusted.start()?;
    eventually(SOON, "the node reports", || {
        let node = ask("GET", "/v1/nodes/e2e", "")?;
        ensure!(node["silent"] == false, "{node}");
        Ok(())
    })?;
    drop(running);
    Ok(())
}
