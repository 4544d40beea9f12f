//! `/v1/snapshot`: the state at a cursor, rendered once for all who ask for the same.

use super::extract::Asked;
use super::problem::Refused;
use super::state::Api;
use super::topics::scope;
use crate::access::Caller;
use crate::snapshots::Error;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use common::api_types::Snapshot;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::IntoParams;

/// When to come back for one that is not to be had now.
const PAUSE: Duration = Duration::from_secs(3);
/// Header with the cursor to follow from.
const CURSOR: HeaderName = HeaderName::from_static("qae-cursor");

/// Parameters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SnapshotQuery {
    /// What of the state, separated by commas: `apps`, `instances:<app glob>`, `node:<name>`, `upstreams`, `all`; all that the token may
    /// read.
    #[param(
        pattern = "^(apps|upstreams|alerts|all|instances:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200}|node:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200})(,(apps|upstreams|alerts|all|instances:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200}|node:[^,:\\x00-\\x20\\x7f-\\x9f]{1,200})){0,9}$",
        example = "all"
    )]
    topics: Option<String>,
}

/// The state in scope, as of a cursor: follow `/v1/events` from there and nothing is missed.
#[utoipa::path(get, path = "/v1/snapshot", tag = "bus", operation_id = "snapshot",
    params(SnapshotQuery, ("If-None-Match" = Option<String>, Header, description = "The `ETag` of a copy")),
    responses(
        (status = 200, description = "The state", body = Snapshot, headers(
            ("ETag" = String, description = "The digest, in quotes"),
            ("qae-cursor" = String, description = "As in the body"),
        )),
        (status = 304, description = "The copy is still right; `qae-cursor` is where to follow from"),
        (status = 400, description = "`bad_query`, `bad_topic`: malformed"),
        (status = 403, description = "`topic_forbidden`: the token may not read this topic"),
    ))]
pub async fn snapshot(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<SnapshotQuery>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let scope = scope(&caller, asked.topics.as_deref())?;
    let rendered = api.snapshots.get(&scope).await.map_err(|e| refused(&e))?;
    let etag = format!("\"{}\"", rendered.digest);
    let mut response = Response::new(Body::empty());
    if has(&headers, IF_NONE_MATCH, |tag| tag == "*" || tag.trim_start_matches("W/") == etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if has(&headers, ACCEPT_ENCODING, accepts_gzip) {
        *response.body_mut() = Body::from(rendered.gzip.clone());
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    } else {
        *response.body_mut() = Body::from(rendered.json.clone());
    }
    let head = response.headers_mut();
    if let (Ok(etag), Ok(cursor)) = (etag.parse(), rendered.cursor.to_string().parse()) {
        head.insert(ETAG, etag);
        head.insert(CURSOR, cursor);
    }
    head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    head.insert(VARY, HeaderValue::from_static("accept-encoding, authorization, cookie"));
    Ok(response)
}

fn refused(error: &Error) -> Refused {
    let code = match error {
        Error::Busy => "too_many_snapshots",
        Error::Failed(_) => "snapshot_failed",
    };
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string()).after(PAUSE)
}

/// Whether one of a header's comma-separated values is such.
fn has(headers: &HeaderMap, name: HeaderName, such: impl Fn(&str) -> bool) -> bool {
    let all = headers.get_all(name);
    all.iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|v| such(v.trim()))
}

/// Whether `Accept-Encoding` takes gzip by this value: by name, and not with a weight of nothing.
fn accepts_gzip(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
    let none =
        |part: &str| part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
    gzip && !parts.any(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_by_name_and_weight() {
        for (value, taken) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, br", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(has(&headers, ACCEPT_ENCODING, accepts_gzip), taken, "{value}");
        }
    }
}
