//! Leases: what only one process may do at a time. A process holds one until the end that it last stored, by its own monotonic clock
//! and a little less, so that two never hold it at once as long as their clocks run at the same speed; which time it is, only the
//! database's clock says.

use super::Centre;
use crate::store;
use common::logging::Episode;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a lease lasts.
const LASTS: Duration = Duration::from_secs(10);
/// So much less by our own clock.
const SPARE: Duration = Duration::from_secs(1);
/// How often it is prolonged, and tried for.
const EVERY: Duration = Duration::from_secs(1);
/// How long a try may take.
const TRY: Duration = Duration::from_secs(3);

/// Whether this process is the one. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Lease {
    held: watch::Receiver<bool>,
}

impl Lease {
    /// Whether it is held now.
    pub fn held(&self) -> bool {
        *self.held.borrow()
    }

    /// Waits until it is held; never answers when the process ends.
    pub async fn acquired(&mut self) {
        if self.held.wait_for(|held| *held).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until it is lost; at once when the process ends.
    pub async fn lost(&mut self) {
        if self.held.wait_for(|held| !*held).await.is_err() {
            tracing::debug!("no more leases");
        }
    }
}

#[derive(Default)]
pub(super) struct Leases {
    names: Mutex<BTreeMap<String, watch::Sender<bool>>>,
}

impl Leases {
    pub(super) fn take(&self, name: &str, alone: bool) -> Lease {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = names.entry(name.to_owned()).or_insert_with(|| watch::Sender::new(alone));
        Lease { held: sender.subscribe() }
    }

    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn set(&self, name: &str, held: bool) {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = names.get(name) {
            sender.send_if_modified(|was| std::mem::replace(was, held) != held);
        }
    }
}

/// Tries for all leases until the stop, then lets them go.
pub(super) async fn run(centre: Centre) {
    if !centre.shared() {
        return;
    }
    let holder = format!("{:08x}{:08x}", common::backoff::random(), common::backoff::random());
    let mut ends: BTreeMap<String, Instant> = BTreeMap::new();
    let mut episode = Episode::new("leases");
    loop {
        let names = centre.inner.leases.names();
        let now = Instant::now();
        ends.retain(|_, end| now < *end);
        names.iter().for_each(|name| centre.inner.leases.set(name, ends.contains_key(name)));
        // no try lasts beyond the end of a lease that is held: others may have it then
        let until = ends.values().fold(now + TRY, |until, end| until.min(*end));
        let tries = names.iter().map(|name| prolong(&centre, name, &holder));
        match tokio::time::timeout_at(until, join_all(tries)).await {
            Ok(tries) => {
                for (name, tried) in names.iter().zip(tries) {
                    match tried {
                        Ok(true) => {
                            ends.insert(name.clone(), now + LASTS - SPARE);
                            episode.recovered();
                        }
                        Ok(false) => {
                            ends.remove(name);
                        }
                        Err(e) => episode.failed(&e),
                    }
                    centre.inner.leases.set(name, ends.contains_key(name));
                }
            }
            Err(_) => episode.failed(&"the store does not answer"),
        }
        let next = ends.values().fold(Instant::now() + EVERY, |next, end| next.min(*end));
        let wait = tokio::time::sleep_until(next);
        if centre.stopping().run_until_cancelled(wait).await.is_none() {
            break;
        }
    }
    for name in centre.inner.leases.names() {
        centre.inner.leases.set(&name, false);
    }
    let freed = tokio::time::timeout(TRY, release(&centre, holder)).await;
    if !matches!(freed, Ok(Ok(()))) {
        tracing::debug!("leases end by themselves");
    }
}

const NOW: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";

async fn prolong(centre: &Centre, name: &str, holder: &str) -> Result<bool, store::Error> {
    let lasts = i64::try_from(LASTS.as_millis()).unwrap_or(i64::MAX);
    let sql = format!(
        "INSERT INTO leases (name, holder, expires) VALUES ($1, $2, {NOW} + $3) ON CONFLICT (name) DO UPDATE \
         SET holder = excluded.holder, expires = excluded.expires \
         WHERE leases.holder = excluded.holder OR leases.expires < {NOW}"
    );
    let done = sqlx::query(&sql)
        .bind(name.to_owned())
        .bind(holder.to_owned())
        .bind(lasts)
        .execute(centre.inner.store.read())
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn release(centre: &Centre, holder: String) -> Result<(), store::Error> {
    sqlx::query("DELETE FROM leases WHERE holder = $1")
        .bind(holder)
        .execute(centre.inner.store.read())
        .await?;
    Ok(())
}
