//! `[node]`: who this host is.

use super::{At, Certificate, text};
use crate::ids::NodeName;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The host, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name; the hostname unless configured.
    pub name: NodeName,
    /// Its data centre.
    pub dc: String,
    /// What the daemons keep: one folder per daemon beneath. Absolute.
    pub state_dir: PathBuf,
    /// The Docker engine's address as configured, `unix:///absolute/path`; None if there is no Docker here.
    pub docker: Option<String>,
    /// The Mesos agent's address, `http://host:port`; None if this is no Mesos slave.
    pub mesos_agent: Option<String>,
    /// What the agents' own HTTP sides prove themselves with; None: no TLS there.
    pub tls: Option<Certificate>,
}

impl Node {
    /// Path of the Docker engine's socket.
    pub fn docker_socket(&self) -> Option<PathBuf> {
        self.docker.as_deref().and_then(|d| d.strip_prefix("unix://")).map(PathBuf::from)
    }
}

/// `[node]` as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    name: String,
    dc: String,
    state_dir: String,
    docker: String,
    mesos_agent: String,
    cert: String,
    key: String,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            name: String::new(),
            dc: "dc1".into(),
            state_dir: "/var/lib/qae".into(),
            docker: "unix:///var/run/docker.sock".into(),
            mesos_agent: String::new(),
            cert: String::new(),
            key: String::new(),
        }
    }
}

impl super::Section for Section {
    const NAME: &'static str = "node";
    type Checked = Node;

    fn check(&mut self, at: &mut At<'_>) -> Node {
        if self.name.is_empty() {
            self.name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        }
        if self.dc.is_empty() {
            at.fault("dc", "must not be empty; \"dc1\" is the default");
        }
        if !self.state_dir.starts_with('/') {
            at.fault("state_dir", "must be an absolute path, such as \"/var/lib/qae\"");
        }
        if !self.docker.is_empty() && !self.docker.starts_with("unix:///") {
            at.fault(
                "docker",
                "must be a socket of this host, \"unix:///var/run/docker.sock\", or \"\" for no Docker",
            );
        }
        if !self.mesos_agent.is_empty() && !text::is_http_url(&self.mesos_agent) {
            at.fault(
                "mesos_agent",
                "must be the agent's address, such as \"http://127.0.0.1:5051\", or \"\" for no Mesos",
            );
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Node {
            name: NodeName::new(self.name.as_str()),
            dc: self.dc.clone(),
            state_dir: PathBuf::from(&self.state_dir),
            docker: given(&self.docker),
            mesos_agent: given(&self.mesos_agent),
            tls: Certificate::typed(&self.cert, &self.key, at),
        }
    }
}
