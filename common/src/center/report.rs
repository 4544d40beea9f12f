//! The report: what an agent knows, told every 10 s and at once when it changed.

use super::error::refusal;
use super::status::Talk;
use super::{Error, MAX_ANSWER, Shared, escaped, value};
use crate::api_types::{AgentState, HEADER_DIGEST, HEADER_RUN, Report, digest};
use crate::backoff::{Backoff, random};
use crate::http::{HeaderName, Method, Request, Session, Url};
use crate::logging::Episode;
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// What the centre may ask for as the time between two reports.
const SLOWEST: Duration = Duration::from_secs(300);
/// For the last word.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the centre answers.
#[derive(Debug, Deserialize)]
struct Accepted {
    #[serde(default)]
    every_seconds: Option<u64>,
}

/// Tells reports.
pub(super) struct Reporter {
    shared: Arc<Shared>,
    url: Url,
    session: Session,
    body: Bytes,
    digest: String,
    /// The digest that the centre is known to have.
    known: Option<String>,
    every: Duration,
    backoff: Backoff,
    episode: Episode,
}

impl Reporter {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let settings = &shared.settings;
        let path =
            format!("/v1/nodes/{}/agents/{}", escaped(settings.node.as_str()), settings.agent);
        Self {
            url: shared.url(&path),
            session: Session::new(shared.options(settings.pace.timeout, MAX_ANSWER)),
            body: Bytes::new(),
            digest: String::new(),
            known: None,
            every: settings.pace.every,
            backoff: Backoff::default(),
            episode: Episode::new("reports to the centre"),
            shared,
        }
    }

    pub(super) async fn run(
        mut self,
        mut reports: watch::Receiver<Report>,
        stop: CancellationToken,
    ) {
        let gather = self.shared.settings.pace.gather;
        let mut next = Instant::now();
        loop {
            let wait = async {
                let away = self.episode.is_failing();
                tokio::select! {
                    () = sleep_until(next) => {}
                    // while the centre is away a change waits for the next try
                    Ok(()) = reports.changed(), if !away => sleep(gather).await,
                }
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                break;
            }
            self.take(&reports.borrow_and_update());
            let Some(told) = stop.run_until_cancelled(self.tell()).await else { break };
            next = Instant::now() + self.settle(told);
        }
        if !self.episode.is_failing() {
            self.say_goodbye(&reports).await;
        }
    }

    fn take(&mut self, report: &Report) {
        let digest = digest::hash(report);
        if digest != self.digest {
            // texts and numbers in maps with keys of text: nothing of it can fail to print
            self.body = serde_json::to_vec(report).unwrap_or_default().into();
            self.digest = digest;
        }
    }

    /// One report, once more if the centre does not know the digest after all.
    async fn tell(&mut self) -> Result<Accepted, Error> {
        let whole = self.known.as_ref() != Some(&self.digest);
        match self.put(whole).await {
            Err(error) if !whole && error.refused() == Some((409, "digest_unknown")) => {
                self.shared.stats.reports_unknown.fetch_add(1, Relaxed);
                self.known = None;
                self.put(true).await
            }
            told => told,
        }
    }

    async fn put(&mut self, whole: bool) -> Result<Accepted, Error> {
        let mut request = self
            .shared
            .signed(Request::new(Method::PUT))?
            .header(HeaderName::from_static(HEADER_DIGEST), value(&self.digest)?)
            .header(HeaderName::from_static(HEADER_RUN), value(&self.shared.run)?);
        if whole {
            request = request.body("application/json", self.body.clone());
        }
        let answer = self.session.send(&self.url, &request).await?;
        if !answer.is_success() {
            return Err(refusal(&self.url, &answer));
        }
        let accepted = serde_json::from_slice(&answer.body).map_err(|cause| Error::Answer {
            url: self.url.to_string(),
            why: format!("its answer to a report cannot be read: {cause}"),
        })?;
        let stats = &self.shared.stats;
        let count = if whole { &stats.reports_whole } else { &stats.reports_empty };
        count.fetch_add(1, Relaxed);
        self.known = Some(self.digest.clone());
        Ok(accepted)
    }

    /// What follows from the outcome: how long to wait.
    fn settle(&mut self, told: Result<Accepted, Error>) -> Duration {
        match told {
            Ok(Accepted { every_seconds }) => {
                if let Some(seconds) = every_seconds.filter(|s| *s > 0) {
                    self.every = Duration::from_secs(seconds).min(SLOWEST);
                }
                self.backoff.worked();
                self.episode.recovered();
                self.shared.stats.good(Talk::Report);
                self.every
            }
            Err(error) => {
                self.shared.stats.failed(Talk::Report, &error);
                self.episode.failed(&error);
                let wait = self.backoff.failed(random());
                let wait = wait.mul_f64(self.shared.settings.pace.patience);
                wait.max(error.pause().unwrap_or_default())
            }
        }
    }

    /// So that the centre does not have to find out by silence.
    async fn say_goodbye(&mut self, reports: &watch::Receiver<Report>) {
        let last =
            Report { state: AgentState::Stopping, note: String::new(), ..reports.borrow().clone() };
        self.take(&last);
        match timeout(GOODBYE, self.tell()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the centre does not take the last report"),
            Err(_) => tracing::debug!("the centre does not take the last report in time"),
        }
    }
}
