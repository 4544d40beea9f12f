//! The bus: readers that each see every event of their scope once, in order, without a gap, or are told why not.
//!
//! An event is rendered once, when it is stored ([`Told`]), and shared. Readers with the same scope share a [`feed`]: the dispatcher enters the
//! numbers of the events that are for it, and wakes its readers only for those. A reader has no queue and no task: it is a place in the
//! numbers that its connection moves on when the socket takes more, so a slow one costs what a fast one costs. When a slow reader falls
//! behind what is in memory, it is closed with the reason; what it missed is in the store, and it goes on from its cursor.
//!
//! ```text
//! centre --told--> dispatcher --numbers--> feed (one per scope) --wake--> reader: place -> frames
//!    '----------------- frames from memory, or in pieces from the store -----------'
//! ```

mod feed;
mod reader;
#[cfg(test)]
mod tests;

use crate::centre::{self, Centre};
use crate::scope::Scope;
use bytes::Bytes;
use common::ids::Cursor;
use feed::{Feed, Feeds};
use futures_util::Stream;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A heartbeat comes this often.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// A piece of the event stream, with one event or none; whole frames as SSE has them.
pub type Frame = Bytes;

/// Why there is nothing to follow from a cursor: answered 410, and the reader takes a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The events after it are not kept any more.
    #[error(
        "events after {cursor} are not kept any more, the oldest is {oldest}: take a snapshot and follow from its cursor"
    )]
    TooOld {
        /// What was asked for.
        cursor: Cursor,
        /// What there is.
        oldest: u64,
    },
    /// It belongs to another store.
    #[error(
        "{cursor} belongs to another store, this one's epoch is {epoch}: take a snapshot and follow from its cursor"
    )]
    Epoch {
        /// What was asked for.
        cursor: Cursor,
        /// What it is now.
        epoch: String,
    },
    /// It has not happened yet.
    #[error(
        "{cursor} is ahead of the last event, {head}: take a snapshot and follow from its cursor"
    )]
    Ahead {
        /// What was asked for.
        cursor: Cursor,
        /// The last event.
        head: u64,
    },
}

impl Gone {
    /// For programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooOld { .. } => "cursor_too_old",
            Self::Epoch { .. } => "epoch_changed",
            Self::Ahead { .. } => "cursor_ahead",
        }
    }
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Readers now.
    pub readers: AtomicU64,
    /// Scopes that are followed now.
    pub feeds: AtomicU64,
    /// Frames with an event that readers took.
    pub frames: AtomicU64,
    /// Readers closed because they were too slow.
    pub slow: AtomicU64,
    /// Readers closed because what they wanted could not be read.
    pub failed: AtomicU64,
    /// Readers refused with [`Gone`].
    pub gone: AtomicU64,
}

/// The bus. Clones are the same one.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    centre: Centre,
    feeds: Mutex<Feeds>,
    counts: Counts,
    /// See [`reader::SLOW`].
    slow: Duration,
}

impl Bus {
    /// Begins to tell what the centre stores, until the centre's stop. Inside a runtime.
    pub fn new(centre: Centre) -> Self {
        Self::with(centre, reader::SLOW)
    }

    fn with(centre: Centre, slow: Duration) -> Self {
        let head = centre.watch();
        let seen = *head.borrow();
        let inner =
            Inner { centre, feeds: Mutex::new(Feeds::new(seen)), counts: Counts::default(), slow };
        let bus = Self { inner: Arc::new(inner) };
        tokio::spawn(dispatch(bus.clone(), head));
        bus
    }

    /// Follows a scope from after a cursor: first what has been since then, then what comes.
    pub async fn subscribe(
        &self,
        scope: Scope,
        after: Cursor,
    ) -> Result<impl Stream<Item = Frame> + Send + 'static + use<>, Gone> {
        if let Some(gone) = self.gone(&after).await {
            self.inner.counts.gone.fetch_add(1, Ordering::Relaxed);
            return Err(gone);
        }
        let feed = self.feed(scope);
        Ok(reader::Reader::new(self.clone(), feed, after.seq).stream())
    }

    async fn gone(&self, after: &Cursor) -> Option<Gone> {
        let centre = &self.inner.centre;
        let cursor = after.clone();
        if after.epoch != centre.epoch() {
            return Some(Gone::Epoch { cursor, epoch: centre.epoch().to_owned() });
        }
        if !centre.reached(after.seq).await {
            return Some(Gone::Ahead { cursor, head: centre.head().seq });
        }
        match centre.told_after(after.seq, 1).await {
            Err(centre::Error::TooOld { oldest }) => Some(Gone::TooOld { cursor, oldest }),
            // a store that does not answer now may do so in a moment: the reader will see
            _ => None,
        }
    }

    fn feed(&self, scope: Scope) -> Arc<Feed> {
        let (feed, count) = self.feeds().of(scope);
        self.inner.counts.feeds.store(count as u64, Ordering::Relaxed);
        feed
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    fn feeds(&self) -> std::sync::MutexGuard<'_, Feeds> {
        self.inner.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enters new events into the feeds.
async fn dispatch(bus: Bus, mut head: tokio::sync::watch::Receiver<u64>) {
    let centre = &bus.inner.centre;
    let stop = centre.stopping().clone();
    while let Some(Ok(())) = stop.run_until_cancelled(head.changed()).await {
        let to = *head.borrow_and_update();
        loop {
            let seen = bus.feeds().seen();
            if seen >= to {
                break;
            }
            match centre.told_after(seen, 512).await {
                Ok(told) if !told.is_empty() => bus.feeds().enter(&told),
                // more than memory holds came at once, and the store does not have it either: readers look for themselves
                _ => bus.feeds().skip_to(to),
            }
            bus.inner.counts.feeds.store(bus.feeds().count() as u64, Ordering::Relaxed);
        }
    }
}

/// The first frame of every stream: how long to wait before coming again.
pub fn retry() -> Frame {
    Bytes::from_static(b"retry: 1000\n\n")
}

/// A heartbeat: all events in scope up to the cursor were told.
pub fn heartbeat(cursor: &Cursor) -> Frame {
    let data = json!({ "cursor": cursor });
    Bytes::from(format!("id: {cursor}\nevent: heartbeat\ndata: {data}\n\n"))
}

/// The last frame before the server closes a stream.
pub fn closed(code: &str, detail: &str) -> Frame {
    let data = json!({ "code": code, "detail": detail });
    Bytes::from(format!("event: closed\ndata: {data}\n\n"))
}
