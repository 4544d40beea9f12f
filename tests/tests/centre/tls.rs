//! The centre and an agent over TLS, with an authority made as docs/operating.md says: who was given it reports, who was not is told what
//! to do, and plain HTTP gets nothing.

use crate::history::SOON;
use anyhow::{Context, Result, ensure};
use e2e::centre::{Centre, Home, Settings};
use e2e::dadvisor;
use e2e::daemon::binary;
use e2e::http;
use e2e::pki::Pki;
use e2e::wait::eventually;
use serde_json::Value;
use std::process::Command;

struct Lab {
    pki: Pki,
    // keeps its directory
    _home: Home,
    centre: Centre,
}

impl Lab {
    /// A centre that shows this certificate.
    fn over(pki: Pki, name: &str) -> Result<Self> {
        let home = Home::new(&Settings { more: pki.shown(name), ..Settings::default() })?;
        Ok(Self { pki, centre: home.start()?, _home: home })
    }

    /// One with a node's token, in a file.
    fn start() -> Result<Self> {
        let lab = Self::over(Pki::new()?, "host")?;
        let body = r#"{"name": "agents-e2e", "node": "e2e"}"#;
        let made = lab.ask("/v1/tokens", &["-H", "content-type: application/json", "-d", body])?;
        std::fs::write(lab.pki.file("token"), made["token"].as_str().context("no token")?)?;
        Ok(lab)
    }

    fn ask(&self, path: &str, more: &[&str]) -> Result<Value> {
        let bearer = format!("authorization: Bearer {}", self.centre.token);
        let all: Vec<&str> = ["-H", &bearer].into_iter().chain(more.iter().copied()).collect();
        self.pki.json(&format!("https://{}{path}", self.centre.address), &all)
    }

    /// A dadvisor that reports there, with more lines of `[node]` and `[api]`.
    fn agent(&self, node: &str, api: &str) -> Result<dadvisor::Home> {
        let home = dadvisor::Home::new(&dadvisor::Settings::default())?;
        let (address, token) = (&self.centre.address, self.pki.file("token"));
        let section = format!("[api]\nurl = \"https://{address}\"\ntoken_file = {token:?}\n{api}");
        home.edit(|text| {
            format!("{}\n{section}", text.replacen("[node]\n", &format!("[node]\n{node}"), 1))
        })?;
        Ok(home)
    }
}

#[test]
fn an_agent_with_the_authority_reports_and_one_without_is_told_what_to_do() -> Result<()> {
    let lab = Lab::start()?;
    ensure!(http::get(&lab.centre.address, "/healthz").is_err(), "plain HTTP was answered");
    let url = format!("https://{}/healthz", lab.centre.address);
    let stranger = Command::new("curl").args(["-sS", "--max-time", "10", &url]).output()?;
    ensure!(!stranger.status.success(), "curl without the authority was satisfied");
    // by name too
    let (_, port) = lab.centre.address.rsplit_once(':').context("no port")?;
    let named = lab.pki.curl(&format!("https://localhost:{port}/healthz"), &[])?;
    ensure!(named.stdout == b"ok\n", "{}", String::from_utf8_lossy(&named.stderr));

    let home = lab.agent("", "")?;
    let stranger = home.start()?;
    eventually(SOON, "it says what to do", || {
        let log = stranger.log();
        let wanted = "name the file of the authority that signed it (`ca_file`)";
        ensure!(log.contains(wanted), "{log}");
        Ok(())
    })?;
    ensure!(lab.ask("/v1/nodes", &[])?["items"].as_array().is_some_and(Vec::is_empty));
    drop(stranger);

    let home = lab.agent("", &format!("ca_file = {:?}\n", lab.pki.file("ca.pem")))?;
    let trusted = home.start()?;
    eventually(SOON, "the node reports", || {
        let node = lab.ask("/v1/nodes/e2e", &[])?;
        ensure!(node["silent"] == false, "{node}");
        Ok(())
    })?;
    drop(trusted);
    Ok(())
}

#[test]
fn an_agent_s_own_side_speaks_tls() -> Result<()> {
    let lab = Lab::start()?;
    let ca = format!("ca_file = {:?}\n", lab.pki.file("ca.pem"));
    let home = lab.agent(&lab.pki.shown("host"), &ca)?;
    let agent = home.start()?;
    ensure!(agent.log().contains("listening on https://"), "{}", agent.log());
    ensure!(http::get(&agent.address, "/healthz").is_err(), "plain HTTP was answered");
    let containers = lab.pki.json(&format!("https://{}/v1/containers", agent.address), &[])?;
    ensure!(containers.is_object() || containers.is_array(), "{containers}");
    eventually(SOON, "the node reports", || lab.ask("/v1/nodes/e2e", &[]))?;
    let out = Command::new(binary("dadvisor")?)
        .arg("check")
        .arg("--config")
        .arg(home.config())
        .output()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    for wanted in ["tls", "centre", "listen"] {
        let fine = |line: &str| line.starts_with("ok") && line.contains(wanted);
        ensure!(said.lines().any(fine), "{wanted}: {said}");
    }
    Ok(())
}

/// What `openssl req -x509` makes by itself is an authority, and no server is one; told to be none, one certificate can be both.
#[test]
fn a_self_signed_certificate_is_good_only_if_it_is_no_authority() -> Result<()> {
    let mut pki = Pki::new()?;
    pki.openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=host \
         -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
         -keyout self.key -out self.pem",
    )?;
    std::fs::write(pki.file("token"), "qae_x")?;
    for (name, wanted) in [("ca", "(CA:FALSE)"), ("self", "token_malformed")] {
        let lab = Lab::over(pki, name)?;
        let ca_file = lab.pki.file(&format!("{name}.pem"));
        let home = lab.agent("", &format!("ca_file = {ca_file:?}\n"))?;
        let agent = home.start()?;
        eventually(SOON, "it says how it went", || {
            let log = agent.log();
            ensure!(log.contains(wanted), "{log}");
            Ok(())
        })?;
        pki = lab.pki;
    }
    Ok(())
}
