//! `/v1/clusters`: the schedulers, and how following them goes.

use super::extract::{Asked, Nothing};
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Role};
use crate::config::Kind;
use crate::reconcile::Clusters;
use crate::schedulers::marathon::status::{Phase, Status};
use axum::extract::State;
use axum::response::Response;
use common::api_types::{NodeStatus, Page};
use common::moment::Moment;
use common::serve::json;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::ToSchema;

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cluster {
    /// Its name, first part of the keys of its instances.
    pub name: String,
    /// Data centre.
    pub dc: String,
    /// `docker` or `marathon`.
    #[schema(value_type = String, example = "marathon")]
    pub kind: Kind,
    /// `following`: what is known of it is current; `away`: what is known is the last that was heard; `unknown`: nothing was heard yet;
    /// `elsewhere`: another process of the API follows it.
    #[schema(value_type = String, example = "following")]
    pub state: Phase,
    /// What there is to say about the state; empty if nothing.
    pub detail: String,
    /// When it was last heard of.
    pub last_seen: Option<Moment>,
    /// The scheduler's version.
    pub version: Option<String>,
    /// Address of the scheduler's leader.
    pub leader: Option<String>,
}

/// The clusters, by name: those that are configured, and `local` where plain containers have no other.
#[utoipa::path(get, path = "/v1/clusters", tag = "nodes", operation_id = "list_clusters",
    responses((status = 200, description = "All clusters, on one page", body = Page<Cluster>)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let mut all: Vec<Cluster> = api.marathons.status().into_iter().map(followed).collect();
    let nodes = api.nodes.statuses();
    let mut dcs: BTreeSet<&str> = nodes.iter().map(|status| status.node.dc.as_str()).collect();
    dcs.extend(
        api.config.clusters.iter().filter(|c| c.kind == Kind::Docker).map(|c| c.dc.as_str()),
    );
    let named = Clusters::new(&api.config.clusters);
    all.extend(dcs.into_iter().map(|dc| plain(named.plain(dc), dc, &nodes)));
    all.sort_by(|a, b| (&a.name, &a.dc).cmp(&(&b.name, &b.dc)));
    Ok(json(&Page { items: all, next: None }))
}

fn followed(status: Status) -> Cluster {
    Cluster {
        name: status.name,
        dc: status.dc,
        kind: Kind::Marathon,
        state: status.phase,
        detail: status.detail,
        last_seen: status.last_seen,
        version: status.version,
        leader: status.leader,
    }
}

/// The plain Docker engines of a data centre, as its nodes tell.
fn plain(name: &str, dc: &str, nodes: &[NodeStatus]) -> Cluster {
    let here: Vec<_> = nodes.iter().filter(|status| status.node.dc == dc).collect();
    let silent = here.iter().filter(|status| status.silent).count();
    let (state, detail) = match (here.len(), silent) {
        (0, _) => (Phase::Unknown, "no node of this data centre has reported".to_owned()),
        (all, silent) if all == silent => (Phase::Away, format!("all {all} nodes are silent")),
        (_, 0) => (Phase::Following, String::new()),
        (all, silent) => (Phase::Following, format!("{silent} of {all} nodes are silent")),
    };
    Cluster {
        name: name.to_owned(),
        dc: dc.to_owned(),
        kind: Kind::Docker,
        state,
        detail,
        last_seen: here.iter().filter_map(|status| status.last_seen).max(),
        version: None,
        leader: None,
    }
}
