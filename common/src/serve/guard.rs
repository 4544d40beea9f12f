//! What stands before every route: whom the request is addressed to, how much it brings, how long it may take, and a problem for
//! whatever has no route.

use super::{Counts, Limits, Problem, count};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, HOST, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::time::timeout;

#[derive(Clone)]
struct Guard {
    listen: SocketAddr,
    limits: Limits,
    counts: Arc<Counts>,
}

/// The router with its guard and its fallbacks.
pub(super) fn dress(
    router: Router,
    listen: SocketAddr,
    limits: Limits,
    counts: Arc<Counts>,
) -> Router {
    router
        .fallback(
            |uri: Uri| async move { Problem::not_found(format!("nothing at {}", uri.path())) },
        )
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path has no such method; see the allow header",
            )
        })
        .layer(from_fn_with_state(Guard { listen, limits, counts }, pass))
}

async fn pass(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.admit(&request) {
        Err(problem) => problem.into_response(),
        Ok(()) => {
            let request =
                request.map(|body| Body::new(Limited::new(body, guard.limits.body_bytes)));
            timeout(guard.limits.request, next.run(request)).await.unwrap_or_else(|_| {
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too_slow",
                    "no answer in time, try again",
                )
                .into_response()
            })
        }
    };
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let class = usize::from(response.status().as_u16() / 100);
    if let Some(answers) = guard.counts.answers.get(class.saturating_sub(1)) {
        count(answers);
    }
    response
}

impl Guard {
    fn admit(&self, request: &Request) -> Result<(), Problem> {
        let length = header(request.headers(), &CONTENT_LENGTH)?.and_then(|v| v.parse().ok());
        if length.is_some_and(|bytes: u64| bytes > self.limits.body_bytes as u64) {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("the body may have {} bytes", self.limits.body_bytes),
            ));
        }
        // an absolute URI (as sent to proxies) overrules the header, RFC 9112 section 3.2.2
        let host = match request.uri().authority() {
            Some(authority) => Some(authority.as_str()),
            None => header(request.headers(), &HOST)?,
        };
        match host {
            Some(host) if is_addressed(self.listen, host) => Ok(()),
            // browsers always send it; a probe by hand in HTTP/1.0 need not
            None if request.version() < Version::HTTP_11 => Ok(()),
            None => Err(Problem::bad_request("the host header is missing")),
            Some(_) => Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                format!("this listens for this machine only; address it as {}", self.listen),
            )),
        }
    }
}

/// A header that may come once.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(Problem::bad_request(format!("the {name} header is not one plain text"))),
    }
}

/// Whether a request for `host` may be for this listener: on loopback only loopback names and the listener's own address, else
/// anything, since nobody knows by what names others reach this machine.
fn is_addressed(listen: SocketAddr, host: &str) -> bool {
    if !listen.ip().is_loopback() {
        return true;
    }
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == listen.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_listener_answers_to_loopback_names_only() {
        let listen: SocketAddr = "127.0.0.1:7001".parse().unwrap();
        for good in [
            "127.0.0.1:7001",
            "127.0.0.1",
            "localhost:7001",
            "LOCALHOST",
            "[::1]:7001",
            "127.1.2.3",
        ] {
            assert!(is_addressed(listen, good), "{good}");
        }
        for bad in [
            "evil.example:7001",
            "",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "10.0.0.1",
            "a b",
            "[::1",
        ] {
            assert!(!is_addressed(listen, bad), "{bad}");
        }
        assert!(is_addressed("0.0.0.0:7001".parse().unwrap(), "host-17.dc1:7001"));
        assert!(is_addressed("10.1.2.3:7001".parse().unwrap(), "host-17"));
    }
}
