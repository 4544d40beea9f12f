//! The built `qae-api`, run as a user would run it, and asked with the token of its first start.

use crate::daemon::Daemon;
use crate::home;
use crate::http::{self, Answer};
use crate::sse::Sse;
use crate::wait::eventually;
use anyhow::{Context, Result};
use serde_json::Value;
use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::process::ExitStatus;
use std::time::Duration;

/// What goes into the config file; the rest is at its default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where it listens; empty for any free port.
    pub listen: String,
    /// `postgres://...`; empty for SQLite in the state directory.
    pub store: String,
    /// More lines of `[server]`, then other sections.
    pub more: String,
}

/// A config file and a state directory, which outlive the process.
#[derive(Debug)]
pub struct Home(home::Home);

impl Deref for Home {
    type Target = home::Home;

    fn deref(&self) -> &home::Home {
        &self.0
    }
}

impl Home {
    /// Writes the config.
    pub fn new(settings: &Settings) -> Result<Self> {
        let listen = if settings.listen.is_empty() { "127.0.0.1:0" } else { &settings.listen };
        let store = match settings.store.as_str() {
            "" => String::new(),
            url => format!("store = {url:?}\n"),
        };
        let home = home::Home::new("qae-api", |dir| {
            format!(
                "[node]\nname = \"e2e-api\"\ndc = \"dc1\"\nstate_dir = {:?}\n\n[graphite]\ncarbon = []\n\n[server]\nlisten = {listen:?}\n{store}{}\n",
                dir.join("state"),
                settings.more,
            )
        })?;
        Ok(Self(home))
    }

    /// Starts the daemon; it listens when this returns.
    pub fn start(&self) -> Result<Centre> {
        self.start_with::<&str, &str>([])
    }

    /// Starts it with more environment.
    pub fn start_with<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &self,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Centre> {
        let daemon = self.0.start_with(environment)?;
        let path = self.state().join("api/admin-token");
        let token = eventually(Duration::from_secs(5), "the admin token", || {
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        })?;
        Ok(Centre { daemon, token: token.trim().to_owned() })
    }
}

/// The running API, see [`Daemon`].
#[derive(Debug)]
pub struct Centre {
    daemon: Daemon,
    /// The admin's token.
    pub token: String,
}

impl Deref for Centre {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl DerefMut for Centre {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

impl Centre {
    /// Any request, with the admin's token.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.call_as(&self.token, method, path, body)
    }

    /// Any request, with a token.
    pub fn call_as(&self, token: &str, method: &str, path: &str, body: &str) -> Result<Answer> {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        http::request(&self.address, method, path, &headers, body)
    }

    /// A GET, as JSON.
    pub fn json(&self, path: &str) -> Result<Value> {
        self.call("GET", path, "")?.json().with_context(|| path.to_owned())
    }

    /// The items of a list.
    pub fn items(&self, path: &str) -> Result<Vec<Value>> {
        let list = self.json(path)?;
        list["items"].as_array().cloned().with_context(|| format!("no items in {list}"))
    }

    /// Follows the bus.
    pub fn follow(&self, topics: &str, after: &str) -> Result<Sse> {
        let path = format!("/v1/events?topics={topics}&after={after}");
        Sse::open(&self.address, &path, &self.token)
    }

    /// A token for a node's agents.
    pub fn node_token(&self, node: &str) -> Result<String> {
        let body = serde_json::json!({"name": format!("agents-{node}"), "node": node}).to_string();
        let made = self.call("POST", "/v1/tokens", &body)?.json()?;
        made["token"].as_str().map(str::to_owned).with_context(|| format!("no token in {made}"))
    }

    /// SIGKILL.
    pub fn kill(self) -> Result<()> {
        self.daemon.kill()
    }

    /// SIGTERM, and its end within the promised time.
    pub fn stop(self) -> Result<ExitStatus> {
        self.daemon.stop()
    }
}
