//! Malformed, foreign, forged, huge: each is refused with a problem that says why, and changes nothing.

use crate::history;
use anyhow::{Context, Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Centre, Home, Settings};
use e2e::http::{self, Answer};
use serde_json::{Value, json};

fn refused(answer: &Answer, status: u16, code: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == status, "{} and not {status}: {said}", answer.status);
    let kind = answer.header("content-type").unwrap_or_default();
    ensure!(kind == "application/problem+json", "{kind}: {said}");
    let problem: Value = serde_json::from_slice(&answer.body)?;
    ensure!(problem["code"] == code, "{} and not {code}", problem["code"]);
    ensure!(problem["detail"].as_str().is_some_and(|d| d.len() > 10), "nothing to act on: {said}");
    Ok(())
}

fn centre() -> Result<(Home, Centre)> {
    let home = Home::new(&Settings::default())?;
    let centre = home.start()?;
    Ok((home, centre))
}

#[test]
fn reports_that_are_none() -> Result<()> {
    let (_home, centre) = centre()?;
    let agent = Agent::new(&centre, "n1")?;
    agent.report(&centre, &[container("shop/web", 1)])?;
    let head = centre.json("/v1/snapshot?topics=all")?["cursor"].clone();

    let at = &centre.address;
    let wrong_digest = "0".repeat(64);
    refused(&agent.put(at, &wrong_digest, "{\"version\":")?, 400, "bad_json")
        .context("cut JSON")?;
    refused(&agent.put(at, &wrong_digest, "")?, 409, "digest_unknown").context("unknown digest")?;
    let report = json!({"version": "1", "address": "127.0.0.1:1", "dc": "dc1", "facts": {}});
    refused(&agent.put(at, &wrong_digest, &report.to_string())?, 422, "invalid_body")
        .context("another digest")?;
    let answer = centre.call("POST", "/v1/tokens", r#"{"name": "x", "colour": "red"}"#)?;
    refused(&answer, 422, "invalid_body").context("unknown field")?;
    ensure!(String::from_utf8_lossy(&answer.body).contains("colour"), "the field is not named");
    let huge = "x".repeat(8 << 20);
    // the answer may come before the body was taken; a reset connection refuses it as well
    if let Ok(answer) = agent.put(at, &wrong_digest, &huge) {
        refused(&answer, 413, "body_too_large").context("huge")?;
    }
    let foreign = Agent { node: "n2".into(), ..agent.clone() };
    refused(&foreign.try_report(at, &[], &[])?, 403, "not_this_node").context("another node")?;

    ensure!(centre.json("/v1/snapshot?topics=all")?["cursor"] == head, "something changed");
    history::check(&history::all(&centre)?)
}

#[test]
fn two_machines_that_claim_one_node() -> Result<()> {
    let (_home, centre) = centre()?;
    let first = Agent::new(&centre, "n1")?;
    first.report(&centre, &[container("shop/web", 1)])?;
    let second = Agent { run: "ffff.1700000009999.7".into(), ..first.clone() };
    let answer = second.try_report(&centre.address, &[container("bank", 2)], &[])?;
    refused(&answer, 409, "node_claimed")?;
    ensure!(centre.items("/v1/apps")?.len() == 1, "the second one's app came in");
    // the same machine after a restart is the node still
    let again = Agent { run: first.run.replace("1700000000000", "1700000005000"), ..first };
    again.report(&centre, &[container("shop/web", 1), container("shop/web", 3)])?;
    ensure!(centre.items("/v1/instances")?.len() == 2);
    Ok(())
}

#[test]
fn cursors_topics_and_queries() -> Result<()> {
    let (_home, centre) = centre()?;
    let agent = Agent::new(&centre, "n1")?;
    agent.report(&centre, &[container("shop/web", 1)])?;
    let epoch = history::epoch(&centre)?;
    for (path, status, code) in [
        ("/v1/events?topics=all&after=yesterday".to_owned(), 400, "bad_cursor"),
        ("/v1/events?topics=all&after=otherepoch:1".to_owned(), 410, "epoch_changed"),
        (format!("/v1/events?topics=all&after={epoch}:999999"), 410, "cursor_ahead"),
        ("/v1/events?topics=everything".to_owned(), 400, "bad_topic"),
        ("/v1/snapshot?topics=node:".to_owned(), 400, "bad_topic"),
        ("/v1/apps?limit=0".to_owned(), 400, "bad_query"),
        ("/v1/apps?limit=1001".to_owned(), 400, "bad_query"),
        ("/v1/apps?colour=red".to_owned(), 400, "bad_query"),
        ("/v1/apps?cursor=%00".to_owned(), 400, "bad_query"),
        ("/v1/apps/none".to_owned(), 404, "not_found"),
        ("/v1/nothing".to_owned(), 404, "not_found"),
        ("/v1/metrics?metric=cpu.percent".to_owned(), 400, "bad_query"),
        ("/v1/metrics?app=shop%2Fweb&metric=..%2F..".to_owned(), 400, "bad_query"),
    ] {
        refused(&centre.call("GET", &path, "")?, status, code).context(path)?;
    }
    Ok(())
}

#[test]
fn who_may_what() -> Result<()> {
    let (_home, centre) = centre()?;
    let agent = Agent::new(&centre, "n1")?;
    agent.report(&centre, &[container("shop/web", 1), container("bank/core", 2)])?;
    let made = centre.call(
        "POST",
        "/v1/tokens",
        r#"{"name":"shop-viewer","role":"viewer","apps":["shop/**"]}"#,
    )?;
    ensure!(made.status == 201, "{}", made.head);
    let viewer = made.json()?["token"].as_str().context("no token")?.to_owned();

    let unknown = http::get(&centre.address, "/v1/apps")?;
    refused(&unknown, 401, "token_missing").context("no token")?;
    ensure!(unknown.header("www-authenticate").is_some(), "no challenge");
    // its last letter carries two unused bits: another first one makes a secret of the right form
    let other = if viewer.starts_with("qae_x") { "y" } else { "x" };
    let forged = format!("qae_{other}{}", &viewer[5..]);
    refused(&centre.call_as(&forged, "GET", "/v1/apps", "")?, 401, "token_unknown")?;
    let seen = centre.call_as(&viewer, "GET", "/v1/apps", "")?.json()?;
    ensure!(seen["items"].as_array().is_some_and(|i| i.len() == 1), "{seen}");
    // a foreign app is not told from one that is not there
    for path in ["/v1/apps/bank%2Fcore", "/v1/apps/none"] {
        refused(&centre.call_as(&viewer, "GET", path, "")?, 404, "not_found").context(path)?;
    }
    let events =
        centre.call_as(&viewer, "GET", "/v1/snapshot?topics=apps,instances:**", "")?.json()?;
    ensure!(events["instances"].as_array().is_some_and(|i| i.len() == 1), "{events}");
    for (method, path, body) in [
        ("POST", "/v1/tokens", r#"{"name":"x","role":"admin"}"#),
        ("GET", "/v1/audit", ""),
        ("GET", "/v1/tokens", ""),
    ] {
        refused(&centre.call_as(&viewer, method, path, body)?, 403, "role_needed").context(path)?;
    }
    for path in ["/v1/apps", "/v1/snapshot?topics=all", "/v1/audit"] {
        let answer = centre.call_as(&agent.token, "GET", path, "")?;
        ensure!(answer.status == 403, "{path} by a node: {}", answer.head);
    }
    ensure!(centre.call("DELETE", "/v1/tokens/shop-viewer", "")?.status < 300);
    refused(&centre.call_as(&viewer, "GET", "/v1/apps", "")?, 401, "token_unknown")?;
    let audit = centre.items("/v1/audit")?;
    ensure!(audit.iter().any(|a| a["subject"].to_string().contains("shop-viewer")), "{audit:?}");
    ensure!(!audit.iter().any(|a| a.to_string().contains(&viewer)), "a secret in the audit");
    Ok(())
}
