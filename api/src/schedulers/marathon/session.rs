//! One connection: the stream first, then the list, then both, until one of them fails.

mod open;

pub use open::{MOST_BROKEN, Opened, open};

use super::client::{Client, Trouble};
use super::follow::Why;
use super::ledger::{Changed, Ledger, Taken};
use super::pace::{self, Due, Pace};
use super::sink::{Sink, Work};
use super::status::{Counts, Phase, Shared};
use super::stream::{Reader, Told};
use super::translate::Translated;
use crate::centre;
use common::backoff::{self, Backoff};
use common::http::Url;
use common::ids::AppId;
use common::logging::Episode;
use common::moment::Moment;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Until something must have come; the heartbeat comes after 10 s.
const MUTE: Duration = Duration::from_secs(15);
/// Events taken in at once.
const BATCH: usize = 1024;
/// From one change to the next: what comes in between is stored together.
const STORE_EVERY: Duration = Duration::from_millis(50);
/// Failed lists in a row that end a connection.
const MOST_FAILURES: u32 = 3;

enum Fetched {
    List(Result<(Vec<Translated>, u64), Trouble>),
    App(AppId, Result<(Option<Translated>, u64), Trouble>),
}

type Fetching = Pin<Box<dyn Future<Output = (Client, Instant, Fetched)> + Send>>;

/// What a connection works with.
pub struct Session<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) sink: &'a Sink,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) connection: &'a mut Episode,
    pub(super) list: &'a mut Episode,
    pub(super) store: &'a mut Episode,
}

/// Where the loop stands.
struct Course {
    base: Url,
    pace: Pace,
    /// Here while no fetch is under way.
    client: Option<Client>,
    fetching: Option<Fetching>,
    storing: Option<Storing>,
    store_failures: Backoff,
    store_not_before: Instant,
    /// When the oldest thing was heard that is not being stored yet.
    behind: Option<Instant>,
    streaming: bool,
    without: String,
}

struct Storing {
    work: Work,
    changed: Changed,
    /// When the oldest of it was heard.
    since: Option<Instant>,
}

impl Session<'_> {
    /// Until the connection is of no more use.
    pub async fn run(mut self, client: Client, mut opened: Opened) -> Why {
        let mut told = Vec::new();
        if let Some(reader) = &mut opened.reader {
            // the headers come before the subscription is live: a list made now could miss what happens until then
            match tokio::time::timeout(MUTE, reader.next(&mut told, BATCH)).await {
                Err(_) => return Why::Mute(MUTE),
                Ok(0) => return Why::StillBorn(reader.end().await),
                Ok(_) => {}
            }
        }
        let mut course = Course {
            base: opened.base,
            pace: Pace::new(if opened.reader.is_some() { pace::EVERY } else { pace::POLL }),
            client: Some(client),
            fetching: None,
            storing: None,
            store_failures: Backoff::default(),
            store_not_before: Instant::now(),
            behind: None,
            streaming: opened.reader.is_some(),
            without: opened.without,
        };
        let why = self.turns(&mut course, opened.reader, opened.again, told).await;
        if let Some(storing) = course.storing {
            self.ledger.untold(storing.changed);
        }
        why
    }

    async fn turns(
        &mut self,
        course: &mut Course,
        mut reader: Option<Reader>,
        again: Instant,
        mut told: Vec<Told>,
    ) -> Why {
        loop {
            self.hear(&mut told, reader.as_ref(), course);
            let fetch_at = self.fetch(course);
            let store_at = self.begin_storing(course);
            tokio::select! {
                count = next(&mut reader, &mut told) => {
                    if let (0, Some(reader)) = (count, &mut reader) {
                        return reader.end().await.into();
                    }
                }
                fetched = fetched(&mut course.fetching) => {
                    course.fetching = None;
                    if let Some(why) = self.fetched(fetched, course) {
                        return why;
                    }
                }
                outcome = stored(&mut course.storing) => self.stored(outcome, course),
                () = at(fetch_at) => {}
                () = at(store_at) => {}
                () = tokio::time::sleep_until(again), if !course.streaming => return Why::Again,
            }
        }
    }

    fn hear(&mut self, told: &mut Vec<Told>, reader: Option<&Reader>, course: &mut Course) {
        if reader.is_some_and(Reader::missed) {
            self.ledger.doubt();
        }
        let now = Moment::now();
        let mut used = 0;
        for Told { event, at } in told.drain(..) {
            if self.ledger.hear(event, now) {
                used += 1;
                course.behind.get_or_insert(at);
            }
        }
        if used > 0 {
            Counts::add(&self.shared.counts.used, used);
        }
    }

    /// Begins what is due; else when that is.
    fn fetch(&mut self, course: &mut Course) -> Option<Instant> {
        let now = Instant::now();
        course.client.as_ref()?;
        let due = course.pace.due(now, self.ledger.dirty(), self.ledger.held().is_some());
        let app = match due {
            Due::At(when) => return Some(when),
            Due::List => None,
            Due::App(app) => Some(app),
        };
        let mut client = course.client.take()?;
        let base = course.base.clone();
        self.ledger.asked();
        course.fetching = Some(Box::pin(async move {
            let fetched = match app {
                None => Fetched::List(client.list(&base).await),
                Some(app) => {
                    let answer = client.app(&base, &app).await;
                    Fetched::App(app, answer)
                }
            };
            (client, now, fetched)
        }));
        None
    }

    /// Takes an answer in. Some: this connection is of no more use.
    fn fetched(
        &mut self,
        (mut client, asked, fetched): (Client, Instant, Fetched),
        course: &mut Course,
    ) -> Option<Why> {
        let counts = &self.shared.counts;
        Counts::add(&counts.redirects_refused, client.take_refused());
        course.client = Some(client);
        let (now, moment) = (Instant::now(), Moment::now());
        let trouble = match fetched {
            Fetched::List(Ok((list, left_out))) => {
                Counts::add(&counts.left_out, left_out);
                Counts::add(&counts.lists, 1);
                let taken = self.ledger.listed(list, moment);
                course.pace.listed(asked, now);
                self.listed(taken, now - asked, course);
                None
            }
            Fetched::App(app, Ok((found, left_out))) => {
                Counts::add(&counts.left_out, left_out);
                Counts::add(&counts.app_lists, 1);
                match found {
                    Some(found) => self.ledger.listed_app(found, moment),
                    None => self.ledger.no_such_app(&app, moment),
                }
                course.pace.listed_app(app, now);
                None
            }
            Fetched::List(Err(trouble)) | Fetched::App(_, Err(trouble)) => Some(trouble),
        };
        match trouble {
            None => {
                self.list.recovered();
                self.shared.seen();
                let (apps, tasks) = self.ledger.counts();
                self.shared.edit(|status| (status.apps, status.tasks) = (apps, tasks));
                course.behind.get_or_insert(now);
                None
            }
            Some(trouble) => {
                Counts::add(&counts.list_failures, 1);
                self.ledger.failed();
                course.pace.failed(now, backoff::random());
                let first = self.shared.status().phase != Phase::Following;
                if first || course.pace.failures() >= MOST_FAILURES {
                    return Some(trouble.into());
                }
                self.list.failed(&trouble);
                None
            }
        }
    }

    fn listed(&mut self, taken: Taken, took: Duration, course: &Course) {
        let detail = match taken {
            Taken::Whole => course.without.clone(),
            Taken::Held { missing, of } => {
                Counts::add(&self.shared.counts.held, 1);
                let told = format!(
                    "the last list lacks {missing} of {of} tasks: nothing is ended unless the next one lacks them too"
                );
                tracing::warn!("{told}; asked {}", course.base);
                told
            }
        };
        let before = self.shared.status();
        let follows = before.phase == Phase::Following;
        if !follows {
            Counts::add(&self.shared.counts.connects, 1);
            self.connection.recovered();
        }
        if !follows || before.streaming != course.streaming {
            match course.without.as_str() {
                "" => tracing::info!("cluster {}: follows {}", before.name, course.base),
                without => tracing::warn!("cluster {}: {}: {without}", before.name, course.base),
            }
        }
        self.shared.edit(|status| {
            status.phase = Phase::Following;
            status.streaming = course.streaming;
            status.detail = detail;
            status.last_list = Some(Moment::now().before(took));
            status.list_took = took;
        });
    }

    /// Begins to store what has changed, if nothing is being stored; else when it may.
    fn begin_storing(&mut self, course: &mut Course) -> Option<Instant> {
        if self.ledger.is_told() && self.ledger.dirty().is_clean() && course.fetching.is_none() {
            course.behind = None;
        }
        let under_way = course.storing.as_ref().and_then(|storing| storing.since);
        self.shared.set_behind(under_way.or(course.behind));
        if course.storing.is_some() || self.ledger.is_told() {
            return None;
        }
        if Instant::now() < course.store_not_before {
            return Some(course.store_not_before);
        }
        let changed = self.ledger.take_changed();
        let work = self.sink.store(self.ledger, &changed);
        course.storing = Some(Storing { work, changed, since: course.behind.take() });
        None
    }

    fn stored(&mut self, outcome: Result<usize, centre::Error>, course: &mut Course) {
        let storing = course.storing.take();
        let wait = match outcome {
            Ok(changes) => {
                Counts::add(&self.shared.counts.changes, changes as u64);
                self.store.recovered();
                course.store_failures.worked();
                STORE_EVERY
            }
            Err(error) => {
                Counts::add(&self.shared.counts.store_failures, 1);
                self.store.failed(&error);
                if let Some(storing) = storing {
                    self.ledger.untold(storing.changed);
                    course.behind = storing.since.or(course.behind);
                }
                pace::wait(&mut course.store_failures, backoff::random())
            }
        };
        course.store_not_before = Instant::now() + wait;
    }
}

async fn next(reader: &mut Option<Reader>, told: &mut Vec<Told>) -> usize {
    match reader {
        Some(reader) => reader.next(told, BATCH).await,
        None => std::future::pending().await,
    }
}

async fn fetched(fetching: &mut Option<Fetching>) -> (Client, Instant, Fetched) {
    match fetching {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn stored(storing: &mut Option<Storing>) -> Result<usize, centre::Error> {
    match storing {
        Some(storing) => (&mut storing.work).await,
        None => std::future::pending().await,
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}
