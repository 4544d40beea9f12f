//! `/v1/apps`: apps with the counts of their instances.

use super::extract::{Asked, Named, Nothing};
use super::list::Place;
use super::problem::Refused;
use super::state::Api;
use crate::access::Caller;
use crate::access::Role;
use crate::figures::count;
use crate::world::World;
use axum::extract::State;
use axum::response::Response;
use common::api_types::{App, AppSpec, Page};
use common::ids::AppId;
use common::printable::printable;
use common::serve::json;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AppsQuery {
    /// Only apps whose id or owner has this in it, whatever the case.
    q: Option<String>,
    /// Apps on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$", max_length = 4096)]
    cursor: Option<String>,
}

/// The apps, by id.
#[utoipa::path(get, path = "/v1/apps", tag = "apps", operation_id = "list_apps", params(AppsQuery),
    responses((status = 200, description = "A page of apps", body = Page<App>)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<AppsQuery>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let place = Place::of(asked.limit, asked.cursor.as_deref())?;
    let wanted = asked.q.map(|q| q.to_lowercase()).filter(|q| !q.is_empty());
    let page = api.centre.read(|world| {
        let seen = world
            .apps()
            .filter(|app| caller.sees(&app.id) && wanted.as_deref().is_none_or(|q| has(app, q)));
        place.page(seen, |app| app.id.as_str(), |app| counted(world, app))
    });
    Ok(json(&page))
}

/// One app.
#[utoipa::path(get, path = "/v1/apps/{app}", tag = "apps", operation_id = "get_app",
    params(("app" = String, Path, description = "Its id, percent-encoded", example = "video%2Fapi")),
    responses((status = 200, description = "The app", body = App)))]
pub async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(app): Named<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let id = AppId::new(app);
    let found = api.centre.read(|world| {
        let app = world.app(&id).filter(|_| caller.sees(&id))?;
        Some(counted(world, app))
    });
    match found {
        Some(app) => Ok(json(&app)),
        None => Err(Refused::not_found(format!(
            "no app \"{}\"; /v1/apps lists them",
            printable(id.as_str())
        ))),
    }
}

fn has(app: &AppSpec, q: &str) -> bool {
    let in_owner = app.owner.as_ref().is_some_and(|owner| owner.to_lowercase().contains(q));
    in_owner || app.id.as_str().to_lowercase().contains(q)
}

/// An app with its counts. A cluster that has instances of it but does not define it is listed too, as one where nobody says how many
/// are wanted.
fn counted(world: &World, app: &AppSpec) -> App {
    App {
        id: app.id.clone(),
        labels: app.labels.clone(),
        owner: app.owner.clone(),
        dcs: count::app(world, app),
    }
}
