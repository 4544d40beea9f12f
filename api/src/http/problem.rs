//! What the centre says when it cannot answer: [`Problem`] and the headers that belong to some of them. Pure.
//!
//! Codes are for programs and are never changed once published; docs/api.md lists them.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use common::serve::Problem;
use std::time::Duration;

/// A refusal with its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    problem: Problem,
    retry_after: Option<Duration>,
}

impl Refused {
    /// See [`Problem::new`].
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Problem::new(status, code, detail).into()
    }

    /// Try again after so long, in whole seconds upwards.
    #[must_use]
    pub fn after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    /// 400 `bad_query`: a parameter is unknown, repeated, or has a wrong value.
    pub fn bad_query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_query", detail)
    }

    /// 422 `invalid_body`: the body is JSON, but not what is wanted here.
    pub fn invalid_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail)
    }

    /// 404 `not_found`. What the asker may not see is not there for it either.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Problem::not_found(detail).into()
    }

    /// 503 `store_unavailable`: nothing was changed.
    pub fn store(error: &dyn std::fmt::Display) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_unavailable",
            format!("{error}; nothing was changed, try again"),
        )
        .after(Duration::from_secs(2))
    }

    /// What a program branches on.
    pub fn code(&self) -> &str {
        &self.problem.code
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, retry_after: None }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.problem.status;
        let mut response = self.problem.into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"qae\""));
        }
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_that_belong_to_a_status() {
        let busy = Refused::store(&"disk full").after(Duration::from_millis(1_200)).into_response();
        assert_eq!(busy.status(), 503);
        assert_eq!(busy.headers()[RETRY_AFTER], "2");
        let stranger =
            Refused::new(StatusCode::UNAUTHORIZED, "no_token", "who are you").into_response();
        assert_eq!(stranger.headers()[WWW_AUTHENTICATE], "Bearer realm=\"qae\"");
        assert!(Refused::not_found("x").into_response().headers().get(RETRY_AFTER).is_none());
    }
}
