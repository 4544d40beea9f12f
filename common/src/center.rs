//! The agents' one client of the centre: it tells what an agent knows, and brings what the agent wants to know (contracts.md sections 1
//! and 2).
//!
//! - **A report** goes every 10 s, at once when it changed, whole or, if the centre knows that digest, as an empty body ([`Center::report`]).
//! - **A scope is followed**: snapshot, then events; the copy is on disk too, and compared with the centre every 5 minutes
//!   ([`Center::follow`]).
//! - The centre being away is a state, not a fault: one log line when it begins and one when it ends, tries 1 s to 30 s apart with full jitter,
//!   what was known stays. Nothing here ever waits for it.
//! - The token's file is read for every conversation: a new token needs no restart.

mod address;
mod ask;
mod error;
mod follow;
mod keys;
mod last_good;
mod packed;
pub mod replica;
mod report;
mod run;
pub mod sse;
mod status;
mod whoami;

pub use address::Door;
pub use error::Error;
pub use follow::Follower;
pub use keys::keys;
pub use run::run_id;
pub use status::{Link, Stats, Status};
pub use whoami::{Me, whoami};

use crate::api_types::{Report, Topic};
use crate::config::api::Api;
use crate::http::{HeaderValue, Options, Request, Url, bearer, header};
use crate::ids::NodeName;
use crate::tls;
use error::token;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Most bytes of a snapshot.
const MAX_SNAPSHOT: usize = 256 << 20;
/// Most bytes of any other answer.
const MAX_ANSWER: usize = 64 << 10;

/// Who talks to which centre.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub api: Api,
    /// This host.
    pub node: NodeName,
    /// Which agent of it: `dadvisor`.
    pub agent: &'static str,
    /// Where last good copies are kept; the directory exists.
    pub state_dir: PathBuf,
    /// How fast.
    pub pace: Pace,
}

/// How often, and how long. The default is what contracts.md says; tests are less patient.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two reports, until the centre asks for another pace.
    pub every: Duration,
    /// How long a change waits for others before it is told.
    pub gather: Duration,
    /// For a report; a snapshot may take three of them.
    pub timeout: Duration,
    /// Silence of the event stream after which it is given up: two heartbeats.
    pub silence: Duration,
    /// Between two comparisons of digests, give or take a quarter.
    pub compare: Duration,
    /// Shortest time between two writes of a last good copy.
    pub save: Duration,
    /// Multiplies the waits between tries, 1 s to 30 s.
    pub patience: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            gather: Duration::from_millis(100),
            timeout: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            compare: Duration::from_secs(300),
            save: Duration::from_secs(5),
            patience: 1.0,
        }
    }
}

/// What every conversation needs.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    tls: Option<tls::Client>,
    run: String,
    stats: Stats,
}

/// The client. Clones talk for the same agent.
#[derive(Debug, Clone)]
pub struct Center {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Center {
    /// Ready to talk; nothing is sent yet. What is started on it runs on `tasks` and ends with `stop`.
    pub fn start(
        settings: Settings,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Self, tls::Error> {
        let tls = match &settings.api.url {
            url if url.tls() => Some(tls::Client::load(settings.api.ca_file.as_deref())?),
            _ => None,
        };
        let shared = Shared { settings, tls, run: run_id(), stats: Stats::default() };
        Ok(Self { shared: Arc::new(shared), tasks: tasks.clone(), stop: stop.clone() })
    }

    /// Tells the centre what `reports` holds, now and whenever it changes, until the stop; the last word is that the agent stops.
    pub fn report(&self, reports: watch::Receiver<Report>) {
        let reporter = report::Reporter::new(Arc::clone(&self.shared));
        self.tasks.spawn(reporter.run(reports, self.stop.clone()));
    }

    /// Keeps a copy of what these topics are about, beginning with the last good one. A copy that was made before is there at once.
    pub fn follow(&self, topics: &[Topic]) -> Follower {
        follow::start(&self.shared, topics, &self.tasks, &self.stop)
    }

    /// How it goes.
    pub fn status(&self) -> Status {
        self.shared.stats.status()
    }
}

impl Shared {
    fn url(&self, path: &str) -> Url {
        self.settings.api.url.at(path)
    }

    fn options(&self, timeout: Duration, max_body: usize) -> Options {
        Options { timeout, max_body, tls: self.tls.clone(), ..Options::default() }
    }

    /// The request with the token and the name of this run.
    fn signed(&self, request: Request) -> Result<Request, Error> {
        let path = &self.settings.api.token_file;
        let token = bearer(&token(path)?).ok_or_else(|| Error::NoToken { path: path.clone() })?;
        Ok(request.header(header::AUTHORIZATION, token))
    }
}

/// Text as one component of a path or one value of a query.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// For fuzz targets; see [`crate::fuzzing`].
pub mod fuzzing {
    /// As ids stand in a path.
    pub fn escaped(text: &str) -> String {
        super::escaped(text)
    }
}

/// A header's value; what is no such thing is told as an answer that cannot be used.
fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| Error::Header)
}

#[cfg(test)]
mod tests;
