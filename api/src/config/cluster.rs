//! `[[cluster]]`: a scheduler of a data centre.

use common::config::{self, At, Fault};
use common::http::Url;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::PathBuf;

/// The cluster of containers without a scheduler, where none is configured for their data centre.
pub const LOCAL: &str = "local";

/// What kind of scheduler it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Plain Docker: the nodes' dadvisors tell what runs; here it only gives the data centre's plain containers their cluster's name.
    Docker,
    /// Marathon.
    Marathon,
}

impl Kind {
    /// As in the config file and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Marathon => "marathon",
        }
    }
}

/// A cluster, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name, first part of the keys of its instances.
    pub name: String,
    /// Data centre.
    pub dc: String,
    /// Its kind.
    pub kind: Kind,
    /// Where the scheduler is, in the order they are tried; empty for Docker.
    pub url: Vec<Url>,
    /// Who to be there; None if it asks nobody.
    pub user: Option<String>,
    /// File with that user's password, one line.
    pub password_file: Option<PathBuf>,
}

/// `[[cluster]]` as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    name: String,
    dc: String,
    kind: Kind,
    url: Vec<String>,
    user: String,
    password_file: String,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            name: LOCAL.into(),
            dc: "dc1".into(),
            kind: Kind::Docker,
            url: Vec::new(),
            user: String::new(),
            password_file: String::new(),
        }
    }
}

/// Longest name of a cluster, in bytes.
const LONGEST: usize = 64;

impl config::Section for Section {
    const NAME: &'static str = "cluster";
    type Checked = Cluster;

    fn check(&mut self, at: &mut At<'_>) -> Cluster {
        if !is_name(&self.name) {
            at.fault("name", "must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit");
        }
        if self.dc.is_empty() {
            at.fault("dc", "must not be empty; \"dc1\" is the default");
        }
        let url = match self.kind {
            Kind::Docker => {
                if self.url.iter().any(|url| !url.starts_with("unix:///")) {
                    at.fault("url", "a Docker cluster is told of by the dadvisor on each of its nodes; write [], or kind = \"marathon\"");
                }
                Vec::new()
            }
            Kind::Marathon => self.marathon(at),
        };
        if self.user.contains([':', '\n']) {
            at.fault("user", "must be a name without a colon");
        }
        if !self.password_file.is_empty() && !self.password_file.starts_with('/') {
            at.fault(
                "password_file",
                "must be the absolute path of a file that holds the password",
            );
        }
        if self.user.is_empty() != self.password_file.is_empty() {
            let (there, missing) = if self.user.is_empty() {
                ("password_file", "user")
            } else {
                ("user", "password_file")
            };
            at.fault(there, format!("needs `{missing}` too"));
        }
        Cluster {
            name: self.name.clone(),
            dc: self.dc.clone(),
            kind: self.kind,
            url,
            user: (!self.user.is_empty()).then(|| self.user.clone()),
            password_file: (!self.password_file.is_empty())
                .then(|| self.password_file.clone().into()),
        }
    }
}

impl Section {
    fn marathon(&self, at: &mut At<'_>) -> Vec<Url> {
        if self.url.is_empty() {
            at.fault(
                "url",
                "a Marathon cluster needs its addresses, [\"http://m1:8080\", \"http://m2:8080\"]",
            );
        }
        let mut out = Vec::new();
        for typed in &self.url {
            match Url::parse(typed) {
                Ok(url) if url.path() == "/" => out.push(url),
                Ok(_) => at.fault(
                    "url",
                    format!("\"{}\": leave out what follows the port", typed.escape_debug()),
                ),
                Err(e) => at.fault("url", e.to_string()),
            }
        }
        out
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    name.len() <= LONGEST
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(allowed)
}

/// What is wrong with the clusters taken together: instances are told apart by their cluster's name, and a plain container has only
/// its data centre to tell which Docker cluster it is of.
pub(super) fn clashes(clusters: &[Cluster]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, value: &str, why: &str| {
        faults.push(Fault::Value {
            line: 0,
            section: "cluster".to_owned(),
            key: key.to_owned(),
            value: format!("{value:?}"),
            why: why.to_owned(),
        });
    };
    let mut names = HashSet::new();
    let mut docker = HashSet::new();
    for cluster in clusters {
        if !names.insert(cluster.name.as_str()) {
            fault("name", &cluster.name, "two clusters have this name; give each its own");
        }
        if cluster.kind == Kind::Docker && !docker.insert(cluster.dc.as_str()) {
            fault(
                "dc",
                &cluster.dc,
                "two Docker clusters are in this data centre; one takes all of its plain containers",
            );
        }
    }
    if clusters.iter().any(|c| c.name == LOCAL && c.kind == Kind::Marathon) {
        fault(
            "name",
            LOCAL,
            "this is the name for containers without a scheduler; name the Marathon otherwise",
        );
    }
    faults
}
