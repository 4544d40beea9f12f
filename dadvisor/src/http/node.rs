//! `/v1/node`.

use super::view::{DockerView, Metrics, NodeView, PassView, number, tick, time};
use super::{Face, Neighbours};
use axum::extract::State;
use axum::response::Response;
use common::docker::Engine;
use common::metric::Value;
use common::serve::json;
use std::sync::Arc;

pub(super) async fn node(State(face): State<Arc<Face>>) -> Response {
    let Neighbours { carbon, docker, .. } = (face.neighbours)();
    let stats = face.board.stats();
    let metrics: Metrics = face
        .board
        .node()
        .into_iter()
        .filter_map(|(name, value)| Some((name, number(Value::Float(value))?)))
        .collect();
    json(&NodeView {
        name: face.node.clone(),
        dc: face.dc.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: time(face.started_at_ms),
        interval_seconds: face.interval.as_secs(),
        timestamp: tick(stats.timestamp),
        pass: PassView {
            passes: stats.passes,
            seconds: stats.seconds,
            containers: stats.containers,
            points: stats.points,
        },
        // numbers and texts only, which always print
        carbon: serde_json::to_value(carbon).unwrap_or_default(),
        docker: docker_view(docker),
        metrics,
    })
}

/// The engine's state in words.
pub(super) fn docker_view(engine: Option<Engine>) -> DockerView {
    let (state, version, cause) = match engine {
        None => ("off", None, None),
        Some(Engine::Unknown) => ("unknown", None, None),
        Some(Engine::Up { version }) => ("up", Some(version), None),
        Some(Engine::Gone { cause }) => ("gone", None, Some(cause)),
        Some(Engine::Hung) => ("hung", None, None),
    };
    DockerView { state: state.to_owned(), version, cause }
}
