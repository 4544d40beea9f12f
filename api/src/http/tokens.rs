//! `/v1/tokens`: made, listed, revoked. For admins.

use super::access::created;
use super::extract::{Asked, Named, Nothing, Written};
use super::list::Place;
use super::problem::Refused;
use super::state::Api;
use crate::access::token::{NewToken, Token};
use crate::access::{Caller, OnceKey};
use crate::version::IfMatch;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use common::api_types::Page;
use common::moment::Moment;
use common::serve::json;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TokensQuery {
    /// Tokens on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$", max_length = 4096)]
    cursor: Option<String>,
}

/// A token with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeToken {
    /// The secret: `Authorization: Bearer <this>`. It is shown this once and not kept.
    #[schema(example = "qae_Zm9yIHRoZSBkb2N1bWVudGF0aW9uIG9ubHksIHNvcnJ5IQ")]
    token: String,
    #[serde(flatten)]
    what: Token,
}

/// The tokens, by name, without their secrets.
#[utoipa::path(get, path = "/v1/tokens", tag = "access", operation_id = "list_tokens", params(TokensQuery),
    responses((status = 200, description = "A page of tokens", body = Page<Token>)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<TokensQuery>,
) -> Result<Response, Refused> {
    let place = Place::of(asked.limit, asked.cursor.as_deref())?;
    let tokens = api.access.tokens(&caller).await?;
    Ok(json(&place.page(&tokens, |token| token.name.as_str(), |token| Token::clone(token))))
}

/// Makes a token.
#[utoipa::path(post, path = "/v1/tokens", tag = "access", operation_id = "create_token", request_body = NewToken,
    params(("Idempotency-Key" = Option<String>, Header, description = "Whoever sends the same again within a day gets 409 `already_done`")),
    responses(
        (status = 201, description = "The token with its secret", body = MadeToken, headers(("ETag" = String, description = "Its version, for If-Match"))),
        (status = 409, description = "`name_taken`, `already_done`, `too_many_tokens`: nothing was made"),
        (status = 422, description = "`invalid_body`, `idempotency_key_reused`: the detail says what is wrong"),
    ))]
pub async fn make(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
    Written(asked): Written<NewToken>,
) -> Result<Response, Refused> {
    let key = OnceKey::of(&headers)?;
    let made = api.access.make_token(&caller, asked, key, Moment::now()).await?;
    let version = made.token.version();
    let made = MadeToken { token: made.secret.reveal().to_owned(), what: made.token };
    Ok(version.tag(created(&made)))
}

/// One token, without its secret.
#[utoipa::path(get, path = "/v1/tokens/{name}", tag = "access", operation_id = "get_token",
    params(("name" = String, Path, description = "Its name", example = "ci")),
    responses((status = 200, description = "The token", body = Token, headers(("ETag" = String, description = "Its version, for If-Match")))))]
pub async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    let token = api.access.token(&caller, &name).await?;
    Ok(token.version().tag(json(&token)))
}

/// Revokes a token: its secret and its sessions are worth nothing from now on, and streams that were opened with them end.
#[utoipa::path(delete, path = "/v1/tokens/{name}", tag = "access", operation_id = "delete_token",
    params(("name" = String, Path, description = "Its name", example = "ci"), ("If-Match" = Option<String>, Header, description = "Only if this is its version")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 409, description = "`last_admin`: without it nobody could make another"),
    ))]
pub async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    wanted: IfMatch,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    api.access.revoke_token(&caller, &name, wanted, Moment::now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
