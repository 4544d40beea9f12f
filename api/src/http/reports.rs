//! `PUT /v1/nodes/{node}/agents/{agent}`: an agent tells how it is and what it knows (`common::api_types::Report`).

use super::extract::{Asked, Named, Nothing, parse, unread};
use super::problem::Refused;
use super::state::Api;
use crate::access::Caller;
use crate::nodes::ReportError;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use common::api_types::{HEADER_DIGEST, HEADER_RUN, Report};
use common::ids::{Cursor, NodeName};
use common::printable::printable;
use common::serve::json;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What a report is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Taken {
    /// The centre's state after it, as far as it is known: what to follow the bus from.
    pub cursor: Cursor,
    /// When the next report is wanted, at the latest.
    pub every_seconds: u64,
}

/// Takes a report: the whole state of an agent under its digest, or only the digest with an empty body if nothing changed.
#[utoipa::path(put, path = "/v1/nodes/{node}/agents/{agent}", tag = "nodes", operation_id = "report",
    params(
        ("node" = String, Path, description = "The node, percent-encoded", example = "host-17"),
        ("agent" = String, Path, description = "`dadvisor`, `log-agent` or `nginx-agent`", example = "dadvisor"),
        ("qae-digest" = String, Header, pattern = "^[0-9a-f]{64}$", description = "SHA-256 of the report's JSON, keys sorted, compact, in hex"),
        ("qae-run" = String, Header, pattern = "^[a-z0-9]{1,32}\\.[1-9][0-9]{0,12}\\.[a-z0-9]{1,32}$", description = "Names the process: `<host>.<start in Unix ms>.<random>`"),
    ),
    request_body(content = Report, description = "The report; empty if the digest is that of the report before"),
    responses(
        (status = 200, description = "It was taken", body = Taken),
        (status = 400, description = "`bad_node`, `bad_agent`, `bad_run`, `bad_digest`, `bad_json`: malformed"),
        (status = 403, description = "`not_this_node`: the token is not this node's"),
        (status = 409, description = "`digest_unknown`: send the whole report; `node_claimed`: another host reports as this node; `too_many`: no more nodes or agents are taken"),
    ))]
pub async fn report(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((node, agent)): Named<(String, String)>,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    let node = NodeName::new(node);
    caller.may_report(&node)?;
    let (digest, run) = (header(&headers, HEADER_DIGEST), header(&headers, HEADER_RUN));
    let body = body.map_err(|e| unread(&e))?;
    let report = if body.is_empty() { None } else { Some(parse(&headers, &body)?) };
    let accepted = api.nodes.report(&node, &agent, run, digest, report).await;
    let accepted = accepted.map_err(|e| refused(&e))?;
    Ok(json(&Taken { cursor: accepted.cursor, every_seconds: accepted.every.as_secs() }))
}

/// A header that must be there; the nodes say what is wrong with an empty one.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refused(error: &ReportError) -> Refused {
    let status = match error {
        ReportError::DigestUnknown | ReportError::NodeClaimed { .. } => StatusCode::CONFLICT,
        ReportError::Nodes | ReportError::Agents(_) => StatusCode::CONFLICT,
        ReportError::Node(_) | ReportError::Agent(_) | ReportError::Run | ReportError::Digest => {
            StatusCode::BAD_REQUEST
        }
        ReportError::Report { .. } | ReportError::Containers(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ReportError::Centre(_) | ReportError::Stopping => return Refused::store(error),
    };
    Refused::new(status, error.code(), printable(&error.to_string()))
}
