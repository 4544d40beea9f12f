//! `qae doctor`: whether the centre can be used from here, and how it and its agents are; each finding says what to do.

mod judge;

use super::{paint, print, print_json};
use crate::args::{Command, Shape};
use crate::client::Client;
use crate::client::query::Query;
use crate::error::Error;
use crate::render::findings::{Finding, Severity, report};
use common::http::Method;
use common::moment::Moment;
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

/// Nothing names a centre: that is the finding.
pub fn nowhere(error: &Error, command: &Command) -> Result<(), Error> {
    let finding = Finding::new(Severity::Bad, "place", error.to_string());
    let shape = match command {
        Command::Doctor { shape } => *shape,
        _ => Shape::default(),
    };
    tell(&[finding], shape)?;
    Err(Error::Sick { away: true })
}

pub async fn run(client: &mut Client, shape: Shape) -> Result<(), Error> {
    let mut found = vec![place(client)];
    let away = match centre(client).await {
        Ok(more) => {
            found.extend(more);
            false
        }
        Err(error) => {
            found.push(Finding::new(Severity::Bad, "centre", error.to_string()));
            true
        }
    };
    if !away {
        found.extend(token(client).await);
        let nodes = client.all("/v1/nodes", &Query::new(), usize::MAX).await;
        found.extend(judged("nodes", nodes, judge::nodes));
        let clusters = clusters(client).await;
        found.extend(judged("clusters", clusters, judge::clusters));
    }
    tell(&found, shape)?;
    let sick = found.iter().any(|f| f.severity == Severity::Bad);
    if sick { Err(Error::Sick { away }) } else { Ok(()) }
}

fn tell(found: &[Finding], shape: Shape) -> Result<(), Error> {
    if shape.json {
        return print_json(&json!({ "items": found, "next": null }));
    }
    let terminal = io::stdout().is_terminal();
    let size = terminal.then(crossterm::terminal::size).and_then(Result::ok);
    print(&report(found, size.map_or(100, |(columns, _)| usize::from(columns)), paint()))
}

fn place(client: &Client) -> Finding {
    let centre = &client.centre;
    let text = format!("{} ({})", centre.url, centre.named_by);
    let Some(path) = &centre.token_file else {
        return Finding::new(Severity::Fine, "place", text);
    };
    match path.metadata() {
        Ok(meta) if meta.mode() & 0o077 != 0 => Finding::new(
            Severity::Less,
            "place",
            format!("{text}; others may read {}: chmod 600 it", path.display()),
        ),
        _ => Finding::new(Severity::Fine, "place", text),
    }
}

/// Whether it answers, is ready, and has the same time.
async fn centre(client: &mut Client) -> Result<Vec<Finding>, Error> {
    let asked = Instant::now();
    let before = Moment::now();
    let answer = client.ask(Method::GET, "/healthz", None).await?;
    let took = asked.elapsed();
    let text = format!("answers in {} ms", took.as_millis());
    let mut found = vec![Finding::new(Severity::Fine, "centre", text)];
    found.push(judge::clock(answer.header("date"), before, Moment::now()));
    if let Err(error) = client.ask(Method::GET, "/readyz", None).await {
        let text = format!("runs, but is not ready: {error}");
        found.push(Finding::new(Severity::Bad, "centre", text));
    }
    let version = client.value("/openapi.json").await?;
    let version = version.pointer("/info/version").and_then(Value::as_str).unwrap_or("unknown");
    found.push(judge::version("the centre", version));
    Ok(found)
}

async fn token(client: &mut Client) -> Vec<Finding> {
    if client.centre.token.is_none() {
        let text = "none: name one with --token-file or QAE_TOKEN_FILE";
        return vec![Finding::new(Severity::Bad, "token", text)];
    }
    match client.value("/v1/me").await {
        Ok(me) => vec![judge::me(&me, Moment::now())],
        Err(error) => vec![Finding::new(Severity::Bad, "token", error.to_string())],
    }
}

/// There are few: they come without pages.
async fn clusters(client: &mut Client) -> Result<Vec<Value>, Error> {
    let mut answer = client.value("/v1/clusters").await?;
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(client.foreign("/v1/clusters", "no `items`")),
    }
}

fn judged(
    topic: &'static str,
    asked: Result<Vec<Value>, Error>,
    judge: fn(&[Value], Moment) -> Vec<Finding>,
) -> Vec<Finding> {
    match asked {
        Ok(items) => judge(&items, Moment::now()),
        // told above
        Err(Error::Refused { status: 401, .. }) => Vec::new(),
        Err(Error::Refused { status: 403, detail, .. }) => {
            vec![Finding::new(Severity::Less, topic, format!("not for this token: {detail}"))]
        }
        Err(error) => vec![Finding::new(Severity::Bad, topic, error.to_string())],
    }
}
