//! `/v1/apps/{app}/logs/stream` and `/v1/instances/{instance}/logs/...`: live logs through the centre, for those who cannot reach the
//! nodes. As WebSocket the frames of docs/live-logs.md; else one frame a line (NDJSON), or text for `curl`.

mod answer;
mod described;

use super::extract::{Asked, Named};
use super::instances::find;
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Denied, Role, is_own_page};
use crate::relay::{Full, Given, Members, Wanted};
use crate::store::history;
use answer::Way;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use common::api_types::live::LogFile;
use common::api_types::{Instance, InstanceState, Page};
use common::ids::AppId;
use common::moment::Moment;
use common::printable::printable;
use common::serve::Problem;
use described::Streamed;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::IntoParams;

/// Most ended instances that are added to an app's stream: the latest.
const ENDED: usize = 16;

/// Parameters of a stream.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// A file's name, or a glob: `*` and `?` within a path segment, `**` for any segments; every file without it.
    #[param(example = "*.log")]
    file: Option<String>,
    /// How many lines before now, of each file; with `grep`, of those that fit.
    #[param(minimum = 0, maximum = 100_000, default = 200)]
    lines: Option<u32>,
    /// A regular expression that lines must fit.
    #[param(max_length = 1024)]
    grep: Option<String>,
    /// 1: the lines that do not fit.
    #[param(minimum = 0, maximum = 1, default = 0)]
    invert: Option<u8>,
    /// 0: small and capital letters are the same.
    #[param(minimum = 0, maximum = 1, default = 1)]
    case: Option<u8>,
    /// 0: what there is now, and no more.
    #[param(minimum = 0, maximum = 1, default = 1)]
    follow: Option<u8>,
    /// Of an app, 1: the instances that ended lately, too, as long as their nodes keep the files.
    #[param(minimum = 0, maximum = 1, default = 0)]
    ended: Option<u8>,
    /// As text, 1: lines as they are. Without, what would act on a terminal is shown, except colours.
    #[param(minimum = 0, maximum = 1, default = 0)]
    raw: Option<u8>,
}

/// Parameters of a list of files.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilesQuery {
    /// Files on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// The lines of all instances of an app, merged as they come: WebSocket (subprotocol `qae.logs.1`), with `Accept: application/x-ndjson`
/// one frame a line, else text. Instances join and leave while it runs.
#[utoipa::path(get, path = "/v1/apps/{app}/logs/stream", tag = "logs", operation_id = "stream_app_logs",
    params(("app" = String, Path, description = "Its id, percent-encoded", example = "video%2Fapi"), LogsQuery),
    responses(Streamed))]
pub async fn of_app(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(app): Named<String>,
    Asked(asked): Asked<LogsQuery>,
    headers: HeaderMap,
    way: Way,
) -> Result<Response, Refused> {
    let members = async {
        let id = AppId::new(app);
        let ended = match asked.ended {
            Some(1) => ended(&api, &caller, &id).await?,
            _ => Vec::new(),
        };
        let known = api.centre.read(|world| world.app(&id).is_some()) || !ended.is_empty();
        if !caller.sees(&id) || !known {
            let shown = printable(id.as_str());
            return Err(Refused::not_found(format!("no app \"{shown}\"; /v1/apps lists them")));
        }
        Ok((id.as_str().to_owned(), Members::App(id, ended)))
    };
    stream(&api, &caller, members, &asked, &headers, way).await
}

/// The lines of one instance, living or ended; as those of an app.
#[utoipa::path(get, path = "/v1/instances/{instance}/logs/stream", tag = "logs", operation_id = "stream_instance_logs",
    params(("instance" = String, Path, description = "Its key or id, percent-encoded", example = "local%2Fhost-17%2F8fda0a1b9bc8"), LogsQuery),
    responses(
        Streamed,
        (status = 409, description = "`ambiguous_id`: several living instances have this id; the detail has their keys"),
    ))]
pub async fn of_instance(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    Asked(asked): Asked<LogsQuery>,
    headers: HeaderMap,
    way: Way,
) -> Result<Response, Refused> {
    let members = async {
        let instance = find(&api, &caller, &name).await?;
        Ok((instance.key.clone(), Members::One(instance)))
    };
    stream(&api, &caller, members, &asked, &headers, way).await
}

/// The log files of an instance, by name, as its node's log-agent lists them.
#[utoipa::path(get, path = "/v1/instances/{instance}/logs/files", tag = "logs", operation_id = "list_log_files",
    params(("instance" = String, Path, description = "Its key or id, percent-encoded", example = "local%2Fhost-17%2F8fda0a1b9bc8"), FilesQuery),
    responses(
        (status = 200, description = "A page of files", body = Page<LogFile>),
        (status = 409, description = "`ambiguous_id`: several living instances have this id; the detail has their keys"),
        (status = 502, description = "`log_agent_unavailable`: the node's log-agent does not answer; the detail says why"),
    ))]
pub async fn files(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    Asked(asked): Asked<FilesQuery>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let instance = find(&api, &caller, &name).await?;
    let away = |why: String| Refused::new(StatusCode::BAD_GATEWAY, "log_agent_unavailable", why);
    let query = page(&asked);
    let answer = api.relay.files(&caller, &instance, &query).await.map_err(away)?;
    match serde_json::from_slice::<Page<LogFile>>(&answer.body) {
        Ok(page) if answer.is_success() => Ok(common::serve::json(&page)),
        _ => Err(refused(&answer)),
    }
}

fn page(asked: &FilesQuery) -> String {
    let mut query = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
    query.append_pair("limit", &asked.limit.unwrap_or(100).clamp(1, 1_000).to_string());
    if let Some(cursor) = &asked.cursor {
        query.append_pair("cursor", cursor);
    }
    query.finish()
}

/// What the log-agent says instead of a list.
fn refused(answer: &common::http::Response) -> Refused {
    match (answer.status, serde_json::from_slice::<Problem>(&answer.body)) {
        (404, Ok(problem)) => Refused::not_found(printable(&problem.detail)),
        (400, Ok(problem)) => Refused::bad_query(printable(&problem.detail)),
        (status, Ok(problem)) => Refused::new(
            StatusCode::BAD_GATEWAY,
            "log_agent_unavailable",
            format!("the log-agent answered {status}: {}", printable(&problem.detail)),
        ),
        (status, Err(_)) => Refused::new(
            StatusCode::BAD_GATEWAY,
            "log_agent_unavailable",
            format!("the log-agent answered {status}, and nothing that can be read"),
        ),
    }
}

/// Opens a stream once everything about the question is known to be right.
async fn stream(
    api: &Arc<Api>,
    caller: &Caller,
    members: impl Future<Output = Result<(String, Members), Refused>>,
    asked: &LogsQuery,
    headers: &HeaderMap,
    way: Way,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    // a browser sends the cookie along with any page's WebSocket
    if way.is_socket() && caller.session().is_some() && !is_own_page(headers) {
        return Err(Denied::ForeignPage.into());
    }
    for (name, value) in [("ended", asked.ended), ("raw", asked.raw)] {
        if value.is_some_and(|value| value > 1) {
            return Err(Refused::bad_query(format!("{name}: must be 0 or 1")));
        }
    }
    let given = Given {
        file: asked.file.clone(),
        lines: asked.lines,
        grep: asked.grep.clone(),
        invert: asked.invert,
        case: asked.case,
        follow: asked.follow,
    };
    let wanted = Wanted::of(given).map_err(Refused::bad_query)?;
    let (subject, members) = members.await?;
    let stream = api.relay.open(caller, members, wanted).map_err(|full| taken(&full))?;
    api.access.relays(caller, &subject, Moment::now()).await?;
    Ok(way.answer(stream, asked.raw == Some(1)))
}

fn taken(full: &Full) -> Refused {
    Refused::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", full.to_string())
        .after(Duration::from_secs(10))
}

/// The latest ends of an app.
async fn ended(api: &Api, caller: &Caller, app: &AppId) -> Result<Vec<Arc<Instance>>, Refused> {
    let wanted = history::Asked {
        app: Some(app.as_str().to_owned()),
        state: history::Which::State(InstanceState::Ended),
        limit: ENDED,
        ..history::Asked::default()
    };
    let found = history::history(api.centre.store(), &wanted, |i| caller.sees(&i.app)).await;
    let found = found.map_err(|e| Refused::store(&e))?;
    // the oldest first, as lines are
    Ok(found.items.into_iter().rev().map(Arc::new).collect())
}

/// What every streaming answer says of itself.
fn head(mut response: Response, kind: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    // nginx and its like hold answers back unless told otherwise
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn body(stream: axum::body::Body, kind: &'static str) -> Response {
    head(stream.into_response(), kind)
}
