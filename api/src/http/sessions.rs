//! `/v1/sign-ins` and `/v1/sessions`: a browser signs in with a one-time code and has a cookie from then on.

use super::access::{Address, created};
use super::extract::{Asked, Nothing, Written};
use super::me::Me;
use super::problem::Refused;
use super::state::Api;
use crate::access::token::invalid;
use crate::access::{Caller, OnceKey, Secret, clear_cookie, set_cookie};
use axum::extract::State;
use axum::http::header::{HOST, SET_COOKIE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use common::moment::Moment;
use common::serve::json;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A sign-in as it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignIn {
    /// The token that the browser is to be signed in with; the caller's own if left out. Another's needs role admin.
    #[serde(default)]
    token_name: Option<String>,
}

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeSignIn {
    /// The code: it works once.
    code: String,
    /// The page's address with the code behind `#`, where no server and no log sees it.
    #[schema(
        example = "http://127.0.0.1:7000/#signin=qaec_Zm9yIHRoZSBkb2N1bWVudGF0aW9uIG9ubHksIHNvcnJ5IQ"
    )]
    url: String,
    /// The token it signs in with.
    token_name: String,
    /// When it is worth nothing any more.
    expires: Moment,
}

/// Makes a one-time code.
#[utoipa::path(post, path = "/v1/sign-ins", tag = "access", operation_id = "create_sign_in", request_body = NewSignIn,
    params(("Idempotency-Key" = Option<String>, Header, description = "Whoever sends the same again within a day gets 409 `already_done`")),
    responses(
        (status = 201, description = "The code and the link", body = MadeSignIn),
        (status = 404, description = "`not_found`: no such token"),
        (status = 409, description = "`too_many_codes`, `already_done`: nothing was made"),
    ))]
pub async fn sign_in(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
    Written(asked): Written<NewSignIn>,
) -> Result<Response, Refused> {
    let key = OnceKey::of(&headers)?;
    let made = api.access.make_sign_in(&caller, asked.token_name, key, Moment::now()).await?;
    let code = made.code.reveal().to_owned();
    let url = format!("{}/#signin={code}", base(&api, &headers));
    Ok(created(&MadeSignIn { code, url, token_name: made.token_name, expires: made.expires }))
}

/// This server, as the caller addresses it.
fn base(api: &Api, headers: &HeaderMap) -> String {
    let scheme = if secure(api) { "https" } else { "http" };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    match host.filter(|host| !host.as_str().contains('@')) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", api.config.server.listen),
    }
}

/// What a browser signs in with: one of both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// A one-time code.
    #[serde(default)]
    code: Option<String>,
    /// A token.
    #[serde(default)]
    token: Option<String>,
}

/// Signs a browser in: the answer sets the cookie `qae_session`.
#[utoipa::path(post, path = "/v1/sessions", tag = "access", operation_id = "create_session", request_body = NewSession, security(()),
    responses(
        (status = 200, description = "Signed in", body = Me, headers(("Set-Cookie" = String, description = "`qae_session`, for 12 h"))),
        (status = 401, description = "`code_unknown`, `token_unknown`, `token_expired`: not with this one"),
        (status = 403, description = "`role_needed`: a node's token signs nobody in"),
        (status = 429, description = "`too_many_failures`: too many wrong codes from this address; see `retry-after`"),
    ))]
pub async fn start(
    State(api): State<Arc<Api>>,
    Address(from): Address,
    Asked(Nothing {}): Asked<Nothing>,
    Written(asked): Written<NewSession>,
) -> Result<Response, Refused> {
    let text = match (asked.code, asked.token) {
        (Some(text), None) | (None, Some(text)) => text,
        _ => return Err(invalid("give `code` or `token`, one of both").into()),
    };
    let Some(secret) = Secret::parse(text.trim()) else {
        return Err(api.access.no_sign_in(from).into());
    };
    let signed_in = api.access.sign_in(&secret, from, Moment::now()).await?;
    let cookie = set_cookie(&signed_in.secret, signed_in.lives, secure(&api));
    with_cookie(json(&Me::of(&signed_in.caller)), &cookie)
}

/// Signs the browser out.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "access", operation_id = "delete_session",
    responses(
        (status = 204, description = "Signed out"),
        (status = 409, description = "`no_session`: the request came with a token"),
    ))]
pub async fn end(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    api.access.sign_out(&caller, Moment::now()).await?;
    with_cookie(StatusCode::NO_CONTENT.into_response(), &clear_cookie(secure(&api)))
}

/// Browsers are to send the cookie over TLS only, where there is any.
fn secure(api: &Api) -> bool {
    api.config.server.tls.is_some()
}

fn with_cookie(mut response: Response, cookie: &str) -> Result<Response, Refused> {
    let cookie = HeaderValue::from_str(cookie).map_err(|e| {
        let detail = format!("the cookie is no header: {e}");
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    })?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
