//! Every path on one page.

use super::openapi::{Described, complete};
use super::problem::Refused;
use super::state::Api;
use super::{
    apps, audit, charts, clusters, events, instances, keys, logs, me, nodes, own, page, render,
    reports, sessions, snapshot, tickets, tokens,
};
use crate::version;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_MATCH};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::HashSet;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The paths with their description, which is not complete yet.
fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(apps::list))
        .routes(routes!(apps::one))
        .routes(routes!(instances::list))
        .routes(routes!(instances::one))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::one, nodes::forget))
        .routes(routes!(reports::report))
        .routes(routes!(clusters::list))
        .routes(routes!(snapshot::snapshot))
        .routes(routes!(events::events))
        .routes(routes!(me::me))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::one, tokens::revoke))
        .routes(routes!(sessions::sign_in))
        .routes(routes!(sessions::start))
        .routes(routes!(sessions::end))
        .routes(routes!(tickets::make))
        .routes(routes!(logs::of_app))
        .routes(routes!(logs::of_instance))
        .routes(routes!(logs::files))
        .routes(routes!(keys::list, keys::rotate))
        .routes(routes!(audit::list))
        .routes(routes!(charts::figures))
        .routes(routes!(render::get, render::post))
        .routes(routes!(own::healthz))
        .routes(routes!(own::readyz))
        .routes(routes!(own::metrics))
}

/// The API's description.
pub fn openapi() -> utoipa::openapi::OpenApi {
    complete(described().into_openapi())
}

/// All that is answered.
pub fn router(api: Arc<Api>) -> Router {
    let versioned = Arc::new(super::openapi::versioned(&openapi()));
    let description = Bytes::from(openapi().to_json().unwrap_or_default());
    let description = move || {
        let json = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
        let answer = (json, description.clone()).into_response();
        async move { answer }
    };
    described()
        .split_for_parts()
        .0
        .route("/openapi.json", get(description))
        .route_layer(from_fn(move |request, next| {
            conditional(Arc::clone(&versioned), request, next)
        }))
        // bodies are capped for every route at the door, by `Limits`
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
        .merge(page::routes())
}

/// A change that is asked for on a condition is not made where nobody could look at the condition: what has no version fits none.
async fn conditional(
    versioned: Arc<HashSet<(String, String)>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() || !request.headers().contains_key(IF_MATCH) {
        return next.run(request).await;
    }
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if versioned.contains(&(request.method().as_str().to_owned(), path.to_owned())) {
        return next.run(request).await;
    }
    let detail = "what is here has no ETag that If-Match could fit: leave the header out";
    Refused::from(version::failed(detail)).into_response()
}
