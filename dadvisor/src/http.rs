//! What this daemon answers over HTTP. It reads the [`Board`] and asks nobody: an answer costs the collector at most the time to print
//! one container.
//!
//! | path | answer |
//! |---|---|
//! | `/v1/containers?limit=&cursor=&metrics=` | `{items, next}`, by app and instance |
//! | `/v1/containers/{id}` | one container, by id, unique beginning of an id, or instance |
//! | `/v1/containers/{id}/recent?metric=&since=` | the last hour of one metric at tick resolution |
//! | `/v1/node` | the node, the last pass, carbon and Docker as this daemon sees them |
//! | `/metrics` | all of it as Prometheus text, and the daemon's own figures |
//! | `/healthz`, `/readyz` | the collector moves; there are figures |

mod containers;
mod find;
mod metrics;
mod node;
pub mod view;

use crate::board::Board;
use crate::config::Config;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use common::figures::Count;
use common::serve::{Counts, health};
use common::systemd::Pulse;
use common::{carbon, center, docker};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the daemon's neighbours are, at one moment.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// How sending goes.
    pub carbon: carbon::Status,
    /// The Docker engine; None if none is configured.
    pub docker: Option<docker::Engine>,
    /// What following it counts.
    pub docker_counts: Vec<(&'static str, u64)>,
    /// The centre; None if none is configured.
    pub center: Option<center::Status>,
    /// What discovery, in-app scrapes and disk walks count.
    pub counts: Vec<Count>,
}

/// What the answers are made from.
pub struct Face {
    /// Name of the node.
    node: String,
    /// Its data centre.
    dc: String,
    /// From tick to tick.
    interval: Duration,
    /// Unix milliseconds of the start.
    started_at_ms: u64,
    board: Arc<Board>,
    pulse: Arc<Pulse>,
    counts: Arc<Counts>,
    neighbours: Box<dyn Fn() -> Neighbours + Send + Sync>,
}

impl Face {
    /// `pulse` beats once a pass; `neighbours` is asked for each answer that shows them and must not block.
    pub fn new(
        config: &Config,
        board: Arc<Board>,
        pulse: Arc<Pulse>,
        counts: Arc<Counts>,
        neighbours: impl Fn() -> Neighbours + Send + Sync + 'static,
    ) -> Self {
        Self {
            node: config.node.name.to_string(),
            dc: config.node.dc.clone(),
            interval: config.dadvisor.interval,
            started_at_ms: now_ms(),
            board,
            pulse,
            counts,
            neighbours: Box::new(neighbours),
        }
    }

    /// How old the pulse may be before the collector counts as stuck. Also the watchdog's measure.
    pub fn longest_pause(interval: Duration) -> Duration {
        interval * 3 + Duration::from_secs(10)
    }

    /// Why the daemon does not work, if so.
    fn stuck(&self) -> Option<String> {
        let age = self.pulse.age();
        (age > Self::longest_pause(self.interval))
            .then(|| format!("no pass for {} s; see the log", age.as_secs()))
    }
}

/// Every path.
pub fn router(face: Arc<Face>) -> Router {
    Router::new()
        .route("/v1/containers", get(containers::list))
        .route("/v1/containers/{id}", get(containers::one))
        .route("/v1/containers/{id}/recent", get(containers::recent))
        .route("/v1/node", get(node::node))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(face)
}

async fn healthz(State(face): State<Arc<Face>>) -> Response {
    health("stuck", face.stuck())
}

async fn readyz(State(face): State<Arc<Face>>) -> Response {
    let not_begun =
        || (face.board.stats().passes == 0).then(|| "the first pass is not over yet".to_owned());
    health("not_ready", face.stuck().or_else(not_begun))
}

/// Unix milliseconds by the wall clock.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
