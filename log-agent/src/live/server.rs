//! The routes, and what stands before each: where the request comes from, its ticket, the instance it is for.

mod download;
mod lines;
mod list;
mod page;
mod stream;
mod tail;

use super::access::{Access, from_here, named, shown};
use super::figures::Figures;
use super::files::Listed;
use super::keys::Keyring;
use super::limits::{Limits, Place, Places};
use super::room::Room;
use crate::files::Files;
use crate::volume::InstanceKey;
use axum::Router;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use common::ids::{InstanceId, NodeName};
use common::serve::{self, Problem};
use common::ticket::{MAX_TEXT, Refusal};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Files that are taken away at a time.
const DOWNLOADS: usize = 32;
/// Viewers that may be asked for their ticket at a time.
const STRANGERS: usize = 64;

/// How live logs are served.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// This host.
    pub node: NodeName,
    /// Whose pages may ask, beside our own: `https://qae.example`.
    pub origins: Vec<String>,
    /// How many viewers.
    pub limits: Limits,
}

/// Live logs; clones are the same.
#[derive(Debug, Clone)]
pub struct Live(Arc<Desk>);

/// What the routes share.
#[derive(Debug)]
struct Desk {
    settings: LiveSettings,
    keys: Arc<Keyring>,
    room: Arc<Room>,
    places: Arc<Places>,
    downloads: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    viewers: TaskTracker,
    stop: CancellationToken,
}

/// Somebody with a ticket for an instance of ours.
#[derive(Debug)]
struct Guest {
    access: Access,
    instance: InstanceKey,
}

impl Live {
    /// Ready to serve; viewers are told the end when `stop` is.
    pub fn new(
        settings: LiveSettings,
        files: Files,
        keys: Arc<Keyring>,
        stop: &CancellationToken,
    ) -> Self {
        let places = Places::new(settings.limits);
        Self(Arc::new(Desk {
            settings,
            keys,
            room: Arc::new(Room::new(files)),
            places,
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            viewers: TaskTracker::new(),
            stop: stop.clone(),
        }))
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/logs/{instance}/files", get(list::list))
            .route("/v1/logs/{instance}/files/{*path}", get(download::download))
            .route("/v1/logs/{instance}/tail", get(tail::tail))
            .route("/v1/logs/{instance}/lines", get(lines::lines))
            .route("/v1/logs/{instance}/stream", get(stream::stream))
            .with_state(self.0.clone())
            .merge(page::routes())
    }

    /// What a client may take of the server that has these routes: room for a ticket in the headers and for a viewer on each connection;
    /// who takes nothing for a minute is gone.
    pub fn door(limits: &Limits) -> serve::Limits {
        let usual = serve::Limits::default();
        serve::Limits {
            stall: Duration::from_secs(60),
            connections: limits.node + usual.connections,
            head_bytes: MAX_TEXT + usual.head_bytes,
            ..usual
        }
    }

    /// What the viewers took.
    pub fn figures(&self) -> Figures {
        let shared = self.0.room.sharing.shared.load(std::sync::atomic::Ordering::Relaxed);
        self.0.room.counts.read(self.0.places.taken(), shared)
    }

    /// Viewers now, by instance.
    pub fn viewers(&self) -> Vec<(InstanceId, usize)> {
        self.0.places.by_instance()
    }

    /// Waits until every viewer was told the end, after the stop.
    pub async fn ended(&self) {
        self.0.viewers.close();
        self.0.viewers.wait().await;
    }
}

/// A refusal, with its headers.
#[derive(Debug)]
struct Refused(Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.0.status;
        let mut response = self.0.into_response();
        if status == 401 {
            let realm = HeaderValue::from_static("Bearer realm=\"qae logs\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, realm);
        }
        if status == 429 || status == 503 {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl Desk {
    /// A refusal that is counted.
    fn refuse(&self, problem: Problem) -> Refused {
        self.room.counts.refuse(&problem.code);
        Refused(problem)
    }

    /// Refuses pages of others.
    fn same_place(&self, headers: &HeaderMap) -> Result<(), Refused> {
        if from_here(headers, &self.settings.origins) {
            return Ok(());
        }
        let detail = "a page of another origin asks; see `origins` in the config file";
        Err(self.refuse(Problem::new(StatusCode::FORBIDDEN, "foreign_page", detail)))
    }

    /// Who asks, by the ticket in the headers.
    async fn guest(&self, headers: &HeaderMap, instance: &str) -> Result<Guest, Refused> {
        self.same_place(headers)?;
        let Some(ticket) = shown(headers) else {
            let detail = "show a ticket: `Authorization: Bearer qtk1...`; the centre makes them (POST /v1/tickets)";
            return Err(self.refuse(Problem::new(
                StatusCode::UNAUTHORIZED,
                "ticket_missing",
                detail,
            )));
        };
        self.with_ticket(ticket, instance).await
    }

    /// Who asks, by the ticket.
    async fn with_ticket(&self, ticket: &str, instance: &str) -> Result<Guest, Refused> {
        let ticket = self.keys.verify(ticket).await.map_err(|refusal: Refusal| {
            let detail = refusal.to_string();
            self.refuse(Problem::new(StatusCode::UNAUTHORIZED, refusal.code(), detail))
        })?;
        let id = named(instance, &self.settings.node);
        let access = Access::new(ticket, &self.settings.node, id);
        let found = access.and_then(|access| Some((access, self.room.listings.instance(id)?)));
        let Some((access, instance)) = found else {
            let detail = "no such instance here, or not with this ticket";
            return Err(self.refuse(Problem::not_found(detail)));
        };
        Ok(Guest { access, instance })
    }

    /// A place to watch from.
    fn place(&self, guest: &Guest) -> Result<Place, Refused> {
        let taken = self.places.take(guest.access.ticket(), &guest.instance.id);
        taken.map_err(|full| {
            let status = StatusCode::TOO_MANY_REQUESTS;
            self.refuse(Problem::new(status, "too_many_viewers", full.to_string()))
        })
    }

    /// A file that may be seen, by a test of it. What has this name now goes before what had it.
    fn file(
        &self,
        guest: &Guest,
        fits: impl Fn(&Listed) -> bool,
        may: impl Fn(&Access, &str) -> bool,
    ) -> Result<Listed, Refused> {
        let listing = self.room.listings.of(&guest.instance);
        let mut found: Vec<&Listed> =
            listing.files.iter().filter(|f| fits(f) && may(&guest.access, &f.file)).collect();
        found.sort_by_key(|f| f.source.state() == crate::source::State::Deleted);
        found.first().map(|f| (*f).clone()).ok_or_else(|| {
            self.refuse(Problem::not_found("no such file here, or not with this ticket"))
        })
    }
}

#[cfg(test)]
mod tests;
