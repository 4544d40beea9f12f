//! `/v1/keys`: the public keys that tickets are checked with.

use super::access::created;
use super::extract::{Asked, Nothing};
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, OnceKey};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use common::moment::Moment;
use common::serve::json;
use common::ticket::PublicKeys;
use std::sync::Arc;

/// The keys: the one that signs now, then those whose tickets may still be valid. Whoever meets a ticket of another key asks again.
#[utoipa::path(get, path = "/v1/keys", tag = "access", operation_id = "list_keys",
    responses((status = 200, description = "The keys", body = PublicKeys)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    _: Caller,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    Ok(json(&PublicKeys { keys: api.access.public_keys(Moment::now()) }))
}

/// Signs with a new key from now on. Tickets that are out stay valid until they end. For admins.
#[utoipa::path(post, path = "/v1/keys", tag = "access", operation_id = "rotate_key",
    params(("Idempotency-Key" = Option<String>, Header, description = "Whoever sends the same again within a day gets 409 `already_done`")),
    responses(
        (status = 201, description = "The keys, the new one first", body = PublicKeys),
        (status = 409, description = "`too_many_keys`, `already_done`: nothing was changed"),
    ))]
pub async fn rotate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let key = OnceKey::of(&headers)?;
    let keys = api.access.rotate_key(&caller, key, Moment::now()).await?;
    Ok(created(&PublicKeys { keys }))
}
