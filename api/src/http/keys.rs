//! `/v1/keys`: the public keys that tickets are checked with.

use super::access::created;
use super::extract::{Asked, Nothing};
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, OnceKey, version_of_keys};
use crate::version::IfMatch;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use common::moment::Moment;
use common::serve::json;
use common::ticket::PublicKeys;
use std::sync::Arc;

/// The keys: the one that signs now, then those whose tickets may still be valid. Whoever meets a ticket of another key asks again.
#[utoipa::path(get, path = "/v1/keys", tag = "access", operation_id = "list_keys",
    responses((status = 200, description = "The keys", body = PublicKeys, headers(("ETag" = String, description = "The version of the list, for If-Match")))))]
pub async fn list(
    State(api): State<Arc<Api>>,
    _: Caller,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    let keys = api.access.public_keys(Moment::now());
    Ok(version_of_keys(&keys).tag(json(&PublicKeys { keys })))
}

/// Signs with a new key from now on. Tickets that are out stay valid until they end. For admins.
#[utoipa::path(post, path = "/v1/keys", tag = "access", operation_id = "rotate_key",
    params(("Idempotency-Key" = Option<String>, Header, description = "Whoever sends the same again within a day gets 409 `already_done`"),
        ("If-Match" = Option<String>, Header, description = "Only if this is the version of the list")),
    responses(
        (status = 201, description = "The keys, the new one first", body = PublicKeys, headers(("ETag" = String, description = "The version of the list, for If-Match"))),
        (status = 409, description = "`too_many_keys`, `already_done`: nothing was changed"),
    ))]
pub async fn rotate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
    wanted: IfMatch,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let key = OnceKey::of(&headers)?;
    let keys = api.access.rotate_key(&caller, key, wanted, Moment::now()).await?;
    Ok(version_of_keys(&keys).tag(created(&PublicKeys { keys })))
}
