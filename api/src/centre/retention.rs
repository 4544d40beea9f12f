//! Events and ended instances that are too old or too many go, a slice at a time, so that the writer never waits long.

use super::{Centre, Settings};
use crate::store;
use common::logging::Episode;
use common::moment::Moment;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// Rows of one slice.
const SLICE: u64 = 2_000;

/// Looks every minute until the stop.
pub(super) async fn run(centre: Centre, settings: Settings) {
    let mut episode = Episode::new("store: clearing away what is old");
    let stop = centre.stopping().clone();
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        match stop.run_until_cancelled(clear(&centre, &settings, Moment::now())).await {
            Some(Ok(())) => episode.recovered(),
            Some(Err(e)) => episode.failed(&e),
            None => return,
        }
    }
}

/// Clears until nothing is left to clear.
pub(super) async fn clear(
    centre: &Centre,
    settings: &Settings,
    now: Moment,
) -> Result<(), store::Error> {
    let store = centre.store();
    let old = now.before(settings.keep_for);
    let head = centre.head().seq;
    let by_count = head.saturating_sub(settings.keep_events);
    // head was read before: what has come since is younger
    let by_age = store::retention::young(store, old).await?.map_or(head, |first| first - 1);
    let last = by_count.max(by_age).min(head);
    while store::retention::events(store, last, SLICE).await? > 0 {
        tokio::task::yield_now().await;
    }
    let mut c = store.read().acquire().await?;
    let oldest = store::events::oldest(&mut c).await?.unwrap_or(head + 1);
    drop(c);
    centre.inner.oldest.store(oldest, Ordering::Relaxed);

    let (count, slice) = (settings.keep_ended, SLICE);
    while store::retention::ended(store, old, count, slice).await? > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}
