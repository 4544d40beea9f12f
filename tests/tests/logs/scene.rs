//! A centre, the agents of one node, and a real container that writes to its log volume.

use anyhow::{Context, Result};
use e2e::docker::{Container, Docker, SOCKET};
use e2e::{centre, dadvisor, log_agent};
use std::fs;
use tempfile::NamedTempFile;

/// All of it; ends with this.
pub struct Scene {
    /// The engine, as this test uses it.
    pub docker: Docker,
    /// The centre.
    pub centre: centre::Centre,
    /// log-agent's config, state and volumes; it is not started.
    pub home: log_agent::Home,
    /// The container's app.
    pub app: String,
    /// Its config and state.
    pub centre_home: centre::Home,
    _dadvisor: (dadvisor::Home, dadvisor::Dadvisor),
    _token: NamedTempFile,
}

impl Scene {
    /// Of this name, with more lines of `[log-agent]`.
    pub fn new(name: &str, more: &str) -> Result<Self> {
        Self::with(name, more, "", &centre::Settings::default())
    }

    /// Likewise, with more lines of both agents' `[node]`, and with the centre's settings.
    pub fn with(name: &str, more: &str, node: &str, settings: &centre::Settings) -> Result<Self> {
        let docker = Docker::system(name)?;
        let home = centre::Home::new(settings)?;
        let centre = home.start()?;
        let token = NamedTempFile::new()?;
        fs::write(token.path(), centre.node_token("e2e")?)?;
        let address = &centre.address;
        let api = format!("[api]\nurl = \"http://{address}\"\ntoken_file = {:?}\n", token.path());
        let seen = dadvisor::Settings { more: api.clone(), ..dadvisor::Settings::default() };
        let seen = dadvisor::Home::new(&seen)?;
        let and_node = |text: &str| text.replacen("[node]\n", &format!("[node]\n{node}"), 1);
        seen.edit(and_node)?;
        let running = seen.start()?;
        let agent = log_agent::Home::new(&log_agent::Settings {
            docker: SOCKET.into(),
            more: format!("{more}\n{api}"),
            ..log_agent::Settings::default()
        })?;
        agent.edit(and_node)?;
        Ok(Self {
            docker,
            centre,
            home: agent,
            app: format!("e2e/{name}{}", std::process::id()),
            centre_home: home,
            _dadvisor: (seen, running),
            _token: token,
        })
    }

    /// Starts a container of the app with a log volume.
    pub fn run(&self, script: &str) -> Result<Container> {
        let label = format!("qae.app={}", self.app);
        self.docker.run("writer", &["--label", &label, "-v", "/qae/logs"], script)
    }

    /// A ticket for the app's one instance: where its agent listens, the ticket, the instance.
    pub fn ticket(&self) -> Result<(String, String, String)> {
        let body = serde_json::json!({ "app": self.app }).to_string();
        let made = self.centre.call("POST", "/v1/tickets", &body)?.json()?;
        let of = &made["instances"][0];
        let text = |key: &str| {
            of[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {made}"))
        };
        let address = text("address")?;
        let address = address.strip_prefix("http://").context("not http")?.to_owned();
        Ok((address, text("ticket")?, text("instance")?))
    }
}
