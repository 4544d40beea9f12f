//! A scope, followed: snapshot, then the stream of events, again and again.
//!
//! The stream is opened right after the event that the copy is at. What the copy cannot go on from (410, another epoch, an event that was lost
//! or cannot be read) is answered with a snapshot. Every five minutes the digests are compared: a difference is counted, said, and the
//! centre's word taken.

use super::error::refusal;
use super::last_good::{self, keep};
use super::replica::{Broken, Replica};
use super::sse::{Frame, Item, Parser};
use super::status::Talk;
use super::{Error, MAX_ANSWER, MAX_SNAPSHOT, Shared, escaped, packed, value};
use crate::api_types::digest::hex;
use crate::api_types::{Event, Snapshot, Topic};
use crate::backoff::{Backoff, random};
use crate::http::{HeaderValue, Request, Streaming, Url, header, open, send};
use crate::ids::Cursor;
use crate::logging::Episode;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Largest event.
const MAX_EVENT: usize = 4 << 20;
/// Longest pause that the centre may ask for with `retry:`.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// The copy, as its readers have it.
#[derive(Debug, Clone)]
pub struct Follower {
    /// The latest copy; None until there is one. Told of every change of its content, not of each step of its cursor.
    pub replica: watch::Receiver<Option<Arc<Replica>>>,
}

/// Starts the two tasks of a scope: one talks, one writes the copy.
pub(super) fn start(
    shared: &Arc<Shared>,
    topics: &[Topic],
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Follower {
    let mut topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
    topics.sort();
    topics.dedup();
    let topics = topics.join(",");
    let name = hex(&Sha256::digest(topics.as_bytes())[..6]);
    let path = shared.settings.state_dir.join(format!("center-{name}.json"));
    let past = last_good::load(&path, &topics).unwrap_or_else(|error| {
        shared.stats.copy_errors.fetch_add(1, Relaxed);
        tracing::warn!(%error, "starting without the last good copy of the centre's state");
        None
    });
    let (out, replica) = watch::channel(past.map(Arc::new));
    tasks.spawn({
        let (shared, topics, seen) = (Arc::clone(shared), topics.clone(), replica.clone());
        let (every, stop) = (shared.settings.pace.save, stop.clone());
        async move { keep(path, topics, seen, every, &shared.stats, stop).await }
    });
    let following = Following {
        shared: Arc::clone(shared),
        query: format!("topics={}", escaped(&topics)),
        out,
        stale: false,
        retry: Duration::ZERO,
        backoff: Backoff::default(),
        episode: Episode::new(format!("following the centre ({topics})")),
    };
    let stop = stop.clone();
    tasks.spawn(async move {
        // it never ends by itself
        stop.run_until_cancelled(following.run()).await;
    });
    Follower { replica }
}

struct Following {
    shared: Arc<Shared>,
    query: String,
    out: watch::Sender<Option<Arc<Replica>>>,
    /// The copy cannot be gone on from.
    stale: bool,
    /// What the centre asked for with `retry:`.
    retry: Duration,
    backoff: Backoff,
    episode: Episode,
}

/// A comparison under way: the centre's state as of a cursor that the copy has not reached yet.
struct Pending {
    cursor: Cursor,
    replica: Replica,
}

#[derive(Deserialize)]
struct Heartbeat {
    cursor: Cursor,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Closed {
    code: String,
    detail: String,
}

impl Following {
    async fn run(mut self) -> Infallible {
        loop {
            let Err(error) = self.converse().await;
            let pace = self.shared.settings.pace;
            self.shared.stats.failed(Talk::Follow, &error);
            self.episode.failed(&error);
            self.stale |= matches!(error, Error::Broken(_) | Error::TooLarge { .. })
                || error.refused().is_some_and(|(status, _)| status == 410);
            let wait = self.backoff.failed(random()).mul_f64(pace.patience);
            sleep(wait.max(self.retry).max(error.pause().unwrap_or_default())).await;
            self.shared.stats.reconnects.fetch_add(1, Relaxed);
        }
    }

    /// One conversation, until something ends it.
    async fn converse(&mut self) -> Result<Infallible, Error> {
        let stream = match self.connect().await {
            Err(error) if error.refused().is_some_and(|(status, _)| status == 410) => {
                // nothing is wrong: the copy is just too old
                self.shared.stats.gone.fetch_add(1, Relaxed);
                tracing::info!(%error, "taking a snapshot of the centre's state");
                self.stale = true;
                self.connect().await?
            }
            connected => connected?,
        };
        self.read(stream).await
    }

    async fn connect(&mut self) -> Result<(Url, Streaming), Error> {
        let cursor = self.out.borrow().as_ref().map(|replica| replica.cursor().clone());
        let cursor = match cursor.filter(|_| !self.stale) {
            Some(cursor) => cursor,
            None => self.take_snapshot().await?,
        };
        let url = self.shared.url(&format!("/v1/events?{}&after={cursor}", self.query));
        let accept = HeaderValue::from_static("text/event-stream");
        let request = self.shared.signed(Request::get().header(header::ACCEPT, accept))?;
        let pace = self.shared.settings.pace;
        let stream = open(&url, &request, &self.shared.options(pace.timeout, MAX_ANSWER)).await?;
        if stream.status() == 200 {
            return Ok((url, stream));
        }
        let late = |_| crate::http::Error::Timeout { url: url.to_string(), after: pace.timeout };
        let answer = timeout(pace.timeout, stream.whole(MAX_ANSWER)).await.map_err(late)??;
        Err(refusal(&url, &answer))
    }

    async fn take_snapshot(&mut self) -> Result<Cursor, Error> {
        let Some(replica) = self.ask(None).await? else {
            return Err(Error::Answer {
                url: self.shared.url("/v1/snapshot").to_string(),
                why: "304, though nothing was compared".to_owned(),
            });
        };
        let cursor = replica.cursor().clone();
        self.adopt(replica);
        Ok(cursor)
    }

    fn adopt(&mut self, replica: Replica) {
        self.shared.stats.snapshots.fetch_add(1, Relaxed);
        self.stale = false;
        self.out.send_replace(Some(Arc::new(replica)));
    }

    /// The centre's state; None if it is what `digest` says.
    async fn ask(&self, digest: Option<&str>) -> Result<Option<Replica>, Error> {
        let url = self.shared.url(&format!("/v1/snapshot?{}", self.query));
        let mut request = self.shared.signed(Request::get())?;
        request =
            request.header(header::ACCEPT_ENCODING, HeaderValue::from_static(packed::UNDERSTOOD));
        if let Some(digest) = digest {
            request = request.header(header::IF_NONE_MATCH, value(&format!("\"{digest}\""))?);
        }
        let options = self.shared.options(self.shared.settings.pace.timeout * 3, MAX_SNAPSHOT);
        let answer = send(&url, &request, &options).await?;
        match answer.status {
            304 => return Ok(None),
            200 => {}
            _ => return Err(refusal(&url, &answer)),
        }
        let unread = |cause: String| {
            let why = format!("the snapshot cannot be read: {cause}");
            Error::Answer { url: url.to_string(), why }
        };
        let encoding = answer.header(header::CONTENT_ENCODING.as_str()).map(str::to_owned);
        let json = packed::unpacked(encoding.as_deref(), answer.body, MAX_SNAPSHOT);
        let json = json.map_err(unread)?;
        let snapshot: Snapshot =
            serde_json::from_slice(&json).map_err(|cause| unread(cause.to_string()))?;
        Ok(Some(Replica::new(snapshot)?))
    }

    async fn read(&mut self, (url, mut stream): (Url, Streaming)) -> Result<Infallible, Error> {
        let pace = self.shared.settings.pace;
        let mut parser = Parser::new(MAX_EVENT);
        let mut pending = None;
        let mut compare = Instant::now() + jittered(pace.compare);
        let mut heard = Instant::now();
        loop {
            let silent = pace.silence.saturating_sub(heard.elapsed());
            let wait = compare.saturating_duration_since(Instant::now()).min(silent);
            match timeout(wait, stream.chunk()).await {
                Ok(Ok(Some(piece))) => parser.push(&piece),
                Ok(Ok(None)) => return Err(Error::Ended { url: url.to_string() }),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) if heard.elapsed() >= pace.silence => {
                    let after = pace.silence;
                    return Err(crate::http::Error::Timeout { url: url.to_string(), after }.into());
                }
                Err(_) => {}
            }
            if self.take_all(&mut parser, &mut pending)? {
                heard = Instant::now();
                self.backoff.worked();
                self.episode.recovered();
                self.shared.stats.good(Talk::Follow);
            }
            if Instant::now() >= compare {
                compare = Instant::now() + jittered(pace.compare);
                pending = self.compare().await?;
                // the stream was not read meanwhile
                heard = Instant::now();
            }
        }
    }

    /// Everything that is complete. True if the centre was heard.
    fn take_all(
        &mut self,
        parser: &mut Parser,
        pending: &mut Option<Pending>,
    ) -> Result<bool, Error> {
        let mut heard = false;
        while let Some(item) = parser.next() {
            match item {
                Item::Retry(pause) => self.retry = pause.min(LONGEST_RETRY),
                Item::TooLarge => return Err(Error::TooLarge { limit: MAX_EVENT }),
                Item::Event(frame) => {
                    self.take(&frame, pending)?;
                    heard = true;
                }
            }
        }
        Ok(heard)
    }

    fn take(&mut self, frame: &Frame, pending: &mut Option<Pending>) -> Result<(), Error> {
        let unreadable = |cause: serde_json::Error| Error::Answer {
            url: self.shared.url("/v1/events").to_string(),
            why: format!("an event ({}) cannot be read: {cause}", frame.event.escape_debug()),
        };
        match frame.event.as_str() {
            "heartbeat" => {
                let Heartbeat { cursor } = serde_json::from_str(&frame.data).map_err(unreadable)?;
                self.step(|replica| replica.caught_up(&cursor).map(|()| false))?;
                self.settle(pending, cursor.seq.saturating_add(1));
            }
            "closed" => {
                let Closed { code, detail } = serde_json::from_str(&frame.data).unwrap_or_default();
                let short = |text: String| text.chars().take(300).collect();
                return Err(Error::Closed { code: short(code), detail: short(detail) });
            }
            _ => {
                let event: Event = match serde_json::from_str(&frame.data) {
                    Ok(event) => event,
                    Err(cause) => {
                        // skipped, it would be lost
                        self.stale = true;
                        return Err(unreadable(cause));
                    }
                };
                self.shared.stats.events.fetch_add(1, Relaxed);
                self.settle(pending, event.seq);
                self.step(|replica| replica.apply(&event))?;
            }
        }
        Ok(())
    }

    /// Changes the copy, and tells its readers if that made a difference.
    fn step(&self, change: impl FnOnce(&mut Replica) -> Result<bool, Broken>) -> Result<(), Error> {
        let mut outcome = Ok(false);
        self.out.send_if_modified(|replica| {
            if let Some(replica) = replica {
                outcome = change(Arc::make_mut(replica));
            }
            matches!(outcome, Ok(true))
        });
        outcome.map(drop).map_err(Error::from)
    }

    /// Asks the centre for its digest. What cannot be told at once is pending until the copy gets there.
    async fn compare(&mut self) -> Result<Option<Pending>, Error> {
        let Some(digest) = self.out.borrow().as_ref().map(|replica| replica.digest()) else {
            return Ok(None);
        };
        let Some(theirs) = self.ask(Some(&digest)).await? else {
            self.same();
            return Ok(None);
        };
        let mut pending = Some(Pending { cursor: theirs.cursor().clone(), replica: theirs });
        let at = self.out.borrow().as_ref().map(|replica| replica.cursor().clone());
        if let (Some(at), Some(p)) = (at, &pending) {
            if at.epoch != p.cursor.epoch || at.seq > p.cursor.seq {
                // another process of the centre, a moment behind: the next time
                return Ok(None);
            }
            self.settle(&mut pending, at.seq.saturating_add(1));
        }
        Ok(pending)
    }

    /// Before the event `next` is taken: if the copy is where a pending comparison is, compares.
    fn settle(&mut self, pending: &mut Option<Pending>, next: u64) {
        let Some(Pending { cursor, replica }) = pending.take_if(|p| next > p.cursor.seq) else {
            return;
        };
        let ours = self.out.borrow().as_ref().map(|replica| replica.digest());
        if ours.as_deref() == Some(replica.digest().as_str()) {
            return self.same();
        }
        self.shared.stats.compared.fetch_add(1, Relaxed);
        self.shared.stats.differed.fetch_add(1, Relaxed);
        tracing::warn!(%cursor, "the copy of the centre's state differs from it: taking the centre's word");
        self.adopt(replica);
    }

    fn same(&mut self) {
        self.shared.stats.compared.fetch_add(1, Relaxed);
        self.out.send_if_modified(|replica| {
            if let Some(replica) = replica {
                Arc::make_mut(replica).verified();
            }
            false
        });
    }
}

/// Three to five quarters of it, so that a fleet that came back together does not ask together.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.75 + 0.5 * f64::from(random()) / f64::from(u32::MAX))
}
