//! The writer: one task that takes what waits, decides it, stores it, and lets everybody see it.

use super::commit::{self, Ended};
use super::draft::Draft;
use super::{Answer, Centre, Error, Request};
use crate::store;
use common::api_types::Event;
use common::logging::Episode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, timeout};

/// Decisions of one transaction. More would only make the first of them wait.
const MOST: usize = 256;
/// Others' events are looked for, and a failed store is tried again.
const LOOK: Duration = Duration::from_secs(1);
/// Tries to find out how a commit ended, a second apart.
const SETTLES: u32 = 3;

struct Writer {
    centre: Centre,
    draft: Draft,
    store: Episode,
    refused: Episode,
}

/// Runs until the stop, and through what waits then.
pub(super) async fn run(centre: Centre, draft: Draft, mut queue: mpsc::Receiver<Request>) {
    let mut writer = Writer {
        draft,
        store: Episode::new("store"),
        refused: Episode::new("a change that cannot be stored"),
        centre,
    };
    let centre = writer.centre.clone();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(MOST);
    loop {
        // no order among them: a store that takes long to fail, or others that write all the time, must not keep decisions waiting
        tokio::select! {
            () = centre.stopping().cancelled() => break,
            () = centre.inner.nudge.notified() => writer.look().await,
            _ = look.tick() => {
                writer.look().await;
                look.reset();
            }
            taken = queue.recv_many(&mut batch, MOST) => {
                if taken == 0 {
                    return;
                }
                writer.take(std::mem::take(&mut batch)).await;
            }
        }
    }
    queue.close();
    while queue.recv_many(&mut batch, MOST).await > 0 {
        writer.take(std::mem::take(&mut batch)).await;
    }
}

impl Writer {
    /// Decides and stores a batch, and answers it.
    async fn take(&mut self, mut batch: Vec<Request>) {
        let mut answers = Vec::with_capacity(batch.len());
        match self.store(&mut batch).await {
            Ok(made) => answers.extend(made.into_iter().map(Ok)),
            // one of them may be to blame, and the others should not suffer for it
            Err(Error::Store(e)) if batch.len() > 1 && blames_a_row(&e) => {
                let mut failed = 0;
                for request in &mut batch {
                    if failed == 3 {
                        answers.push(Err(Error::Store(Arc::clone(&e))));
                        continue;
                    }
                    let made = self.store(std::slice::from_mut(request)).await;
                    failed += u32::from(made.is_err());
                    answers.push(made.map(|mut made| made.pop().unwrap_or_default()));
                }
            }
            Err(e) => answers = commit::all(&e, batch.len()),
        }
        for (request, answer) in batch.into_iter().zip(answers) {
            // whoever asked may have gone
            drop::<Result<(), Answer>>(request.answer.send(answer));
        }
    }

    async fn store(&mut self, requests: &mut [Request]) -> Result<Vec<Vec<Arc<Event>>>, Error> {
        let ended = timeout(
            self.centre.store().longest(),
            commit::batch(&self.centre, &mut self.draft, requests),
        );
        let stored = match ended.await {
            Ok(Ok(Ended::Stored(made))) => Ok(made),
            Ok(Ok(Ended::Failed(e))) => Err(Error::Store(Arc::new(e))),
            Ok(Ok(Ended::Open(made, e))) => self.settle(made, e).await,
            Ok(Err(e)) => Err(e),
            Err(_) => Err(Error::Slow(self.centre.store().longest())),
        };
        match &stored {
            Ok(made) => self.stored(&made.concat()),
            Err(e) => self.failed(e).await,
        }
        stored
    }

    /// The commit itself failed: asks the store whether it has happened.
    async fn settle(
        &mut self,
        made: Vec<Vec<Arc<Event>>>,
        error: store::Error,
    ) -> Result<Vec<Vec<Arc<Event>>>, Error> {
        let events = made.concat();
        for attempt in 0..SETTLES {
            if attempt > 0 {
                tokio::time::sleep_until(Instant::now() + LOOK).await;
            }
            let settled =
                timeout(self.centre.store().longest(), commit::settle(&self.centre, &events)).await;
            match settled {
                Ok(Ok(true)) => {
                    tracing::info!("a commit that failed ({error}) had happened");
                    return Ok(made);
                }
                Ok(Ok(false)) => return Err(Error::Store(Arc::new(error))),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Err(Error::Unknown(Arc::new(error)))
    }

    fn stored(&mut self, events: &[Arc<Event>]) {
        for refused in self.draft.refused.drain(..) {
            self.centre.inner.counts.refused.fetch_add(1, Ordering::Relaxed);
            self.refused.failed(&refused);
        }
        if events.is_empty() {
            return;
        }
        commit::publish(&self.centre, &mut self.draft, events);
        let counts = &self.centre.inner.counts;
        counts.commits.fetch_add(1, Ordering::Relaxed);
        counts.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        self.well();
    }

    async fn failed(&mut self, error: &Error) {
        commit::revert(&self.centre, &mut self.draft);
        self.centre.inner.counts.failures.fetch_add(1, Ordering::Relaxed);
        self.trouble(error).await;
    }

    async fn trouble(&mut self, error: &Error) {
        self.store.failed(error);
        *self.centre.trouble() = Some(error.to_string());
        if matches!(error, Error::Replaced) {
            let renewed = commit::renew(&self.centre, self.centre.inner.recent_head()).await;
            renewed.unwrap_or_else(|e| self.store.failed(&e));
        }
    }

    fn well(&mut self) {
        self.store.recovered();
        *self.centre.trouble() = None;
    }

    /// Takes in what others have stored; tries a store that had failed.
    async fn look(&mut self) {
        let failing = self.store.is_failing();
        if !failing && !self.centre.shared() {
            return;
        }
        let look = async {
            if failing {
                commit::probe(&self.centre).await?;
            }
            commit::catch_up(&self.centre, &mut self.draft).await.map(|_| ())
        };
        match timeout(self.centre.store().longest(), look).await {
            Ok(Ok(())) => self.well(),
            Ok(Err(e)) => self.trouble(&e).await,
            Err(_) => self.trouble(&Error::Slow(self.centre.store().longest())).await,
        }
    }
}

/// The database answered, and what it refused was the data.
fn blames_a_row(error: &store::Error) -> bool {
    match error {
        // of PostgreSQL class 22: data, 23: constraints, 54: limits; SQLite: 18 too big, 19 constraint
        store::Error::Sql(sqlx::Error::Database(e)) => e.code().is_some_and(|code| {
            ["22", "23", "54"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                || code == "18"
                || code.parse::<u32>().is_ok_and(|code| code & 0xff == 19)
        }),
        store::Error::Row { .. } => true,
        _ => false,
    }
}
