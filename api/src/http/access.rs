//! What the routes of access share: where a request comes from, answers with a secret, refusals.

use super::caller::peer;
use super::problem::Refused;
use crate::access::Error;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use common::serve::json;
use serde::Serialize;
use std::convert::Infallible;
use std::net::IpAddr;

/// Where the request comes from.
#[derive(Debug, Clone, Copy)]
pub struct Address(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(peer(parts)))
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(problem) => problem.into(),
            Error::Denied(denied) => denied.into(),
            Error::Store(error) => Self::store(&error),
            // of this host, and nothing a client could do about
            error @ (Error::Signing(_) | Error::Random(_) | Error::File { .. }) => {
                tracing::error!("access: {error}");
                let detail = "something is wrong with this server; its log says what";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
        }
    }
}

/// 201 with what was made. Like every answer in JSON it is kept by no cache, for it may hold a secret.
pub fn created(made: &impl Serialize) -> Response {
    let mut response = json(made);
    *response.status_mut() = StatusCode::CREATED;
    response
}
