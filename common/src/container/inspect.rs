//! One answer of Docker's `GET /containers/{id}/json` as a [`Container`]. Text in, values out.
//!
//! Labels, variables, ports and mounts are the user's: any bytes, any number. What goes beyond the bounds below is left out and said in
//! [`Inspected::left_out`]; a field of a wrong type is as good as missing.

use super::identity::{Facts, bounded, identify};
use super::{Container, Health, LogVolume, Network, Port, Source, State, in_sandbox};
use crate::lenient::from_json;
use crate::moment;
use std::collections::BTreeMap;
use std::net::IpAddr;
use wire::{Binding, NetworkSettings, Wire};

mod wire;

/// Label that says where the logs are: container paths, separated by commas.
pub const LABEL_LOGS: &str = "qae.logs";
/// Labels that begin so are kept.
const LABEL_PREFIX: &str = "qae.";
const MAX_LABELS: usize = 64;
const MAX_LABEL: usize = 4096;
const MAX_TEXT: usize = 1024;
const MAX_PORTS: usize = 256;
const MAX_ADDRESSES: usize = 64;
const MAX_LOG_VOLUMES: usize = 16;

/// What the operator has set about recognising containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Container path of the log volume, `[log-agent] log_path`.
    pub log_path: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self { log_path: "/qae/logs".to_owned() }
    }
}

/// Why an answer is no container.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Not JSON, or not an object.
    #[error("the engine's answer cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The `Id` is not 12 to 64 hex digits.
    #[error("the engine's answer has no usable Id: {0:?}")]
    Id(String),
}

/// A container, and what a reader of it may want to know once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// The container.
    pub container: Container,
    /// How its last run ended; means nothing while it runs.
    pub exit_code: i64,
    /// The engine saw an OOM kill in this run.
    pub oom_killed: bool,
    /// What was left out of it, in words.
    pub left_out: Vec<String>,
}

/// Reads an inspect answer.
pub fn from_inspect(json: &[u8], rules: &Rules) -> Result<Inspected, InspectError> {
    let wire: Wire = from_json(json)?;
    if !is_id(&wire.id) {
        return Err(InspectError::Id(cut(&wire.id, 80)));
    }
    let mut left_out = Vec::new();
    let name = cut(wire.name.strip_prefix('/').unwrap_or(&wire.name), MAX_TEXT);
    let mounts: Vec<(&str, &str)> =
        wire.mounts.iter().map(|m| (m.destination.as_str(), m.source.as_str())).collect();
    let config = &wire.config;
    let facts = Facts {
        id: &wire.id,
        name: &name,
        labels: &config.labels,
        env: &config.env,
        mounts: &mounts,
    };
    let (app, instance) = identify(&facts);
    let container = Container {
        app,
        instance,
        task: facts.task().map(bounded),
        source: Source::Docker,
        state: wire.state.state(),
        health: health(&wire.state.health.status),
        pid: u32::try_from(wire.state.pid).ok().filter(|pid| *pid > 0),
        started_at_ms: moment::unix_ms(&wire.state.started_at),
        image: cut(&config.image, MAX_TEXT),
        image_id: cut(&wire.image, MAX_TEXT),
        restarts: u64::try_from(wire.restart_count).unwrap_or(0),
        network: network(&wire.host_config.network_mode),
        addresses: addresses(&wire.network_settings, &mut left_out),
        ports: ports(&wire.network_settings.ports, &mut left_out),
        log_volumes: log_volumes(&facts, rules, &mut left_out),
        json_log: Some(wire.log_path).filter(|path| {
            wire.host_config.log_config.driver == "json-file"
                && path.starts_with('/')
                && path.len() <= MAX_LABEL
        }),
        labels: labels(&config.labels, &mut left_out),
        cgroup_parent: Some(wire.host_config.cgroup_parent)
            .filter(|parent| !parent.is_empty() && parent.len() <= MAX_LABEL),
        cgroup: None,
        name,
        id: wire.id,
    };
    let (exit_code, oom_killed) = (wire.state.exit_code, wire.state.oom_killed);
    Ok(Inspected { container, exit_code, oom_killed, left_out })
}

/// True for 12 to 64 lower-case hex digits: safe in a URL and in a path.
pub fn is_id(id: &str) -> bool {
    (12..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn health(status: &str) -> Health {
    match status {
        "healthy" => Health::Healthy,
        "unhealthy" => Health::Unhealthy,
        _ => Health::Unknown,
    }
}

fn network(mode: &str) -> Network {
    match mode {
        "host" => Network::Host,
        "none" => Network::None,
        _ => match mode.strip_prefix("container:") {
            Some(id) => Network::Container(cut(id, MAX_TEXT)),
            None => Network::Own,
        },
    }
}

fn addresses(settings: &NetworkSettings, left_out: &mut Vec<String>) -> Vec<IpAddr> {
    let old = [&settings.ip_address, &settings.global_ipv6_address];
    let each = settings.networks.values().flat_map(|n| [&n.ip_address, &n.global_ipv6_address]);
    let mut found: Vec<IpAddr> =
        old.into_iter().chain(each).filter_map(|a| a.parse().ok()).collect();
    found.sort_unstable();
    found.dedup();
    keep(&mut found, MAX_ADDRESSES, "addresses", left_out);
    found
}

fn ports(
    published: &BTreeMap<String, Option<Vec<Binding>>>,
    left_out: &mut Vec<String>,
) -> Vec<Port> {
    let mut found: Vec<Port> = published
        .iter()
        .filter_map(|(key, bindings)| {
            let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
            Some((port.parse().ok()?, protocol, bindings.as_deref()?))
        })
        .flat_map(|(container_port, protocol, bindings)| {
            bindings.iter().filter_map(move |b| {
                // old engines write no address for "all"
                let address = if b.host_ip.is_empty() { "0.0.0.0" } else { &b.host_ip };
                let (address, port) = (address.parse().ok()?, b.host_port.parse().ok()?);
                Some(Port { address, port, container_port, protocol: cut(protocol, 16) })
            })
        })
        .collect();
    found.sort_unstable_by(|a, b| {
        (a.container_port, &a.protocol, a.address, a.port).cmp(&(
            b.container_port,
            &b.protocol,
            b.address,
            b.port,
        ))
    });
    keep(&mut found, MAX_PORTS, "published ports", left_out);
    found
}

/// Mounts at the paths of label `qae.logs`, else at the configured one; a path without a slash in front, or one in the Mesos sandbox, is
/// what lies there.
fn log_volumes(facts: &Facts<'_>, rules: &Rules, left_out: &mut Vec<String>) -> Vec<LogVolume> {
    let label = facts.labels.get(LABEL_LOGS).map(String::as_str);
    let mut found: Vec<LogVolume> = Vec::new();
    for path in label.unwrap_or(&rules.log_path).split(',').map(str::trim).filter(|p| !p.is_empty())
    {
        let path = bare(path);
        let mounted = |(target, source): &&(&str, &str)| bare(target) == path && !source.is_empty();
        let volume = match facts.mounts.iter().find(mounted) {
            Some((target, source)) => {
                Some(LogVolume { source: (*source).to_owned(), target: (*target).to_owned() })
            }
            None => in_sandbox_of(facts, path),
        };
        match volume {
            Some(volume) if found.iter().all(|v| v.target != volume.target) => found.push(volume),
            None if label.is_some() => {
                left_out.push(format!(
                    "no volume is mounted at {} (label {LABEL_LOGS})",
                    cut(path, 200)
                ));
                left_out.truncate(MAX_LOG_VOLUMES);
            }
            _ => {}
        }
    }
    keep(&mut found, MAX_LOG_VOLUMES, "log volumes", left_out);
    found
}

fn in_sandbox_of(facts: &Facts<'_>, path: &str) -> Option<LogVolume> {
    let (target, source) = facts.sandbox()?;
    let rest = in_sandbox(path, target)?;
    let join = |at: &str| if rest.is_empty() { at.to_owned() } else { format!("{at}/{rest}") };
    (!source.is_empty()).then(|| LogVolume { source: join(source), target: join(target) })
}

/// A path without its trailing slash.
fn bare(path: &str) -> &str {
    path.strip_suffix('/').filter(|p| !p.is_empty()).unwrap_or(path)
}

fn labels(all: &BTreeMap<String, String>, left_out: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    let mut refused = 0_usize;
    for (key, value) in all.iter().filter(|(key, _)| key.starts_with(LABEL_PREFIX)) {
        if kept.len() < MAX_LABELS && key.len() <= MAX_TEXT && value.len() <= MAX_LABEL {
            kept.insert(key.clone(), value.clone());
        } else {
            refused += 1;
        }
    }
    if refused > 0 {
        left_out.push(format!(
            "{refused} {LABEL_PREFIX}* labels, too many or longer than {MAX_LABEL} bytes"
        ));
    }
    kept
}

fn keep<T>(found: &mut Vec<T>, most: usize, what: &str, left_out: &mut Vec<String>) {
    if found.len() > most {
        left_out.push(format!("{} of {} {what}", found.len() - most, found.len()));
        found.truncate(most);
    }
}

/// At most so many bytes, cut between characters.
fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests;
