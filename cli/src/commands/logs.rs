//! `qae logs`: the lines of an instance's log volume, straight from its node's log-agent; of a whole app those of all its instances,
//! each with its instance in front.
//!
//! The centre only hands out the way in (a ticket, and where to go with it); the lines never pass through it. On a terminal whatever
//! would act on it is escaped; into a pipe or a file lines go as they are.

mod lines;

use super::access::ticket_for;
use super::{note, print};
use crate::args;
use crate::client::Client;
use crate::client::query::{Query, encoded};
use crate::error::Error;
use crate::render::access::{Door, Ticket};
use common::http::{Streaming, Url};
use common::printable::printable;
use lines::Lines;
use serde::Deserialize;
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Most instances at a time.
const INSTANCES_MOST: usize = 64;
/// Lines that wait to be printed.
const WAITING: usize = 256;
/// How long the ticket lasts: reading goes on after its end only if the log-agent allows it.
const TICKET_LIFE: &str = "1h";

pub async fn run(client: &mut Client, asked: &args::Logs) -> Result<(), Error> {
    let rest = json!({ "file": "**", "rights": ["read"], "expires_in": TICKET_LIFE });
    let given = ticket_for(client, &asked.target, rest).await?;
    let ticket = Ticket::deserialize(&given);
    let ticket = ticket.map_err(|e| client.foreign("/v1/tickets", &e.to_string()))?;
    if ticket.instances.is_empty() {
        return Err(Error::Missing(format!("{} has no instances now", asked.target)));
    }
    let (reachable, mut trouble) = sorted(&ticket.instances, asked)?;
    if reachable.is_empty() {
        return Err(Error::Missing(trouble.join("\n")));
    }
    for why in &trouble {
        note(why);
    }
    if reachable.len() > INSTANCES_MOST {
        note(&format!(
            "only the first {INSTANCES_MOST} of {} instances are shown",
            reachable.len()
        ));
    }
    let several = ticket.instances.len() > 1;
    let (to, mut from) = mpsc::channel(WAITING);
    let mut readers = JoinSet::new();
    for (door, url) in reachable.into_iter().take(INSTANCES_MOST) {
        match client.open_at(&url, &ticket.ticket).await {
            Ok(stream) => {
                let prefix = if several {
                    format!("{} | ", printable(&door.instance))
                } else {
                    String::new()
                };
                readers.spawn(read(stream, prefix, to.clone()));
            }
            Err(error) => {
                let why = format!("{}: {error}", door.instance);
                note(&why);
                trouble.push(why);
            }
        }
    }
    drop(to);
    let raw = !io::stdout().is_terminal();
    while let Some((prefix, line)) = from.recv().await {
        show(&prefix, &line, raw)?;
    }
    while let Some(ended) = readers.join_next().await {
        if let Ok(Some(why)) = ended {
            note(&why);
            trouble.push(why);
        }
    }
    match trouble.first() {
        None => Ok(()),
        Some(first) => Err(Error::Missing(match trouble.len() {
            1 => format!("not everything could be read: {first}"),
            n => format!("not everything could be read: {first}, and {} more", n - 1),
        })),
    }
}

/// Instances, each with the address of its lines.
type Ways<'a> = Vec<(&'a Door, Url)>;

/// The instances with a way in, and what is to say of the others.
fn sorted<'a>(doors: &'a [Door], asked: &args::Logs) -> Result<(Ways<'a>, Vec<String>), Error> {
    let mut ways = Vec::new();
    let mut without = Vec::new();
    for door in doors {
        match &door.address {
            Some(address) => {
                if let Some(why) = &door.why {
                    note(&format!("{}: {why}", door.instance));
                }
                ways.push((door, Url::parse(&tail(address, door, asked))?));
            }
            None => without.push(format!("{}: no logs of {}", door.shut(), door.instance)),
        }
    }
    Ok((ways, without))
}

/// The log-agent's tail of an instance (contracts.md section 4).
fn tail(address: &str, door: &Door, asked: &args::Logs) -> String {
    let name = if door.key.is_empty() { &door.instance } else { &door.key };
    let query = Query::new()
        .maybe("file", asked.file.as_deref())
        .with("lines", &asked.lines.to_string())
        .with("follow", if asked.follow { "1" } else { "0" });
    format!("{}/v1/logs/{}/tail{query}", address.trim_end_matches('/'), encoded(name))
}

/// Reads one instance's lines to their end; why, if that was not the end of the log.
async fn read(
    mut stream: Streaming,
    prefix: String,
    to: mpsc::Sender<(String, Vec<u8>)>,
) -> Option<String> {
    let mut lines = Lines::default();
    loop {
        let piece = match stream.chunk().await {
            Ok(piece) => piece,
            Err(error) => return Some(error.to_string()),
        };
        let ended = piece.is_none();
        let whole = match piece {
            Some(piece) => lines.take(&piece),
            None => lines.end(),
        };
        for line in whole {
            // nobody reads any more
            to.send((prefix.clone(), line)).await.ok()?;
        }
        if ended {
            return None;
        }
    }
}

fn show(prefix: &str, line: &[u8], raw: bool) -> Result<(), Error> {
    if !raw {
        // a tab is harmless, and common
        let text = String::from_utf8_lossy(line);
        let safe: Vec<_> = text.split('\t').map(printable).collect();
        return print(&format!("{prefix}{}\n", safe.join("\t")));
    }
    let mut bytes = Vec::with_capacity(prefix.len() + line.len() + 1);
    bytes.extend_from_slice(prefix.as_bytes());
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    match io::stdout().lock().write_all(&bytes) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Error::Unread),
        other => other.map_err(Error::file("write to", "stdout")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_in() {
        let door = |address: Option<&str>| Door {
            instance: "a1".into(),
            key: "local/n1/a1".into(),
            node: Some("n1".into()),
            address: address.map(str::to_owned),
            url: None,
            why: None,
        };
        let asked =
            args::Logs { follow: true, lines: 5, file: Some("a b".into()), ..Default::default() };
        let doors = [door(None), door(Some("http://n1:7002"))];
        let (ways, without) = sorted(&doors, &asked).unwrap();
        assert_eq!(without, ["no log-agent on node n1: no logs of a1"]);
        let wanted = "http://n1:7002/v1/logs/local%2Fn1%2Fa1/tail?file=a%20b&lines=5&follow=1";
        assert_eq!(ways.iter().map(|(_, url)| url.to_string()).collect::<Vec<_>>(), [wanted]);
    }
}
