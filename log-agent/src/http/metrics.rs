//! `/metrics`: apps on this node as `qae_log_*`, this daemon as `log_agent_*`.

use super::Face;
use crate::overview::{App, Finding, Overview};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use common::exposition::{self, Exposition, Labels};
use common::figures::Figures;
use common::metric::Value;
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;

pub(super) async fn metrics(State(face): State<Arc<Face>>) -> Response {
    let mut out = Exposition::default();
    let now = face.sources.overview();
    for (id, app) in &now.apps {
        let labels = Labels::new(&[("dc", &face.dc), ("node", &face.node), ("app", id.as_str())]);
        one_app(&mut out, &labels, app);
    }
    let mut own = Figures::new(&mut out, "log_agent");
    let version = Labels::new(&[("version", env!("CARGO_PKG_VERSION"))]);
    own.labelled("build_info", "The version, in a label.", &version, Value::Int(1));
    own.process(face.started.unix_ms());
    following(&mut own, &now);
    finding(&mut own, &face.sources.finding);
    let rounds = face.sources.files.rounds();
    own.one("rounds_total", "Times files were looked at.", Value::Int(rounds));
    own.http(&face.counts);
    own.carbon(&face.sources.carbon.status());
    if let Some(center) = &face.center {
        own.center(&center.status());
    }
    let pieces = stream::iter(out.pieces().map(Ok::<_, Infallible>));
    ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], Body::from_stream(pieces)).into_response()
}

fn following(own: &mut Figures<'_>, now: &Overview) {
    own.one("volumes", "Log volumes followed.", Value::Int(now.volumes));
    own.one("volumes_unreadable", "Of these, not readable now.", Value::Int(now.faulty));
}

fn finding(own: &mut Figures<'_>, finding: &Finding) {
    for (name, value) in finding.figures.borrow().all() {
        own.one(&format!("volumes_{name}"), "What finding log volumes does.", Value::Int(value));
    }
    own.docker(finding.engine().as_ref(), &finding.docker.all());
}

fn one_app(out: &mut Exposition, labels: &Labels, app: &App) {
    let mut add = |name: &str, help: &str, labels: &Labels, value: u64| {
        out.add(&format!("qae_log_{name}"), help, labels, Value::Int(value));
    };
    add("files", "Files followed.", labels, app.files);
    let help = "Deleted files still open, for they are not read to their end.";
    add("deleted_files", help, labels, app.deleted);
    for (reason, count) in &app.refused {
        let labels = labels.and("reason", reason);
        add("refused", "What is in the volume now and not read, by reason.", &labels, *count);
    }
    for (reason, (count, bytes)) in &app.gaps {
        let labels = labels.and("reason", reason);
        add("gaps_total", "Gaps: bytes nobody will read any more, by reason.", &labels, *count);
        add("gap_bytes_total", "Bytes in these gaps.", &labels, *bytes);
    }
}
