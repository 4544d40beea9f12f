//! What each command does: ask, read, render, print. One file per command, or per few that are alike.

mod access;
mod doctor;
mod events;
mod lists;
mod logs;
mod manual;
mod top;
mod up;

use crate::args::{Args, Command};
use crate::client::Client;
use crate::error::Error;
use crate::place;
use crate::render::Paint;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// Does what the command line asks.
pub async fn run(args: Args) -> Result<(), Error> {
    match args.command {
        Command::Up(up) => return up::run(&up).await,
        Command::Completion { shell } => return manual::completion(shell),
        Command::Man { dir } => return manual::pages(&dir),
        _ => {}
    }
    let here = std::env::current_dir().map_err(Error::file("find", "."))?;
    let centre = match place::find(&args.place, &here) {
        // what is wrong with the place is what a doctor is asked about
        Err(error) if matches!(args.command, Command::Doctor { .. }) => {
            return doctor::nowhere(&error, &args.command);
        }
        found => found?,
    };
    let mut client = Client::new(centre)?;
    match args.command {
        Command::Apps { filter, shape } => lists::apps(&mut client, filter.as_deref(), shape).await,
        Command::App { app, shape } => lists::app(&mut client, &app, shape).await,
        Command::Instances(asked) => lists::instances(&mut client, &asked).await,
        Command::Nodes { forget: Some(node), .. } => lists::forget(&mut client, &node).await,
        Command::Nodes { shape, .. } => lists::nodes(&mut client, shape).await,
        Command::Events(asked) => events::run(&mut client, &asked).await,
        Command::Logs(asked) => logs::run(&mut client, &asked).await,
        Command::Top(asked) => top::run(&mut client, &asked).await,
        Command::Token { job } => access::token(&mut client, job).await,
        Command::Ticket(asked) => access::ticket(&mut client, &asked).await,
        Command::SignIn { shape } => access::sign_in(&mut client, shape).await,
        Command::Audit(asked) => access::audit(&mut client, &asked).await,
        Command::Doctor { shape } => doctor::run(&mut client, shape).await,
        // done above
        Command::Up(_) | Command::Completion { .. } | Command::Man { .. } => Ok(()),
    }
}

/// Writes to stdout. A reader that closed the pipe early (`| head`) has what it wanted.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Error::Unread),
        other => other.map_err(Error::file("write to", "stdout")),
    }
}

/// A document and its newline.
fn print_json(value: &Value) -> Result<(), Error> {
    print(&format!("{value}\n"))
}

/// A word for the person who waits; not for what reads stdout.
fn note(text: &str) {
    eprintln!("qae: {}", common::printable::printable(text));
}

/// Colours on a terminal that has them, unless <https://no-color.org> says no.
fn paint() -> Paint {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_none_or(|term| term == "dumb");
    Paint(io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb)
}

/// What was listed, as what it is.
fn typed<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    items: &[Value],
) -> Result<Vec<T>, Error> {
    items
        .iter()
        .map(|i| T::deserialize(i).map_err(|e| client.foreign(path, &e.to_string())))
        .collect()
}
