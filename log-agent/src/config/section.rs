//! `[log-agent]` as typed, and what it means.

use super::{Flume, LogAgent, Sink, Wire};
use crate::discover::wanted::compiled;
use crate::files;
use crate::live::Limits;
use crate::ship::joining::Multiline;
use common::config::{self, At, text};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `[log-agent]` as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    #[serde(with = "text::listen")]
    listen: SocketAddr,
    #[serde(with = "text::duration")]
    interval: Duration,
    log_path: String,
    volumes_root: String,
    docker_root: String,
    sink: String,
    flume: Vec<String>,
    flume_compression: Compression,
    flume_tls: bool,
    flume_ca_file: String,
    flume_connections: u32,
    batch_events: u32,
    #[serde(with = "text::size")]
    batch_bytes: u64,
    include: Vec<String>,
    exclude: Vec<String>,
    #[serde(with = "text::duration")]
    keep: Duration,
    #[serde(with = "text::size")]
    volume_quota: u64,
    multiline: String,
    stdout: bool,
    origins: Vec<String>,
    viewers: u32,
    viewers_per_instance: u32,
    viewers_per_ticket: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Compression {
    None,
    Deflate,
}

impl Default for Section {
    fn default() -> Self {
        let limits = Limits::default();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7002)),
            interval: Duration::from_secs(10),
            log_path: "/qae/logs".into(),
            volumes_root: "/var/lib/qae/volumes".into(),
            docker_root: "/var/lib/docker".into(),
            sink: "flume".into(),
            flume: Vec::new(),
            flume_compression: Compression::None,
            flume_tls: false,
            flume_ca_file: String::new(),
            flume_connections: 1,
            batch_events: 1_000,
            batch_bytes: 1 << 20,
            include: vec!["**".into()],
            exclude: files::Settings::default().exclude,
            keep: Duration::from_secs(72 * 3_600),
            volume_quota: 10 << 30,
            multiline: String::new(),
            stdout: false,
            origins: Vec::new(),
            viewers: count(limits.node),
            viewers_per_instance: count(limits.instance),
            viewers_per_ticket: count(limits.ticket),
        }
    }
}

/// Bounds of [`LogAgent::interval`].
const INTERVAL: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(300);
/// Bounds of [`LogAgent::batch_events`].
const EVENTS: std::ops::RangeInclusive<u32> = 1..=100_000;
/// Bounds of [`LogAgent::batch_bytes`]: the longest piece of a line has to fit, and a batch is in memory, twice.
const BYTES: std::ops::RangeInclusive<u64> = 512 << 10..=16 << 20;
/// Bounds of [`Flume::connections`]: Flume executes what comes on all connections of all nodes with 16 threads.
const CONNECTIONS: std::ops::RangeInclusive<u32> = 1..=8;
/// Least [`LogAgent::keep`]: a shorter one is a mistake.
const KEEP_LEAST: Duration = Duration::from_secs(60);
/// Least [`LogAgent::volume_quota`].
const QUOTA_LEAST: u64 = 1 << 20;
/// Most patterns of `include` or `exclude`.
const MOST_GLOBS: usize = 1_000;
/// Bounds of each of [`LogAgent::viewers`].
const VIEWERS: std::ops::RangeInclusive<u32> = 1..=10_000;

impl config::Section for Section {
    const NAME: &'static str = "log-agent";
    type Checked = LogAgent;

    fn check(&mut self, at: &mut At<'_>) -> LogAgent {
        if !INTERVAL.contains(&self.interval) || self.interval.subsec_nanos() != 0 {
            at.fault("interval", "must be whole seconds, \"1s\" to \"5m\"");
        }
        self.check_paths(at);
        if !EVENTS.contains(&self.batch_events) {
            at.fault("batch_events", "must be 1 to 100000; 1000 is the default");
        }
        if !BYTES.contains(&self.batch_bytes) {
            at.fault("batch_bytes", "must be \"512KiB\" to \"16MiB\"; \"1MiB\" is the default");
        }
        for (key, globs) in [("include", &self.include), ("exclude", &self.exclude)] {
            check_globs(key, globs, at);
        }
        if self.keep < KEEP_LEAST {
            at.fault("keep", "too short; at least \"1m\", \"72h\" is the default");
        }
        if self.volume_quota < QUOTA_LEAST {
            at.fault("volume_quota", "too small; at least \"1MiB\", \"10GiB\" is the default");
        }
        for origin in &self.origins {
            if !is_origin(origin) {
                let shown = origin.escape_debug();
                at.fault("origins", format!("\"{shown}\" is no origin; write scheme, host and port alone: \"https://logs.example:8443\""));
            }
        }
        LogAgent {
            listen: self.listen,
            interval: self.interval,
            log_path: self.log_path.clone(),
            volumes_root: given(&self.volumes_root),
            docker_root: PathBuf::from(&self.docker_root),
            sink: self.sink(at),
            batch_events: size(self.batch_events.into()),
            batch_bytes: size(self.batch_bytes),
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            keep: self.keep,
            volume_quota: self.volume_quota,
            multiline: self.multiline(at),
            stdout: self.stdout,
            origins: self.origins.clone(),
            viewers: self.viewers(at),
        }
    }
}

impl Section {
    fn check_paths(&self, at: &mut At<'_>) {
        let plain = self.log_path.strip_prefix('/').is_some_and(|path| {
            !path.is_empty() && path.split('/').all(|p| !matches!(p, "" | "." | ".."))
        });
        if !plain {
            at.fault(
                "log_path",
                "must be an absolute path in containers, without . and .., such as \"/qae/logs\"",
            );
        }
        if !self.volumes_root.is_empty() && !self.volumes_root.starts_with('/') {
            at.fault("volumes_root", "must be an absolute path, or \"\" for none");
        }
        if !self.docker_root.starts_with('/') {
            at.fault("docker_root", "must be an absolute path; \"/var/lib/docker\" is the default");
        }
    }

    fn sink(&self, at: &mut At<'_>) -> Option<Sink> {
        if let Some(dir) = self.sink.strip_prefix("dir:") {
            if !dir.starts_with('/') || dir == "/" {
                at.fault(
                    "sink",
                    "the directory must be an absolute path: \"dir:/var/lib/qae/logs\"",
                );
            }
            if !self.flume.is_empty() {
                at.fault("flume", "there is one sink: remove it, or set sink = \"flume\"");
            }
            return Some(Sink::Dir(PathBuf::from(dir)));
        }
        if self.sink != "flume" {
            at.fault("sink", "must be \"flume\" or \"dir:/path\"");
        }
        let mut seen = HashSet::new();
        for peer in &self.flume {
            if !text::is_host_port(peer) {
                let shown = peer.escape_debug();
                at.fault(
                    "flume",
                    format!(
                        "\"{shown}\" is not host:port; write \"flume1:4141\", or [] for no Flume"
                    ),
                );
            } else if !seen.insert(peer) {
                at.fault("flume", format!("\"{peer}\" is named twice; name it once"));
            }
        }
        if !CONNECTIONS.contains(&self.flume_connections) {
            at.fault("flume_connections", "must be 1 to 8; 1 is the default");
        }
        let wire = self.wire(at);
        let (peers, connections) = (self.flume.clone(), size(self.flume_connections.into()));
        (!peers.is_empty()).then_some(Sink::Flume(Flume { peers, wire, connections }))
    }

    /// Flume's source speaks one of the three: with both, its decoders stand in the wrong order and nothing passes.
    fn wire(&self, at: &mut At<'_>) -> Wire {
        if !self.flume_ca_file.is_empty() && !self.flume_ca_file.starts_with('/') {
            at.fault(
                "flume_ca_file",
                "must be the absolute path of a PEM file, or \"\" for the system's authorities",
            );
        }
        if !self.flume_ca_file.is_empty() && !self.flume_tls {
            at.fault("flume_ca_file", "means nothing without flume_tls = true");
        }
        match (self.flume_tls, self.flume_compression) {
            (true, Compression::Deflate) => {
                at.fault(
                    "flume_compression",
                    "Flume's Avro source cannot do TLS and deflate together: set one of the two",
                );
                Wire::Plain
            }
            (true, Compression::None) => Wire::Tls(given(&self.flume_ca_file)),
            (false, Compression::Deflate) => Wire::Deflate,
            (false, Compression::None) => Wire::Plain,
        }
    }

    fn multiline(&self, at: &mut At<'_>) -> Option<Multiline> {
        if self.multiline.is_empty() {
            return None;
        }
        let parsed = Multiline::parse(&self.multiline);
        parsed
            .inspect_err(|e| {
                let why = e.to_string();
                let why = why.lines().last().unwrap_or_default().trim();
                at.fault("multiline", format!("no regular expression ({why}); write \"java\", the pattern of an event's first line such as '^\\d{{4}}-', or \"\" for none"));
            })
            .ok()
    }

    fn viewers(&self, at: &mut At<'_>) -> Limits {
        let numbers = [
            ("viewers", self.viewers),
            ("viewers_per_instance", self.viewers_per_instance),
            ("viewers_per_ticket", self.viewers_per_ticket),
        ];
        for (key, number) in numbers {
            if !VIEWERS.contains(&number) {
                at.fault(key, "must be 1 to 10000");
            }
        }
        let [node, instance, ticket] = numbers.map(|(_, number)| size(number.into()));
        Limits { ticket, instance, node }
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn given(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn check_globs(key: &str, globs: &[String], at: &mut At<'_>) {
    if globs.len() > MOST_GLOBS {
        at.fault(key, format!("at most {MOST_GLOBS} patterns"));
    }
    for glob in globs {
        let shown = glob.escape_debug();
        if glob.starts_with('/') {
            at.fault(
                key,
                format!("\"{shown}\": leave out the leading /, paths count from the log volume"),
            );
        } else if let Err(e) = compiled(glob) {
            at.fault(
                key,
                format!("\"{shown}\": {}; a glob such as \"**/*.log\" is wanted", e.kind()),
            );
        }
    }
}

/// `scheme://host` or `scheme://host:port`, as a browser says it.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    text::is_http_url(text)
        && rest.is_some_and(|host| !host.contains(['/', '?', '#', '@']))
        && !text.chars().any(|c| c.is_ascii_uppercase())
}
