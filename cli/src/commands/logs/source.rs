//! Where lines come from: the centre, or one node's log-agent.

use super::places::Places;
use crate::args;
use crate::client::Client;
use crate::client::query::{Query, encoded};
use crate::commands::access::ticket_for;
use crate::error::Error;
use crate::render::access::Ticket;
use common::http::{Socket, Url};
use serde::Deserialize as _;
use serde_json::json;
use std::time::Duration;

/// Largest frame: a piece of a line has 256 KiB, and JSON may make six of one.
const FRAME: usize = 4 << 20;
/// For an agent, which may be out of reach from here.
const REACH: Duration = Duration::from_secs(3);
/// For the centre.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a ticket lasts; a new one is made when it has ended.
const TICKET_LIFE: &str = "1h";
/// On a new connection to an agent, of files that are new since.
const NEW_FILES: u32 = 1_000;

/// Whose lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Of all its instances.
    App(String),
    /// An instance's key or id.
    Instance(String),
}

impl Target {
    /// What of both there is; an app comes first.
    pub async fn find(client: &mut Client, name: &str) -> Result<Self, Error> {
        match client.value(&format!("/v1/apps/{}", encoded(name))).await {
            Ok(_) => return Ok(Self::App(name.to_owned())),
            Err(Error::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
        match client.value(&format!("/v1/instances/{}", encoded(name))).await {
            Ok(_) => Ok(Self::Instance(name.to_owned())),
            Err(Error::Refused { status: 404, code, .. }) => {
                let detail = format!(
                    "no app and no instance \"{name}\"; `qae apps` and `qae instances` list them"
                );
                Err(Error::Refused { status: 404, code, detail })
            }
            Err(error) => Err(error),
        }
    }

    fn path(&self) -> String {
        match self {
            Self::App(app) => format!("/v1/apps/{}/logs/stream", encoded(app)),
            Self::Instance(name) => format!("/v1/instances/{}/logs/stream", encoded(name)),
        }
    }
}

/// Where lines come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The centre, at this path.
    Centre(String),
    /// The log-agent of this instance's node.
    Agent {
        /// The instance's id.
        instance: String,
        /// As it was asked for.
        name: String,
    },
}

impl Source {
    /// One instance that is followed comes from its agent.
    pub async fn first(client: &mut Client, target: &Target, asked: &args::Logs) -> Self {
        let Target::Instance(name) = target else { return Self::centre(target) };
        if !asked.follow {
            return Self::centre(target);
        }
        match way(client, name).await {
            Some((_, _, instance)) => Self::Agent { instance, name: name.clone() },
            None => Self::centre(target),
        }
    }

    /// Through the centre.
    pub fn centre(target: &Target) -> Self {
        Self::Centre(target.path())
    }

    /// Whether it is a log-agent.
    pub fn is_agent(&self) -> bool {
        self.instance().is_some()
    }

    /// The only instance that is told of.
    pub fn instance(&self) -> Option<&str> {
        match self {
            Self::Agent { instance, .. } => Some(instance),
            Self::Centre(_) => None,
        }
    }

    /// Connects. `again`: lines from before were shown already.
    pub async fn open(
        &self,
        client: &mut Client,
        asked: &args::Logs,
        places: &Places,
        again: bool,
    ) -> Result<Socket, Error> {
        let query = Query::new()
            .maybe("file", asked.file.as_deref())
            .maybe("grep", asked.grep.as_deref())
            .maybe("invert", asked.invert.then_some("1"))
            .maybe("case", asked.ignore_case.then_some("0"));
        match self {
            Self::Centre(path) => {
                let lines = if again { 0 } else { asked.lines };
                let query = query
                    .with("lines", &lines.to_string())
                    .with("follow", if asked.follow { "1" } else { "0" })
                    .maybe("ended", asked.ended.then_some("1"));
                let url = client.centre.url.at(&format!("{path}{query}"));
                client.socket(&url, None, PATIENCE, FRAME).await
            }
            Self::Agent { name, .. } => {
                let Some((base, ticket, _)) = way(client, name).await else {
                    return Err(Error::Missing(format!("no way to the log-agent of {name}")));
                };
                let lines = if again { NEW_FILES } else { asked.lines };
                let query = query.with("lines", &lines.to_string());
                let query = places.each().fold(query, |query, place| query.with("from", &place));
                client
                    .socket(
                        &base.at(&format!("{}{query}", base.path())),
                        Some(&ticket),
                        REACH,
                        FRAME,
                    )
                    .await
            }
        }
    }
}

/// The address of an instance's stream, a ticket for it, and its id.
async fn way(client: &mut Client, name: &str) -> Option<(Url, String, String)> {
    let rest = json!({ "file": "**", "rights": ["read"], "expires_in": TICKET_LIFE });
    let made = ticket_for(client, name, rest).await.ok()?;
    let ticket = Ticket::deserialize(&made).ok()?;
    let door = ticket.instances.first()?;
    let address = door.address.as_ref()?;
    let key = if door.key.is_empty() { &door.instance } else { &door.key };
    let url = format!("{}/v1/logs/{}/stream", address.trim_end_matches('/'), encoded(key));
    Some((Url::parse(&url).ok()?, ticket.ticket.clone(), door.instance.clone()))
}
