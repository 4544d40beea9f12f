//! `[graphite]`: where metrics go, and in which form.

use super::{At, text};
use crate::carbon::{self, Protocol};
use crate::metric::Style;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

/// Graphite, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graphite {
    /// `host:port` of each destination, in order of preference; empty = no Graphite.
    pub carbon: Vec<String>,
    /// What they speak.
    pub protocol: Protocol,
    /// First component or components of every path.
    pub prefix: String,
    /// How series are named.
    pub style: Style,
    /// Most bytes the spool may take on disk.
    pub spool_max: u64,
    /// How long an acknowledged batch is kept to be sent again if carbon ends.
    pub replay_window: Duration,
    /// Points per second at which the spool is drained.
    pub drain_rate: u32,
    /// graphite-web's address; None if not configured.
    pub render_url: Option<String>,
}

impl Graphite {
    /// How a daemon sends there, with its spool beneath `state`. A fresh batch is held back by at most `splay`.
    pub fn carbon(&self, state: &Path, splay: Duration) -> carbon::Settings {
        carbon::Settings {
            protocol: self.protocol,
            spool_max: self.spool_max,
            replay_window: self.replay_window,
            drain_rate: self.drain_rate,
            splay,
            ..carbon::Settings::new(self.carbon.clone(), state.join("spool"))
        }
    }
}

/// [`Style`] as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TypedStyle {
    Path,
    Tags,
}

/// `[graphite]` as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    carbon: Vec<String>,
    protocol: Protocol,
    prefix: String,
    style: TypedStyle,
    #[serde(with = "text::size")]
    spool_max: u64,
    #[serde(with = "text::duration")]
    replay_window: Duration,
    drain_rate: u32,
    render_url: String,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            carbon: vec!["127.0.0.1:2003".into()],
            protocol: Protocol::Plaintext,
            prefix: "qae".into(),
            style: TypedStyle::Path,
            spool_max: 512 << 20,
            replay_window: Duration::from_secs(30),
            drain_rate: 50_000,
            render_url: String::new(),
        }
    }
}

/// Least [`Graphite::spool_max`]: a few segment files.
const SPOOL_LEAST: u64 = 1 << 20;
/// Longest [`Graphite::replay_window`].
const REPLAY_LONGEST: Duration = Duration::from_secs(600);

impl super::Section for Section {
    const NAME: &'static str = "graphite";
    type Checked = Graphite;

    fn check(&mut self, at: &mut At<'_>) -> Graphite {
        let mut seen = HashSet::new();
        for destination in &self.carbon {
            if !text::is_host_port(destination) {
                let shown = destination.escape_debug();
                at.fault("carbon", format!("\"{shown}\" is not host:port; write \"127.0.0.1:2003\", or [] for no Graphite"));
            } else if !seen.insert(destination) {
                at.fault("carbon", format!("\"{destination}\" is named twice; name it once"));
            }
        }
        if self.spool_max < SPOOL_LEAST {
            at.fault("spool_max", "too small; at least \"1MiB\"");
        }
        if self.replay_window > REPLAY_LONGEST {
            at.fault("replay_window", "too long; at most \"10m\", \"30s\" is ample");
        }
        if self.drain_rate == 0 {
            at.fault("drain_rate", "must be at least 1 point per second; 50000 is the default");
        }
        if !self.render_url.is_empty() && !text::is_http_url(&self.render_url) {
            at.fault(
                "render_url",
                "must be graphite-web's address, such as \"http://graphite:8080\", or \"\"",
            );
        }
        Graphite {
            carbon: self.carbon.clone(),
            protocol: self.protocol,
            prefix: self.prefix.clone(),
            style: match self.style {
                TypedStyle::Path => Style::Path,
                TypedStyle::Tags => Style::Tags,
            },
            spool_max: self.spool_max,
            replay_window: self.replay_window,
            drain_rate: self.drain_rate,
            render_url: (!self.render_url.is_empty()).then(|| self.render_url.clone()),
        }
    }
}
