//! `/v1/nodes`: hosts and their agents.

use super::extract::{Asked, Named, Nothing};
use super::list::Place;
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Role};
use axum::extract::State;
use axum::response::Response;
use common::api_types::{NodeStatus, Page};
use common::ids::NodeName;
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
    responses((status = 200, description = "The node", body = NodeStatus)))]
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
        Some(status) => Ok(json(&status)),
        None => Err(Refused::not_found(format!(
            "no node \"{}\"; /v1/nodes lists them",
            printable(name.as_str())
        ))),
    }
}
