//! `/v1/nodes`: hosts and their agents; one that will not come back is deleted.

use super::extract::{Asked, Named, Nothing};
use super::list::Place;
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Role};
use crate::nodes::{ForgetError, version};
use crate::version::IfMatch;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use common::api_types::{NodeStatus, Page};
use common::ids::NodeName;
use common::moment::Moment;
use common::printable::printable;
use common::serve::json;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NodesQuery {
    /// Only nodes of this data centre.
    dc: Option<String>,
    /// Only nodes that are silent, or only those that are not.
    silent: Option<bool>,
    /// Nodes on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$", max_length = 4096)]
    cursor: Option<String>,
}

/// The nodes, by name.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", operation_id = "list_nodes", params(NodesQuery),
    responses((status = 200, description = "A page of nodes", body = Page<NodeStatus>)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<NodesQuery>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let place = Place::of(asked.limit, asked.cursor.as_deref())?;
    let all = api.nodes.statuses();
    let wanted = all.iter().filter(|status| {
        asked.dc.as_ref().is_none_or(|dc| status.node.dc == *dc)
            && asked.silent.is_none_or(|silent| status.silent == silent)
    });
    Ok(json(&place.page(wanted, |s| s.node.name.as_str(), |s| NodeStatus::clone(s))))
}

/// One node.
#[utoipa::path(get, path = "/v1/nodes/{node}", tag = "nodes", operation_id = "get_node",
    params(("node" = String, Path, description = "Its name, percent-encoded", example = "host-17")),
    responses((status = 200, description = "The node", body = NodeStatus, headers(("ETag" = String, description = "Its version, for If-Match: another one with every report")))))]
pub async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(node): Named<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    let name = NodeName::new(node);
    // a node's agents may ask for their own
    if caller.node.as_ref() != Some(&name) {
        caller.need(Role::Viewer)?;
    }
    match api.nodes.status(&name) {
        Some(status) => Ok(version(&status).tag(json(&status))),
        None => Err(missing(&name)),
    }
}

fn missing(name: &NodeName) -> Refused {
    let name = printable(name.as_str());
    Refused::not_found(format!("no node \"{name}\"; /v1/nodes lists them"))
}

/// Deletes a node that will not come back, all of whose agents are silent; what it alone spoke for ends. For admins.
#[utoipa::path(delete, path = "/v1/nodes/{node}", tag = "nodes", operation_id = "delete_node",
    params(("node" = String, Path, description = "Its name, percent-encoded", example = "host-17"),
        ("If-Match" = Option<String>, Header, description = "Only if this is its version")),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = 409, description = "`node_reports`: an agent of it still reports"),
    ))]
pub async fn forget(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(node): Named<String>,
    wanted: IfMatch,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    caller.need(Role::Admin)?;
    let name = NodeName::new(node);
    match api.nodes.forget(&name, caller.by(), &wanted, Moment::now()).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(ForgetError::Unknown) => Err(missing(&name)),
        Err(e @ ForgetError::Reports) => {
            let detail = format!("node \"{}\": {e}", printable(name.as_str()));
            Err(Refused::new(StatusCode::CONFLICT, "node_reports", detail))
        }
        Err(ForgetError::Changed(problem)) => Err(problem.into()),
        Err(ForgetError::Store(e)) => Err(e.into()),
        Err(ForgetError::Centre(e)) => Err(Refused::store(&e)),
    }
}
