//! What this daemon answers over HTTP beside logs: `/healthz`, `/readyz`, `/metrics`.

mod metrics;

use crate::config::Config;
use crate::overview::Sources;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use common::center::Center;
use common::moment::Moment;
use common::serve::{Counts, health};
use common::systemd::Pulse;
use std::sync::Arc;
use std::time::Duration;

/// How old the pulse may be before the thread that follows files counts as stuck. Also the watchdog's measure.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the answers are made from.
pub struct Face {
    /// Name of the node.
    node: String,
    /// Its data centre.
    dc: String,
    started: Moment,
    sources: Sources,
    pulse: Arc<Pulse>,
    counts: Arc<Counts>,
    center: Option<Center>,
}

impl Face {
    /// `pulse` beats as long as files are followed.
    pub fn new(
        config: &Config,
        sources: Sources,
        pulse: Arc<Pulse>,
        counts: Arc<Counts>,
        center: Option<Center>,
    ) -> Arc<Self> {
        Arc::new(Self {
            node: config.node.name.to_string(),
            dc: config.node.dc.clone(),
            started: Moment::now(),
            sources,
            pulse,
            counts,
            center,
        })
    }

    /// Why the daemon does not work, if so.
    fn stuck(&self) -> Option<String> {
        let age = self.pulse.age();
        (age > LONGEST_PAUSE)
            .then(|| format!("files were not looked at for {} s; see the log", age.as_secs()))
    }
}

/// Every path.
pub fn router(face: Arc<Face>) -> Router {
    Router::new()
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
        || (face.sources.files.rounds() == 0).then(|| "files are not looked at yet".to_owned());
    health("not_ready", face.stuck().or_else(not_begun))
}
