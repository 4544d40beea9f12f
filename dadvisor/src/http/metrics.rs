//! `/metrics`: containers as `qae_container_*`, the node as `qae_node_*`, this daemon as `dadvisor_*`.
//!
//! Devices, interfaces, cores and mounts become labels of their own families (`qae_container_io_device_read_bytes_total{device="sda"}`),
//! apart from the sums over them, so that nothing is counted twice by `sum()`.

use super::{Face, Neighbours};
use crate::board::{Entry, PassStats, lock};
use crate::sample::Field;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use common::container::{Container, Source};
use common::exposition::{self, Exposition, Labels, family};
use common::figures::Figures;
use common::metric::{Name, Value};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;

pub(super) async fn metrics(State(face): State<Arc<Face>>) -> Response {
    let mut out = Exposition::default();
    let mut recent = 0;
    for entry in face.board.entries() {
        let entry = lock(&entry);
        container(&mut out, &entry, &face.dc);
        recent += entry.recent.bytes() as u64;
    }
    let labels = Labels::new(&[("dc", &face.dc), ("node", &face.node)]);
    for (name, value) in face.board.node() {
        node(&mut out, &labels, &name, value);
    }
    let mut own = Figures::new(&mut out, "dadvisor");
    own.one("recent_bytes", "Memory taken by the last hour.", Value::Int(recent));
    own.process(face.started_at_ms);
    pass(&mut own, &face.board.stats());
    own.http(&face.counts);
    neighbours(&mut own, &(face.neighbours)());
    let pieces = stream::iter(out.pieces().map(Ok::<_, Infallible>));
    ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], Body::from_stream(pieces)).into_response()
}

/// What tells one container from another; two instances of the same name still differ by `container`.
fn labels(container: &Container, dc: &str) -> Labels {
    let id = match container.source {
        Source::Docker => container.id.get(..12).unwrap_or(&container.id),
        Source::Mesos | Source::Cgroup => &container.id,
    };
    Labels::new(&[
        ("dc", dc),
        ("app", container.app.as_str()),
        ("instance", container.instance.as_str()),
        ("container", id),
    ])
}

fn container(out: &mut Exposition, entry: &Entry, dc: &str) {
    let labels = labels(&entry.container, dc);
    entry.each_read(&mut |Name(head, item, tail), value| {
        if item.is_empty() {
            out.add(&family("qae_container", head), help(head), &labels, value);
        } else {
            let (name, label) = per_item(head, tail);
            out.add(&family("qae_container", &name), ITEM_HELP, &labels.and(label, item), value);
        }
    });
    // names from outside stand in a label: as families two of them could become one
    for (name, value) in &entry.inside {
        let labels = labels.and("metric", name);
        out.add("qae_container_inside", "What the app inside tells of itself.", &labels, *value);
    }
}

fn node(out: &mut Exposition, labels: &Labels, name: &str, value: f64) {
    const ITEMS: [&str; 3] = ["io.", "net.", "filesystem."];
    let item = ITEMS.iter().find_map(|head| {
        let (item, tail) = name.strip_prefix(head)?.split_once('.')?;
        Some((*head, item, tail))
    });
    let value = Value::Float(value);
    match item {
        Some((head, item, tail)) => {
            let (name, label) = per_item(head, tail);
            out.add(&family("qae_node", &name), ITEM_HELP, &labels.and(label, item), value);
        }
        None => out.add(&family("qae_node", name), help(name), labels, value),
    }
}

const ITEM_HELP: &str = "By the device, interface, core or mount named in the label.";

/// The family of a figure that comes in several, and the label that tells them apart.
fn per_item(head: &str, tail: &str) -> (String, &'static str) {
    let label = match head.split('.').next() {
        Some("io") => "device",
        Some("net") => "interface",
        Some("cpu") => "core",
        Some("filesystem") => "mount",
        _ => "item",
    };
    let group = head.trim_end_matches('.').trim_end_matches(".core");
    (format!("{group}.{label}.{}", tail.trim_start_matches('.')), label)
}

fn help(name: &str) -> &'static str {
    match Field::ALL.iter().find(|f| f.name() == name) {
        Some(field) => field.help(),
        None if name.ends_with("percent") => {
            "A share in percent, made from two ticks where it is a rate."
        }
        None if name.ends_with("per_second") => "A rate, made from two ticks.",
        None => "A figure of the node, or made from figures of a container.",
    }
}

fn pass(own: &mut Figures<'_>, stats: &PassStats) {
    let version = Labels::new(&[("version", env!("CARGO_PKG_VERSION"))]);
    own.labelled("build_info", "The version, in a label.", &version, Value::Int(1));
    own.one("passes_total", "Passes taken.", Value::Int(stats.passes));
    own.one("pass_timestamp_seconds", "Tick of the last pass.", Value::Int(stats.timestamp));
    own.one("pass_seconds", "Wall time of the last pass.", Value::Float(stats.seconds));
    own.one("passes_seconds_total", "Wall time of all passes.", Value::Float(stats.seconds_total));
    own.one("containers", "Containers read in the last pass.", Value::Int(stats.containers));
    own.one("points", "Points made in the last pass.", Value::Int(stats.points));
    for (family, seconds) in &stats.family_seconds {
        own.labelled(
            "family_seconds_total",
            "Time spent per family of figures.",
            &Labels::new(&[("family", family)]),
            Value::Float(*seconds),
        );
    }
    own.counts(&stats.counters, "What the collector counts.");
}

fn neighbours(own: &mut Figures<'_>, neighbours: &Neighbours) {
    own.carbon(&neighbours.carbon);
    own.docker(neighbours.docker.as_ref(), &neighbours.docker_counts);
    if let Some(center) = &neighbours.center {
        own.center(center);
    }
    own.counts(&neighbours.counts, "What discovery, in-app scrapes and disk walks count.");
}
