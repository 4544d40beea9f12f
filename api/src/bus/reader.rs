//! One reader: a place in the numbers, moved on when its connection asks for more.

use super::feed::{Feed, Next};
use super::{Bus, Frame, HEARTBEAT, closed, heartbeat, retry};
use crate::centre::{self, Told};
use common::ids::Cursor;
use futures_util::Stream;
use futures_util::stream::unfold;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Events that a reader asks for at once when it reads for itself.
const PIECE: usize = 64;
/// A reader whose next event waited for longer than this, and is not in memory any more, is too slow.
pub(super) const SLOW: Duration = Duration::from_secs(60);

pub(super) struct Reader {
    bus: Bus,
    feed: Arc<Feed>,
    wake: watch::Receiver<u64>,
    /// Everything in scope up to here was told.
    place: u64,
    /// Read for this reader alone, not told yet.
    ahead: VecDeque<Arc<Told>>,
    beat: Instant,
    /// When it last had everything; None until it has for the first time, which may take as long as it takes.
    level: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    Follow,
    End,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.bus.inner.counts.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reader {
    pub(super) fn new(bus: Bus, feed: Arc<Feed>, place: u64) -> Self {
        bus.inner.counts.readers.fetch_add(1, Ordering::Relaxed);
        let (wake, beat) = (feed.watch(), Instant::now());
        let (ahead, state) = (VecDeque::new(), State::Begin);
        Self { bus, feed, wake, place, ahead, beat, level: None, state }
    }

    pub(super) fn stream(self) -> impl Stream<Item = Frame> + Send + 'static + use<> {
        unfold(self, |mut reader| async move {
            let frame = reader.frame().await?;
            Some((frame, reader))
        })
    }

    /// The next frame, as soon as there is one; None after the last.
    async fn frame(&mut self) -> Option<Frame> {
        match self.state {
            State::Begin => {
                self.state = State::Follow;
                Some(retry())
            }
            State::Follow => Some(self.follow().await),
            State::End => None,
        }
    }

    async fn follow(&mut self) -> Frame {
        let stop = self.bus.inner.centre.stopping().clone();
        loop {
            if stop.is_cancelled() {
                return self.close("shutdown", "qae-api is stopping: come again in a moment");
            }
            if let Some(told) = self.ahead.pop_front() {
                self.place = told.seq;
                self.bus.inner.counts.frames.fetch_add(1, Ordering::Relaxed);
                return told.frame.clone();
            }
            // before looking, so that what comes after the look wakes
            self.wake.mark_unchanged();
            match self.feed.next(self.place) {
                Next::Nothing(seen) => {
                    self.place = seen;
                    self.level = Some(Instant::now());
                    if Instant::now() >= self.beat {
                        self.beat = Instant::now() + HEARTBEAT;
                        return self.beat();
                    }
                    tokio::select! {
                        _ = self.wake.changed() => {}
                        () = tokio::time::sleep_until(self.beat) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Next::Event(seq) => {
                    // nothing in scope before it
                    self.place = seq - 1;
                    if let Err(closed) = self.read(1).await {
                        return closed;
                    }
                }
                Next::Behind => {
                    if let Err(closed) = self.read(PIECE).await {
                        return closed;
                    }
                }
            }
        }
    }

    /// Reads what is next and picks what is in scope.
    async fn read(&mut self, limit: usize) -> Result<(), Frame> {
        let centre = self.bus.inner.centre.clone();
        if self.level.is_some_and(|at| at.elapsed() > self.bus.inner.slow)
            && !centre.remembers(self.place)
        {
            self.bus.inner.counts.slow.fetch_add(1, Ordering::Relaxed);
            return Err(self.close(
                "slow_reader",
                "events came faster than they were taken: go on from the last one's id",
            ));
        }
        match centre.told_after(self.place, limit).await {
            Ok(told) => {
                let last = told.last().map_or(self.place, |told| told.seq);
                self.ahead.extend(told.into_iter().filter(|t| self.feed.scope.about(&t.about)));
                if self.ahead.is_empty() {
                    self.place = last;
                }
                Ok(())
            }
            Err(e) => {
                self.bus.inner.counts.failed.fetch_add(1, Ordering::Relaxed);
                let code = match &e {
                    centre::Error::TooOld { .. } => "cursor_too_old",
                    _ => "store_unavailable",
                };
                Err(self.close(code, &e.to_string()))
            }
        }
    }

    fn beat(&self) -> Frame {
        let epoch = self.bus.inner.centre.epoch().to_owned();
        heartbeat(&Cursor { epoch, seq: self.place })
    }

    fn close(&mut self, code: &str, detail: &str) -> Frame {
        self.state = State::End;
        closed(code, detail)
    }
}
