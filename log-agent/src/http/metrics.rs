//! `/metrics`: apps on this node as `qae_log_*`, this daemon as `log_agent_*`.

use super::Face;
use crate::live;
use crate::overview::{App, Finding, Overview};
use crate::ship::Status;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use common::exposition::{self, Exposition, Labels};
use common::figures::{Count, Figures};
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
    if let Some(status) = &now.shipping {
        shipping(&mut own, status);
    }
    for (name, value) in now.retention.all() {
        own.one(&format!("retention_{name}"), "What retention did.", Value::Int(value));
    }
    viewing(&mut own, &now.live);
    let rounds = face.sources.files.rounds();
    let (open, most) = face.sources.files.open();
    own.one("files_open", "Log files kept open.", Value::Int(open as u64));
    let help = "Most log files kept open; above it they are opened for each look, and deleted unread are a gap.";
    own.one("files_open_limit", help, Value::Int(most as u64));
    own.one("rounds_total", "Times files were looked at.", Value::Int(rounds));
    let help = "Times the kernel dropped notices of files, for there were too many; everything was looked at.";
    own.one("notice_overflows_total", help, Value::Int(face.sources.files.overflows()));
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

fn shipping(own: &mut Figures<'_>, status: &Status) {
    let sink = &status.sink;
    let peer = Labels::new(&[("peer", &sink.peer)]);
    let help = "Whether the sink took the last batch, and who it is.";
    own.labelled("sink_up", help, &peer, Value::Int(sink.works.into()));
    let counts = [
        Count::one("sink_batches", sink.batches),
        Count::one("sink_events", sink.events),
        Count::one("sink_bytes", sink.bytes),
        Count::one("sink_failovers", sink.failovers),
        Count::of("sink_failures", "full", sink.failures.full),
        Count::of("sink_failures", "lost", sink.failures.lost),
        Count::of("sink_failures", "refused", sink.failures.refused),
        Count::of("sink_failures", "fault", sink.failures.fault),
    ];
    own.counts(&counts, "What went to the sink, with headers, and what became of it.");
    let help = "Events in one request at the moment.";
    own.one("request_events", help, Value::Int(status.request_events as u64));
    let journal = &status.journal;
    own.one("journal_files", "Files the journal knows.", Value::Int(journal.files as u64));
    own.one("journal_bytes", "Bytes of the journal.", Value::Int(journal.bytes));
    let damaged = "Bytes of the journal that were damaged when it was opened.";
    own.one("journal_damaged_bytes", damaged, Value::Int(journal.damaged_bytes));
    let counts = [
        Count::one("journal_compactions", journal.compactions),
        Count::one("journal_failures", journal.failures),
    ];
    own.counts(&counts, "What the journal did.");
}

fn viewing(own: &mut Figures<'_>, live: &live::Figures) {
    own.one("viewers", "Viewers now.", Value::Int(live.viewers as u64));
    let counts = [
        Count::one("viewers_opened", live.opened),
        Count::one("viewer_frames", live.frames),
        Count::one("viewer_frames_shared", live.frames_shared),
        Count::one("viewer_lines", live.lines),
        Count::one("viewer_bytes", live.bytes),
        Count::one("viewer_gaps", live.gaps),
        Count::one("viewer_gap_bytes", live.gap_bytes),
        Count::one("downloads", live.downloads),
        Count::one("download_bytes", live.download_bytes),
    ];
    own.counts(&counts, "What viewers took.");
    for (code, count) in &live.refused {
        let code = Labels::new(&[("code", code)]);
        own.labelled("viewers_refused_total", "Refusals, by code.", &code, Value::Int(*count));
    }
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
    add("viewers", "Viewers of its instances now.", labels, app.viewers);
    let Some(shipped) = &app.shipped else { return };
    add("bytes_total", "Bytes acknowledged by the sink.", labels, shipped.bytes);
    add("lines_total", "Events acknowledged by the sink.", labels, shipped.lines);
    add("lag_bytes", "Bytes not acknowledged yet.", labels, shipped.lag_bytes);
    let help = "Bytes of holes and NULs left out.";
    add("skipped_bytes_total", help, labels, shipped.skipped_bytes);
    let help = "Events the sink may have twice.";
    add("duplicates_possible_total", help, labels, shipped.duplicates_possible);
    let help = "Events put aside, since the sink failed at them.";
    add("quarantined_total", help, labels, shipped.quarantined);
    add("read_failures_total", "Reads that failed.", labels, shipped.read_failures);
    let oldest = shipped.oldest.unwrap_or_default().as_secs_f64();
    let help = "How long the oldest byte that is not acknowledged has waited.";
    out.add("qae_log_lag_seconds", help, labels, Value::Float(oldest));
}
