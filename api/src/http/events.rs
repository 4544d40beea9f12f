//! `/v1/events`: the bus as Server-Sent Events, and its past as a list.

mod stream;
mod timeline;

use super::extract::Asked;
use super::problem::Refused;
use super::state::Api;
use crate::access::Caller;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::Response;
use common::api_types::{Event, Page};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Parameters: `topics` and `after` of the stream, the others of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Stream: what to hear of, separated by commas; all that the token may read.
    #[param(
        pattern = "^(apps|upstreams|alerts|all|instances:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200}|node:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200})(,(apps|upstreams|alerts|all|instances:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200}|node:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200})){0,9}$",
        example = "all"
    )]
    topics: Option<String>,
    /// Stream: go on after this event, `epoch:seq`; from now without it. The header `Last-Event-ID` comes first.
    #[param(pattern = "^[A-Za-z0-9]{1,32}:[0-9]{1,18}$", example = "9f3c2a7d51e04b86:4711")]
    after: Option<String>,
    /// List: only these types, separated by commas.
    #[serde(rename = "type")]
    #[param(rename = "type", example = "oom_killed,instance_gone")]
    kind: Option<String>,
    /// List: only what is about this app or its instances.
    app: Option<String>,
    /// List: only what is about this node or the instances on it.
    node: Option<String>,
    /// List: only what is about this entity.
    subject: Option<String>,
    /// List: only what this one made.
    #[param(example = "user:admin")]
    actor: Option<String>,
    /// List: not before this; RFC 3339, Unix seconds, or a time ago.
    #[param(
        example = "-1h",
        pattern = "^(-[1-9][0-9]{0,5}(s|m|h|days)|[0-9]{1,10}|[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$"
    )]
    since: Option<String>,
    /// List: before this.
    #[param(
        pattern = "^(-[1-9][0-9]{0,5}(s|m|h|days)|[0-9]{1,10}|[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$"
    )]
    until: Option<String>,
    /// List: events on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// List: `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
}

impl EventsQuery {
    /// The stream's parameters, if it has any.
    fn of_stream(&self) -> Option<&'static str> {
        [("topics", self.topics.is_some()), ("after", self.after.is_some())]
            .into_iter()
            .find_map(|(name, given)| given.then_some(name))
    }

    /// The list's parameters, if it has any.
    fn of_list(&self) -> Option<&'static str> {
        [
            ("type", self.kind.is_some()),
            ("app", self.app.is_some()),
            ("node", self.node.is_some()),
            ("subject", self.subject.is_some()),
            ("actor", self.actor.is_some()),
            ("since", self.since.is_some()),
            ("until", self.until.is_some()),
            ("limit", self.limit.is_some()),
            ("cursor", self.cursor.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }
}

/// What changed. As a stream (`Accept: text/event-stream`, or a parameter `topics` or `after`): every event after a cursor, then each as
/// it happens, a heartbeat every 15 s, and `event: closed` with a reason before the server ends it. Else the past as a list, the latest
/// first.
#[utoipa::path(get, path = "/v1/events", tag = "bus", operation_id = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Stream: the last `id` seen; browsers send it when they come back")),
    responses(
        (status = 200, description = "The stream, or a page of events", content((Page<Event> = "application/json"), (String = "text/event-stream"))),
        (status = 400, description = "`bad_query`, `bad_topic`, `bad_cursor`: malformed"),
        (status = 403, description = "`topic_forbidden`, `role_needed`: the token does not reach so far"),
        (status = 410, description = "`cursor_too_old`, `epoch_changed`, `cursor_ahead`: there is no going on from there; take a snapshot"),
    ))]
pub async fn events(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let streams = asked.of_stream().is_some() || accepts_stream(&headers);
    if !streams {
        return timeline::page(&api, &caller, &asked).await;
    }
    if let Some(name) = asked.of_list() {
        let detail = format!("{name}: belongs to the list of past events, not to the stream");
        return Err(Refused::bad_query(detail));
    }
    stream::stream(&api, caller, &asked, &headers).await
}

fn accepts_stream(headers: &HeaderMap) -> bool {
    let all = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("text/event-stream")
    })
}
