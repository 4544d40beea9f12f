//! `/v1/instances`: the ones that live, from memory, and the ones that ended, from the store.

use super::extract::{Asked, Named, Nothing};
use super::list::{self, Place};
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Role};
use crate::store::history::{self, After};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use common::api_types::{Instance, InstanceState, Page};
use common::ids::{AppId, NodeName};
use common::printable::printable;
use common::serve::json;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Parameters of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InstancesQuery {
    /// Only those of this app.
    app: Option<String>,
    /// Only those on this node.
    node: Option<String>,
    /// `live` (all that have not ended), `ended`, `all`, or one state.
    #[param(inline, default = "live")]
    state: Option<Which>,
    /// Instances on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$", max_length = 4096)]
    cursor: Option<String>,
}

/// Which states are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All that have not ended.
    #[default]
    Live,
    /// Those that ended in the last days.
    Ended,
    /// All.
    All,
    /// Not yet started.
    Staging,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Told to stop.
    Stopping,
    /// On a node that cannot be reached.
    Unreachable,
}

impl Which {
    /// Whether a living one is asked for.
    fn takes(self, state: InstanceState) -> bool {
        match self {
            Self::Live | Self::All => true,
            Self::Ended => false,
            Self::Staging => state == InstanceState::Staging,
            Self::Starting => state == InstanceState::Starting,
            Self::Running => state == InstanceState::Running,
            Self::Stopping => state == InstanceState::Stopping,
            Self::Unreachable => state == InstanceState::Unreachable,
        }
    }
}

/// The instances: those that live by key, then those that ended, the latest first.
#[utoipa::path(get, path = "/v1/instances", tag = "apps", operation_id = "list_instances", params(InstancesQuery),
    responses((status = 200, description = "A page of instances", body = Page<Instance>)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<InstancesQuery>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let place = Place::of(asked.limit, asked.cursor.as_deref())?;
    let which = match asked.state.unwrap_or_default() {
        Which::Ended => history::Which::State(InstanceState::Ended),
        Which::All => history::Which::All,
        living => return Ok(json(&living_page(&api, &caller, &asked, living, &place))),
    };
    let after = place.after.as_deref().map(|bytes| {
        let text = std::str::from_utf8(bytes).ok();
        text.and_then(After::parse).ok_or_else(list::not_a_cursor)
    });
    let wanted = history::Asked {
        app: asked.app,
        node: asked.node,
        state: which,
        after: after.transpose()?,
        limit: place.limit,
        named: None,
    };
    let found = history::history(api.centre.store(), &wanted, |i| caller.sees(&i.app)).await;
    let found = found.map_err(|e| Refused::store(&e))?;
    let next = found.next.map(|after| list::cursor(after.to_string().as_bytes()));
    Ok(json(&Page { items: found.items, next }))
}

/// From memory: who looks at a fleet every second costs the store nothing.
fn living_page(
    api: &Api,
    caller: &Caller,
    asked: &InstancesQuery,
    which: Which,
    place: &Place,
) -> Page<Instance> {
    let app = asked.app.as_deref().map(AppId::new);
    let node = asked.node.as_deref().map(NodeName::new);
    api.centre.read(|world| {
        let all: Box<dyn Iterator<Item = &Arc<Instance>>> = match (&app, &node) {
            (Some(app), _) => Box::new(world.of_app(app)),
            (None, Some(node)) => Box::new(world.on_node(node)),
            (None, None) => Box::new(world.instances()),
        };
        let seen = all.filter(|i| {
            which.takes(i.state)
                && node.as_ref().is_none_or(|node| i.node.as_ref() == Some(node))
                && caller.sees(&i.app)
        });
        place.page(seen, |i| i.key.as_str(), |i| Instance::clone(i))
    })
}

/// One instance: its key, or its id where that is unique. One that ended is answered as long as it is kept.
#[utoipa::path(get, path = "/v1/instances/{instance}", tag = "apps", operation_id = "get_instance",
    params(("instance" = String, Path, description = "Its key or id, percent-encoded", example = "local%2Fhost-17%2F8fda0a1b9bc8")),
    responses(
        (status = 200, description = "The instance", body = Instance),
        (status = 409, description = "`ambiguous_id`: several living instances have this id; the detail has their keys"),
    ))]
pub async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let living: Vec<Arc<Instance>> = api.centre.read(|world| match world.instance(&name) {
        Some(instance) => vec![instance.clone()],
        None => world.instances().filter(|i| i.id.as_str() == name).cloned().collect(),
    });
    let living: Vec<_> = living.into_iter().filter(|i| caller.sees(&i.app)).collect();
    match living.as_slice() {
        [one] => return Ok(json(&**one)),
        [] => {}
        several => return Err(ambiguous(several)),
    }
    let wanted = history::Asked {
        named: Some(name.clone()),
        state: history::Which::State(InstanceState::Ended),
        limit: 1,
        ..history::Asked::default()
    };
    let found = history::history(api.centre.store(), &wanted, |i| caller.sees(&i.app)).await;
    match found.map_err(|e| Refused::store(&e))?.items.first() {
        Some(instance) => Ok(json(instance)),
        None => {
            let name = printable(&name);
            Err(Refused::not_found(format!("no instance \"{name}\"; /v1/instances lists them")))
        }
    }
}

fn ambiguous(several: &[Arc<Instance>]) -> Refused {
    let keys: Vec<&str> = several.iter().take(10).map(|i| i.key.as_str()).collect();
    let keys = keys.join(", ");
    let detail = format!("several instances have this id; ask for one of {}", printable(&keys));
    Refused::new(StatusCode::CONFLICT, "ambiguous_id", detail)
}
