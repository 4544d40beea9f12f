//! `qae logs`: the lines of an app's instances, or of one, as they were written and as they come.
//!
//! The lines of an app come through the centre, which merges its instances. One instance that is followed is read straight from its node's
//! log-agent where that can be reached, else through the centre too. A connection that breaks is made again: straight from the agent
//! nothing is missed then, through the centre it is said that lines may be missing. Only lines go to stdout; what is said about them to
//! stderr.

mod places;
mod source;

use super::{note, paint, print, print_json};
use crate::args;
use crate::client::query::{Query, encoded};
use crate::client::{Client, document};
use crate::error::Error;
use crate::render::logs::{Look, files, lines};
use common::api_types::live::{Frame, LogFile, Told};
use common::backoff::{Backoff, random};
use common::ids::InstanceId;
use common::printable::printable;
use places::Places;
use serde::Deserialize as _;
use source::{Source, Target};
use std::io::{self, IsTerminal};
use std::time::Duration;

/// Servers ping every 20 s: two missed, and a little.
const SILENCE: Duration = Duration::from_secs(50);

pub async fn run(client: &mut Client, asked: &args::Logs) -> Result<(), Error> {
    let target = Target::find(client, &asked.target).await?;
    if asked.files {
        return list(client, &target, asked).await;
    }
    if let (Target::Instance(name), true) = (&target, asked.ended) {
        return Err(Error::Usage(format!("{name} is an instance: --ended is for apps")));
    }
    let sole = asked.file.as_ref().is_some_and(|file| !file.contains(['*', '?']));
    let look = Look {
        paint: paint(),
        terminal: io::stdout().is_terminal(),
        instances: matches!(target, Target::App(_)),
        files: !sole,
    };
    let mut reading = Reading { asked, look, places: Places::default(), failed: None };
    let mut source = Source::first(client, &target, asked).await;
    let mut backoff = Backoff::default();
    let mut connected_once = false;
    loop {
        let broken = match source.open(client, asked, &reading.places, connected_once).await {
            Ok(socket) => {
                connected_once = true;
                match reading.read(socket, &source, &mut backoff).await? {
                    Ended::Done => return reading.failed.map_or(Ok(()), Err),
                    Ended::Broken(why) => why,
                }
            }
            // what is refused will be refused again
            Err(error @ Error::Refused { status: 400..=499, .. }) => return Err(error),
            // an agent that only the centre can reach
            Err(error) if source.is_agent() => {
                note(&format!("{error}; reading through the centre instead"));
                source = Source::centre(&target);
                continue;
            }
            Err(error) if !connected_once => return Err(error),
            Err(error) => error.to_string(),
        };
        if !asked.follow {
            return Err(Error::Missing(format!("not everything could be read: {broken}")));
        }
        let missing = if source.is_agent() { "" } else { "; lines may be missing here" };
        note(&format!("{broken}{missing}; trying again"));
        tokio::time::sleep(backoff.failed(random())).await;
    }
}

/// How a connection ended.
enum Ended {
    /// Everything was told.
    Done,
    /// It is to be made again.
    Broken(String),
}

/// What is read, and where it goes.
struct Reading<'a> {
    asked: &'a args::Logs,
    look: Look,
    places: Places,
    /// What could not be read, the first of it.
    failed: Option<Error>,
}

impl Reading<'_> {
    async fn read(
        &mut self,
        mut socket: common::http::Socket,
        source: &Source,
        backoff: &mut Backoff,
    ) -> Result<Ended, Error> {
        loop {
            let text = match socket.next(SILENCE).await {
                Ok(Some(text)) => text,
                Ok(None) => {
                    return Ok(Ended::Broken(format!(
                        "{}: the connection was closed",
                        socket.url()
                    )));
                }
                Err(error) => return Ok(Ended::Broken(error.to_string())),
            };
            // a frame of a newer version is no reason to stop
            let Ok(mut told) = serde_json::from_str::<Told>(&text) else { continue };
            backoff.worked();
            self.places.told(&told.frame);
            if let Some(id) = source.instance() {
                // the agent's own stream: its end is that of the whole, which is said by no name
                if !matches!(told.frame, Frame::End { .. }) {
                    told.instance = Some(InstanceId::new(id));
                }
            }
            self.show(&told)?;
            if let (Frame::End { why, detail }, None) = (&told.frame, &told.instance) {
                return self.ended(why, detail, source);
            }
        }
    }

    fn show(&mut self, told: &Told) -> Result<(), Error> {
        if self.asked.json {
            // names and numbers in structs: nothing of it can fail to print
            print(&format!("{}\n", serde_json::to_string(told).unwrap_or_default()))?;
        } else if matches!(told.frame, Frame::Lines { .. }) {
            return print(&lines(told, self.look));
        }
        let of = told.instance.as_ref().map_or_else(String::new, |id| format!("{id}: "));
        match &told.frame {
            Frame::End { why, detail } if told.instance.is_some() => match why.as_str() {
                "complete" => {}
                "failed" | "incomplete" | "gone" => {
                    note(&format!("{of}{detail}"));
                    let said = format!("not everything could be read: {of}{detail}");
                    self.failed.get_or_insert(Error::Missing(said));
                }
                _ => note(&format!("{of}{detail}")),
            },
            Frame::End { .. } => {}
            Frame::Waiting { .. } => note(&format!("{of}nothing to show yet; waiting")),
            frame => {
                if let Some(said) = frame.note() {
                    note(&format!("{of}{said}"));
                }
            }
        }
        Ok(())
    }

    /// The stream's last frame.
    fn ended(&mut self, why: &str, detail: &str, source: &Source) -> Result<Ended, Error> {
        let refused = || Error::Refused {
            status: 403,
            code: why.to_owned(),
            detail: printable(detail).into_owned(),
        };
        Ok(match why {
            "complete" => Ended::Done,
            "instance_ended" => {
                note(detail);
                Ended::Done
            }
            "incomplete" | "failed" | "gone" => {
                let said = format!("not everything could be read: {}", printable(detail));
                self.failed.get_or_insert(Error::Missing(said));
                Ended::Done
            }
            // of the ticket, not of the token: another one is made
            "expired" | "stopping" | "too_slow" if source.is_agent() => {
                Ended::Broken(detail.to_owned())
            }
            "stopping" => Ended::Broken(detail.to_owned()),
            _ => return Err(refused()),
        })
    }
}

/// The files of an instance.
async fn list(client: &mut Client, target: &Target, asked: &args::Logs) -> Result<(), Error> {
    let Target::Instance(name) = target else {
        let detail = format!(
            "{} is an app: name one of its instances (`qae app {}`)",
            asked.target, asked.target
        );
        return Err(Error::Usage(detail));
    };
    let path = format!("/v1/instances/{}/logs/files", encoded(name));
    let items = client.all(&path, &Query::new(), usize::MAX).await?;
    if asked.json {
        return print_json(&document(items));
    }
    let listed: Result<Vec<LogFile>, _> = items.iter().map(LogFile::deserialize).collect();
    let listed = listed.map_err(|e| client.foreign(&path, &e.to_string()))?;
    print(&files(&listed, common::moment::Moment::now(), paint()))
}
