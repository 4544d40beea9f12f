//! The lines above the table: the node, what it uses, and how the daemon and its neighbours are. Pure.

use super::human;
use super::render::{Line, Tone};
use super::row::figure;
use crate::http::view::NodeView;
use common::printable::printable;
use std::time::SystemTime;

/// Three lines.
pub fn header(node: &NodeView, containers: usize, now: SystemTime, width: usize) -> Vec<Line> {
    vec![
        Line::new(&machine(node, containers), width, Tone::Plain),
        Line::new(&used(node), width, Tone::Plain),
        daemon(node, now, width),
    ]
}

fn machine(node: &NodeView, containers: usize) -> String {
    let get = |name| figure(&node.metrics, name);
    let mut parts = vec![
        format!("{} ({})", printable(&node.name), printable(&node.dc)),
        format!("{containers} container{}", if containers == 1 { "" } else { "s" }),
    ];
    if let (Some(one), Some(five), Some(fifteen)) =
        (get("load.1m"), get("load.5m"), get("load.15m"))
    {
        parts.push(format!("load {one:.2} {five:.2} {fifteen:.2}"));
    }
    parts.join(", ")
}

fn used(node: &NodeView) -> String {
    let get = |name| figure(&node.metrics, name);
    let mut parts = Vec::new();
    if let Some(percent) = get("cpu.percent") {
        let of = get("cpu.cores").map_or_else(String::new, |cores| format!(" of {cores:.0} cores"));
        parts.push(format!("cpu {}%{of}", human::percent(percent)));
    }
    for (name, used, total) in [
        ("memory", "memory.usage_bytes", "memory.total_bytes"),
        ("swap", "swap.usage_bytes", "swap.total_bytes"),
    ] {
        if let (Some(used), Some(total)) = (get(used), get(total).filter(|t| *t > 0.0)) {
            parts.push(format!("{name} {} of {}", human::bytes(used), human::bytes(total)));
        }
    }
    if parts.is_empty() { "no figures of the node yet".to_owned() } else { parts.join(", ") }
}

fn daemon(node: &NodeView, now: SystemTime, width: usize) -> Line {
    let (carbon, carbon_well) = carbon(&node.carbon);
    let docker = match (node.docker.state.as_str(), &node.docker.version) {
        ("up", Some(version)) => format!("docker {}", printable(version)),
        (state, _) => format!("docker {}", printable(state)),
    };
    let docker_well = matches!(node.docker.state.as_str(), "up" | "off");
    let (age, fresh) = age(node, now);
    let pass = format!(
        "pass {:.1} ms, {} points{age}",
        node.pass.seconds * 1e3,
        human::count(node.pass.points)
    );
    let tone = if carbon_well && docker_well && fresh { Tone::Dim } else { Tone::Alarm };
    Line::new(&format!("{carbon}; {docker}; {pass}"), width, tone)
}

/// Carbon in words, and whether that is as it should be.
fn carbon(status: &serde_json::Value) -> (String, bool) {
    let text = |key| status.get(key).and_then(serde_json::Value::as_str);
    let number = |key| status.get(key).and_then(serde_json::Value::as_u64);
    let state = text("state").unwrap_or("unknown");
    let mut out = format!("carbon {}", printable(state));
    if let Some(destination) = text("destination") {
        out.push_str(&format!(" {}", printable(destination)));
    }
    if let Some(points) = number("waiting_points").filter(|points| *points > 0) {
        out.push_str(&format!(", {} points waiting", human::count(points)));
        if let Some(seconds) = number("oldest_seconds") {
            out.push_str(&format!(", the oldest {} old", human::time(seconds)));
        }
    }
    (out, matches!(state, "connected" | "starting" | "off" | "draining"))
}

/// What to say about the figures' age, and whether they are fresh.
fn age(node: &NodeView, now: SystemTime) -> (String, bool) {
    let at = node.timestamp.as_deref().and_then(|t| humantime::parse_rfc3339(t).ok());
    let Some(at) = at else { return (", no pass yet".to_owned(), true) };
    let age = now.duration_since(at).unwrap_or_default().as_secs();
    let fresh = age <= 3 * node.interval_seconds + 5;
    if fresh { (String::new(), true) } else { (format!(", {} old", human::time(age)), false) }
}
