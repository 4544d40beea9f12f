//! What every daemon says when it cannot answer: RFC 9457 `application/problem+json`, with a `code` for programs and a sentence for
//! people. Pure.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// A refusal. On the wire: `{"title","status","code","detail"}`; `type` is left out, which means `about:blank`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The status in words.
    pub title: String,
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// What a program branches on; snake_case, never changed once published.
    pub code: String,
    /// What is wrong here and what to do.
    pub detail: String,
}

impl Problem {
    /// `code` is snake_case; `detail` a sentence without full stop.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { title, status: status.as_u16(), code: code.to_owned(), detail: detail.into() }
    }

    /// 404 `not_found`.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 400 `bad_request`.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        body(status, "application/problem+json", &self)
    }
}

/// A success as JSON, ended by a newline for those who read it in a terminal.
pub fn json(value: &impl Serialize) -> Response {
    body(StatusCode::OK, "application/json", value)
}

/// An agent's `/healthz` and `/readyz`: `ok`, or 503 with the code and why it is not.
pub fn health(code: &'static str, ill: Option<String>) -> Response {
    match ill {
        None => "ok\n".into_response(),
        Some(why) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why).into_response(),
    }
}

fn body(status: StatusCode, kind: &'static str, value: &impl Serialize) -> Response {
    let Ok(mut text) = serde_json::to_vec(value) else {
        // only a map with keys that are no strings gets here, which is a bug of the caller
        tracing::error!("an answer could not be printed as JSON");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    text.push(b'\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// For a client without a place, which therefore gets no router: the whole answer, as it goes over the wire.
pub(super) fn too_many_connections() -> String {
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too_many_connections",
        "all connections are in use, try again in a second",
    );
    let body = serde_json::to_string(&problem).unwrap_or_default();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
