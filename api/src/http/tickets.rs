//! `/v1/tickets`: links to live logs. The centre only signs; lines go from the node's log-agent straight to whoever reads them.

use super::access::created;
use super::extract::{Asked, Nothing, Written};
use super::instances::find;
use super::problem::Refused;
use super::state::Api;
use crate::access::token::{invalid, life};
use crate::access::{Caller, LONGEST_TICKET, NewTicket, OnceKey, Role};
use crate::nodes::LOG_AGENT;
use crate::ways::Way;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use common::api_types::Instance;
use common::ids::{AppId, InstanceId, NodeName};
use common::moment::Moment;
use common::printable::{acts, printable};
use common::serve::Problem;
use common::ticket::Right;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// How long a ticket lasts unless asked otherwise.
const LIVES: Duration = Duration::from_secs(900);
/// Longest glob, in bytes.
const LONGEST_GLOB: usize = 1024;

/// A ticket as it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedTicket {
    /// For all living instances of this app,
    #[serde(default)]
    #[schema(example = "video/api")]
    app: Option<String>,
    /// or for this instance, living or ended: its key, or its id where that is unique.
    #[serde(default)]
    instance: Option<String>,
    /// Which files beneath the log volumes: `*` and `?` stand for anything within a path segment, `**` for any segments.
    #[serde(default = "every_file")]
    #[schema(default = "**", max_length = 1024)]
    file: String,
    /// What may be done with them.
    #[serde(default = "both_rights")]
    #[schema(default = json!(["read", "download"]), min_items = 1, max_items = 2)]
    rights: Vec<Right>,
    /// For how long, 12 h at most; it ends with the caller's token or session at the latest.
    #[serde(default)]
    #[schema(default = "15m")]
    expires_in: Option<String>,
}

fn every_file() -> String {
    "**".to_owned()
}

fn both_rights() -> Vec<Right> {
    vec![Right::Read, Right::Download]
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeTicket {
    /// For all the instances: `Authorization: Bearer <this>`, to their log-agents.
    ticket: String,
    /// Its own name, as the audit log and `ticket_used` have it.
    id: String,
    /// When it is worth nothing any more.
    expires: Moment,
    /// The instances, by key.
    instances: Vec<Door>,
}

/// The way into one instance's logs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Door {
    /// The instance's id.
    instance: InstanceId,
    /// Its key.
    key: String,
    /// Where it runs, or ran.
    node: Option<NodeName>,
    /// The log-agent there, for programs; null if none is known.
    #[schema(example = "http://host-17:7002")]
    address: Option<String>,
    /// A ticket for this instance alone.
    ticket: String,
    /// A link for a person: the log-agent's page, with this instance's ticket behind `#`. Null if no log-agent is known.
    url: Option<String>,
    /// Why there is no link, or why it may not work; null if nothing is wrong.
    why: Option<String>,
}

/// Makes a ticket for the logs of an app or an instance.
#[utoipa::path(post, path = "/v1/tickets", tag = "access", operation_id = "create_ticket", request_body = AskedTicket,
    params(("Idempotency-Key" = Option<String>, Header, description = "Whoever sends the same again within a day gets 409 `already_done`")),
    responses(
        (status = 201, description = "The ticket and the links", body = MadeTicket),
        (status = 404, description = "`not_found`: no such app or instance, or not for this token"),
        (status = 409, description = "`no_instances`, `ambiguous_id`, `already_done`: nothing was made"),
        (status = 422, description = "`invalid_body`, `ticket_too_large`, `idempotency_key_reused`: the detail says what is wrong"),
    ))]
pub async fn make(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
    Written(asked): Written<AskedTicket>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let key = OnceKey::of(&headers)?;
    let (files, rights, lives) = checked(&asked)?;
    let (subject, instances) = match (asked.app, asked.instance) {
        (Some(app), None) => of_app(&api, &caller, app)?,
        (None, Some(name)) => {
            let instance = find(&api, &caller, &name).await?;
            (instance.key.clone(), vec![instance])
        }
        _ => return Err(invalid("give `app` or `instance`, one of both").into()),
    };
    let keys = instances.iter().map(|instance| instance.key.clone()).collect();
    let ticket = NewTicket { subject, instances: keys, files, rights, lives };
    let signed = api.access.make_ticket(&caller, ticket, key, Moment::now()).await?;
    let tickets = instances.iter().zip(signed.each);
    let doors = tickets.map(|(i, ticket)| door(api.ways.to(LOG_AGENT, i), i, ticket)).collect();
    let (ticket, id, expires) = (signed.ticket, signed.id, signed.expires);
    Ok(created(&MadeTicket { ticket, id, expires, instances: doors }))
}

fn checked(asked: &AskedTicket) -> Result<(String, Vec<Right>, Duration), Problem> {
    if !(1..=LONGEST_GLOB).contains(&asked.file.len()) || asked.file.contains(acts) {
        return Err(invalid(format!("`file` must be 1 to {LONGEST_GLOB} bytes of plain text")));
    }
    let mut rights = asked.rights.clone();
    rights.sort();
    rights.dedup();
    if rights.is_empty() {
        return Err(invalid("`rights` must have `read`, `download`, or both"));
    }
    let lives = asked.expires_in.as_deref().map(|text| life(text, LONGEST_TICKET)).transpose()?;
    Ok((asked.file.clone(), rights, lives.unwrap_or(LIVES)))
}

/// The living instances of an app, by key.
fn of_app(
    api: &Api,
    caller: &Caller,
    app: String,
) -> Result<(String, Vec<Arc<Instance>>), Refused> {
    let id = AppId::new(app);
    let found = api.centre.read(|world| {
        let there = caller.sees(&id) && world.app(&id).is_some();
        there.then(|| world.of_app(&id).cloned().collect::<Vec<_>>())
    });
    let shown = printable(id.as_str());
    match found {
        None => Err(Refused::not_found(format!("no app \"{shown}\"; /v1/apps lists them"))),
        Some(none) if none.is_empty() => {
            let detail = format!(
                "app \"{shown}\" has no living instances; /v1/instances?state=ended lists those that ended"
            );
            Err(Refused::new(StatusCode::CONFLICT, "no_instances", detail))
        }
        Some(instances) => Ok((id.as_str().to_owned(), instances)),
    }
}

/// The way in: where the log-agent of the instance's node listens.
fn door(way: Result<Way, String>, instance: &Instance, ticket: String) -> Door {
    let (address, why) = match way {
        Ok(Way { base, care }) => (Some(base), care),
        Err(why) => (None, Some(why)),
    };
    let key = encoded(&instance.key);
    let url = address.as_ref().map(|at| format!("{at}/#ticket={ticket}&instance={key}"));
    let (id, key, node) = (instance.id.clone(), instance.key.clone(), instance.node.clone());
    Door { instance: id, key, node, address, ticket, url, why }
}

/// Percent-encoded, but for what is plain in a fragment.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/') => {
                out.push(char::from(b));
            }
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;
