//! What access does by the clock: look whether another process changed something, write when tokens were used, delete what is old.

use super::{Access, Error, POLL, audit, lock, once, rows};
use common::logging::Episode;
use common::moment::Moment;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// Between two deletions of what is old.
const PRUNE: Duration = Duration::from_secs(3600);
/// Tokens noted as used in one statement: a fleet's worth must not hold up the centre's writer.
const BATCH: usize = 200;
/// For the last write, on stop.
const LAST: Duration = Duration::from_secs(2);

/// Runs until `stop`.
pub async fn run(access: Access, stop: CancellationToken) {
    let mut failing = Episode::new("access: housekeeping");
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pruned: Option<Instant> = None;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        access.refresh().await;
        let mut done = access.write_used(Moment::now()).await;
        if pruned.is_none_or(|at| at.elapsed() >= PRUNE) {
            let prune = access.prune(Moment::now()).await;
            // after a failure at the next tick again
            pruned = prune.is_ok().then(Instant::now);
            done = done.and(prune);
        }
        match done {
            Ok(()) => failing.recovered(),
            Err(e) => {
                access.inner.counts.unwritten();
                failing.failed(&e);
            }
        }
    }
    if timeout(LAST, access.write_used(Moment::now())).await.is_err() {
        tracing::warn!("access: when tokens were last used was not written in time");
    }
}

impl Access {
    /// Writes which tokens were used, as far as it is due.
    pub(super) async fn write_used(&self, now: Moment) -> Result<(), Error> {
        let due = lock(&self.inner.used).due(now, BATCH);
        if due.is_empty() {
            return Ok(());
        }
        let ids = due.clone();
        self.inner
            .store
            .write(|c| Box::pin(async move { rows::mark_used(c, &ids, now).await }))
            .await?;
        lock(&self.inner.used).written(&due, now);
        Ok(())
    }

    /// Deletes sessions and codes that are over, old audit rows, old idempotency keys.
    pub(super) async fn prune(&self, now: Moment) -> Result<(), Error> {
        let (over, audit, keys) = self
            .inner
            .store
            .write(|c| {
                Box::pin(async move {
                    let over = rows::prune(c, now).await?;
                    let audit = audit::prune(c, now).await?;
                    Ok::<_, Error>((over, audit, once::prune(c, now).await?))
                })
            })
            .await?;
        if over + audit + keys > 0 {
            tracing::debug!(over, audit, keys, "access: old rows deleted");
        }
        Ok(())
    }
}
