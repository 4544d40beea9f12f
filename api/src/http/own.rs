//! The daemon itself: `/healthz`, `/readyz`, `/metrics`, `/openapi.json`.

use super::caller::Local;
use super::figures;
use super::problem::Refused;
use super::state::Api;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use common::exposition::{self, Exposition};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How old the pulse may be before the daemon counts as stuck. Also the watchdog's measure.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whether the daemon moves.
#[utoipa::path(get, path = "/healthz", tag = "daemon", operation_id = "healthz", security(()),
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain", example = "ok"),
        (status = 503, description = "`stuck`: it does not"),
    ))]
pub async fn healthz(State(api): State<Arc<Api>>) -> Result<Response, Refused> {
    match stuck(&api) {
        None => Ok("ok\n".into_response()),
        Some(why) => Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "stuck", why)),
    }
}

/// Whether it can answer and take changes.
#[utoipa::path(get, path = "/readyz", tag = "daemon", operation_id = "readyz", security(()),
    responses(
        (status = 200, description = "It can", body = String, content_type = "text/plain", example = "ok"),
        (status = 503, description = "`stuck`, `not_ready`: it cannot; the detail says why"),
    ))]
pub async fn readyz(State(api): State<Arc<Api>>) -> Result<Response, Refused> {
    if let Some(why) = stuck(&api) {
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "stuck", why));
    }
    match api.centre.healthy() {
        Ok(()) => Ok("ok\n".into_response()),
        Err(why) => Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why)),
    }
}

fn stuck(api: &Api) -> Option<String> {
    let age = api.pulse.age();
    (age > LONGEST_PAUSE).then(|| format!("no progress for {} s; see the log", age.as_secs()))
}

/// The daemon's figures for Prometheus. From this machine nobody is asked who they are; from elsewhere a token is needed.
#[utoipa::path(get, path = "/metrics", tag = "daemon", operation_id = "metrics", security((), ("token" = []), ("session" = [])),
    responses((status = 200, description = "Prometheus text, version 0.0.4", body = String, content_type = "text/plain")))]
pub async fn metrics(State(api): State<Arc<Api>>, _: Local) -> Response {
    let mut out = Exposition::default();
    figures::fill(&mut out, &api);
    let pieces = stream::iter(out.pieces().map(Ok::<_, Infallible>));
    ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], Body::from_stream(pieces)).into_response()
}
