//! `/v1/me`: who is asking.

use super::extract::{Asked, Nothing};
use super::problem::Refused;
use crate::access::{Caller, Role};
use axum::response::Response;
use common::api_types::Topic;
use common::ids::NodeName;
use common::moment::Moment;
use common::serve::json;
use serde::Serialize;
use utoipa::ToSchema;

/// Who is asking, and what that one may.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The token's name.
    name: String,
    /// As events and the audit log say it: `user:<token name>` or `node:<name>`.
    actor: String,
    /// What the token may do.
    role: Role,
    /// The apps it may see, as globs.
    apps: Vec<String>,
    /// The node whose agents hold it.
    node: Option<NodeName>,
    /// The only topics it may read; null for any.
    #[schema(value_type = Option<Vec<String>>)]
    topics: Option<Vec<Topic>>,
    /// When the token or the session ends; null for never.
    expires: Option<Moment>,
    /// Signed in by cookie.
    session: bool,
}

impl Me {
    /// Of this caller.
    pub fn of(caller: &Caller) -> Self {
        Self {
            name: caller.name.clone(),
            actor: caller.actor.clone(),
            role: caller.role,
            apps: caller.token.apps.clone(),
            node: caller.node.clone(),
            topics: caller.topics.clone(),
            expires: caller.ends(),
            session: caller.session().is_some(),
        }
    }
}

/// Who is asking, and what that one may.
#[utoipa::path(get, path = "/v1/me", tag = "access", operation_id = "get_me",
    responses((status = 200, description = "You", body = Me)))]
pub async fn me(caller: Caller, Asked(Nothing {}): Asked<Nothing>) -> Result<Response, Refused> {
    Ok(json(&Me::of(&caller)))
}
