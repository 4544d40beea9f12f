//! The page in a real browser: sign in by link, see what is there and what changes, hostile names as text.

use anyhow::{Context, Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Centre, Home, Settings};
use e2e::chromium::Chromium;
use std::path::PathBuf;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(15);
/// From a change to its sight.
const SEEN: Duration = Duration::from_secs(2);

fn sign_in_link(centre: &Centre) -> Result<String> {
    let made = centre.call("POST", "/v1/sign-ins", "{}")?.json()?;
    made["url"].as_str().map(str::to_owned).with_context(|| format!("no url in {made}"))
}

/// Pictures are kept where `QAE_TEST_PICTURES` says.
fn picture(page: &mut Chromium, name: &str) -> Result<()> {
    match std::env::var_os("QAE_TEST_PICTURES") {
        Some(dir) => page.picture(&PathBuf::from(dir).join(name)),
        None => Ok(()),
    }
}

#[test]
fn apps_nodes_and_events_as_they_come() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let centre = home.start()?;
    let agent = Agent::new(&centre, "host-17")?;
    agent.report(&centre, &[container("shop/web", 1), container("shop/web", 2)])?;
    let link = sign_in_link(&centre)?;
    let mut page = Chromium::start(1280, 900)?;
    page.open(&link)?;
    page.shows("shop/web", SOON)?;
    page.shows("host-17", SOON)?;
    page.shows("live", SOON)?;
    let address = page.evaluate("location.href")?;
    ensure!(!address.to_string().contains("signin"), "the code stays in the address: {address}");

    agent.report(
        &centre,
        &[container("shop/web", 1), container("shop/web", 2), container("bank/core", 3)],
    )?;
    page.shows("bank/core", SEEN)?;
    page.evaluate("document.querySelector('details[data-app=\"shop/web\"] summary').click()")?;
    page.shows("000000000002", SEEN)?;
    picture(&mut page, "page.png")?;
    agent.report(&centre, &[container("shop/web", 1), container("bank/core", 3)])?;
    page.shows("instance gone", SEEN)?;
    ensure!(page.complaints.is_empty(), "{:?}", page.complaints);
    Ok(())
}

#[test]
fn what_a_container_calls_itself_is_text() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let centre = home.start()?;
    let agent = Agent::new(&centre, "n1")?;
    let hostile = "<img src=x onerror=document.title='taken'>";
    agent.report(&centre, &[container(hostile, 1)])?;
    let mut page = Chromium::start(800, 700)?;
    page.open(&sign_in_link(&centre)?)?;
    page.shows(hostile, SOON)?;
    ensure!(page.evaluate("document.querySelectorAll('main img').length")? == 0);
    ensure!(page.evaluate("document.title")? != "taken");
    Ok(())
}

#[test]
fn a_used_link_lets_nobody_in() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let centre = home.start()?;
    let link = sign_in_link(&centre)?;
    let mut first = Chromium::start(800, 700)?;
    first.open(&link)?;
    first.shows("No app yet", SOON)?;
    let mut second = Chromium::start(800, 700)?;
    second.open(&link)?;
    second.shows("Sign in", SOON)?;
    let said = second.evaluate("fetch('/v1/apps').then((a) => a.status)")?;
    ensure!(said == 401, "{said}");
    Ok(())
}
