//! Asking one cluster: who leads, its lists, its stream.
//!
//! Promise: the password goes to no server but those of [`Hosts`], redirects are followed a few times and only among them, and everything
//! is bounded in time and size.

use super::hosts::{Hosts, Refusal};
use super::translate::{self, Translated};
use super::wire::{self, Info, Leader, ListError, TYPES};
use common::http::{self, Basic, Options, Request, Response, Session, Streaming, Url, header};
use common::ids::AppId;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most redirects in a row.
const REDIRECTS: usize = 3;
/// For a question about the server, and until the stream's headers are there.
const SHORT: Duration = Duration::from_secs(10);
/// For a whole list.
const LIST: Duration = Duration::from_secs(30);
/// Largest list, in bytes: 10,000 tasks are about 10 MB.
const LIST_BYTES: usize = 128 << 20;
/// Largest app with its tasks.
const APP_BYTES: usize = 32 << 20;
/// Largest answer about the server itself.
const INFO_BYTES: usize = 1 << 20;
/// Largest password file.
const PASSWORD_BYTES: u64 = 4096;

/// Why an answer is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No answer.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Not an answer that is of use.
    #[error("{url}: answered {status}: {said}")]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        said: String,
    },
    /// Wrong password, or none.
    #[error(
        "{url}: answered {status}: set `user` and `password_file` of this [[cluster]] to an account that may read"
    )]
    Unauthorized {
        /// What was asked.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// A redirect that is not followed.
    #[error("{url}: redirects to another server: {why}")]
    Redirect {
        /// What was asked.
        url: String,
        /// Why it is not.
        why: Refusal,
    },
    /// A redirect after a redirect.
    #[error("{url}: redirects in a circle")]
    Redirects {
        /// What was asked first.
        url: String,
    },
    /// No list.
    #[error("{url}: {why}")]
    List {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        why: ListError,
    },
    /// Nobody leads.
    #[error("{url}: no Marathon leads")]
    NoLeader {
        /// Who was asked.
        url: String,
    },
    /// The password cannot be read.
    #[error("{}: cannot read the password: {why}", path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The answer could not be worked on.
    #[error("reading the answer of {url} failed")]
    Lost {
        /// What was asked.
        url: String,
    },
}

/// The client of one cluster.
#[derive(Debug)]
pub struct Client {
    /// Who may be asked.
    pub hosts: Hosts,
    session: Session,
    refused: u64,
}

impl Client {
    /// Nothing is connected yet.
    pub fn new(configured: Vec<Url>) -> Self {
        let hosts = Hosts::new(configured);
        Self { hosts, session: Session::new(Options::default()), refused: 0 }
    }

    /// Who to be there. Read anew for every connection: a password is changed without a restart.
    pub async fn identify(
        &mut self,
        user: Option<&str>,
        password_file: Option<&Path>,
    ) -> Result<(), Trouble> {
        self.session.options().basic = match (user, password_file) {
            (Some(user), Some(path)) => Some(Basic::new(user, &password(path).await?)),
            _ => None,
        };
        Ok(())
    }

    /// Redirects that were not followed, since this was asked last.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Asks a configured server of itself, and who leads.
    pub async fn info(&mut self, url: &Url) -> Result<Info, Trouble> {
        self.hosts.forget_leader();
        let answer = self.get(&url.at("/v2/info"), SHORT, INFO_BYTES).await?;
        let info: Info = wire::read(&answer.body)
            .map_err(|e| Trouble::List { url: url.to_string(), why: e.into() })?;
        let header = answer.header("x-marathon-leader").map(str::to_owned);
        match header.or_else(|| info.leader.clone()) {
            Some(leader) => self.hosts.announce(url, &leader),
            None => {
                let answer = self.get(&url.at("/v2/leader"), SHORT, INFO_BYTES).await;
                if matches!(answer, Err(Trouble::Status { status: 404, .. })) {
                    return Err(Trouble::NoLeader { url: url.to_string() });
                }
                let told: Leader = wire::read(&answer?.body).unwrap_or_default();
                let leader = told.leader.as_deref();
                leader.into_iter().for_each(|leader| self.hosts.announce(url, leader));
            }
        }
        Ok(info)
    }

    /// All apps with their tasks; what was out of bounds is counted.
    pub async fn list(&mut self, base: &Url) -> Result<(Vec<Translated>, u64), Trouble> {
        let url = base.at("/v2/apps?embed=apps.tasks");
        let answer = self.get(&url, LIST, LIST_BYTES).await?;
        let apps = worked(&url, move || wire::read_apps(&answer.body)).await?;
        // a Marathon that does not know how to embed: its tasks are in a list of their own
        let bare = apps.iter().any(|app| {
            app.tasks.is_none()
                && app.tasks_running.unwrap_or(1) + app.tasks_staged.unwrap_or(1) > 0
        });
        let tasks = if bare {
            let url = base.at("/v2/tasks");
            let answer = self.get(&url, LIST, LIST_BYTES).await?;
            worked(&url, move || wire::read_tasks(&answer.body)).await?
        } else {
            Vec::new()
        };
        worked(&url, move || {
            let mut left_out = 0;
            let apps = translate::apps(wire::with_tasks(apps, tasks), &mut left_out);
            Ok((apps, left_out))
        })
        .await
    }

    /// One app with its tasks, None if there is none; what was out of bounds is counted.
    pub async fn app(
        &mut self,
        base: &Url,
        app: &AppId,
    ) -> Result<(Option<Translated>, u64), Trouble> {
        let url = base.at(&format!("/v2/apps/{}", escaped(app.as_str())));
        let answer = match self.get(&url, SHORT, APP_BYTES).await {
            Err(Trouble::Status { status: 404, .. }) => return Ok((None, 0)),
            answer => answer?,
        };
        worked(&url, move || {
            let mut left_out = 0;
            let app = translate::app(wire::read_app(&answer.body)?, &mut left_out);
            Ok((app, left_out))
        })
        .await
    }

    /// Opens the stream at this server, or where it redirects to. Ok(None): this Marathon has no stream.
    pub async fn stream(&mut self, base: &Url) -> Result<Option<(Url, Streaming)>, Trouble> {
        // one header line that is exactly this, or Jetty answers 405
        let options = Options {
            timeout: SHORT,
            accept: "text/event-stream",
            ..self.session.options().clone()
        };
        let types: String = TYPES.iter().map(|t| format!("&event_type={t}")).collect();
        let mut url = base.at(&format!("/v2/events?plan-format=light{types}"));
        for _ in 0..=REDIRECTS {
            self.check(&url)?;
            let answer = http::open(&url, &Request::get(), &options).await?;
            let shown = url.at("/v2/events").to_string();
            match answer.status() {
                200 if text(&answer, header::CONTENT_TYPE).starts_with("text/event-stream") => {
                    return Ok(Some((url.at("/"), answer)));
                }
                404..=406 => return Ok(None),
                301 | 302 | 303 | 307 | 308 => {
                    url = self.redirect(&url, &shown, &text(&answer, header::LOCATION))?;
                }
                status @ (401 | 403) => return Err(Trouble::Unauthorized { url: shown, status }),
                status => {
                    let rest = tokio::time::timeout(SHORT, answer.whole(INFO_BYTES)).await;
                    let said = rest.ok().and_then(Result::ok).map(|a| a.said()).unwrap_or_default();
                    return Err(Trouble::Status { url: shown, status, said });
                }
            }
        }
        Err(Trouble::Redirects { url: base.at("/v2/events").to_string() })
    }

    async fn get(&mut self, url: &Url, within: Duration, most: usize) -> Result<Response, Trouble> {
        let options = self.session.options();
        (options.timeout, options.max_body) = (within, most);
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            self.check(&at)?;
            let answer = self.session.send(&at, &Request::get()).await?;
            let shown = || at.to_string();
            match answer.status {
                200..=299 => return Ok(answer),
                301 | 302 | 303 | 307 | 308 => {
                    let location = answer.header("location").unwrap_or_default();
                    at = self.redirect(&at, &shown(), location)?;
                }
                status @ (401 | 403) => return Err(Trouble::Unauthorized { url: shown(), status }),
                status => {
                    return Err(Trouble::Status { url: shown(), status, said: answer.said() });
                }
            }
        }
        Err(Trouble::Redirects { url: url.to_string() })
    }

    fn check(&mut self, url: &Url) -> Result<(), Trouble> {
        let refused = self.hosts.check(url);
        refused.map_err(|why| Trouble::Redirect { url: url.at("/").to_string(), why })
    }

    fn redirect(&mut self, from: &Url, shown: &str, location: &str) -> Result<Url, Trouble> {
        self.hosts.redirect(from, location).map_err(|why| {
            self.refused += 1;
            Trouble::Redirect { url: shown.to_owned(), why }
        })
    }
}

/// A header, empty if there is none.
fn text(answer: &Streaming, name: header::HeaderName) -> String {
    let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Reads a large answer on a thread that may be busy for a while.
async fn worked<T: Send + 'static>(
    url: &Url,
    work: impl FnOnce() -> Result<T, ListError> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|why| Trouble::List { url: url.to_string(), why }),
        Err(_) => Err(Trouble::Lost { url: url.to_string() }),
    }
}

/// One line of a small file.
async fn password(path: &Path) -> Result<String, Trouble> {
    let trouble = |why: String| Trouble::Password { path: path.to_owned(), why };
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let mut text = String::new();
        std::fs::File::open(owned)?.take(PASSWORD_BYTES + 1).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    });
    let text =
        read.await.map_err(|e| trouble(e.to_string()))?.map_err(|e| trouble(e.to_string()))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || text.len() as u64 > PASSWORD_BYTES || line.contains(['\r', '\n']) {
        return Err(trouble("it does not hold one line with a password".to_owned()));
    }
    Ok(line.to_owned())
}

/// An app's id in a path: its slashes stay.
fn escaped(id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    id.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
