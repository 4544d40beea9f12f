//! The stream of events, read by a task of its own that does nothing but read: Marathon cuts off who is slow, or silently skips events.
//!
//! What cannot be used (too large, malformed, more than the queue holds) becomes [`Event::All`]: a list then tells what it would have.

use super::frames::{Frame, Frames};
use super::status::{Counts, Shared};
use super::wire::{Event, read_event};
use common::http::Streaming;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Three heartbeats missed.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Largest event read. Plans of deployments in versions that cannot leave them out are larger, and of no use beyond that they came.
const LARGEST: usize = 1 << 20;
/// Events that wait.
const QUEUE: usize = 16_384;

/// An event, and when it was read.
#[derive(Debug)]
pub struct Told {
    /// What it is.
    pub event: Event,
    /// When it came.
    pub at: Instant,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The server closed it.
    #[error("the stream of events was closed")]
    Closed,
    /// It broke or fell silent.
    #[error("{0}")]
    Broken(String),
}

/// A stream that is being read. Dropping it closes the connection.
#[derive(Debug)]
pub struct Reader {
    told: mpsc::Receiver<Told>,
    missed: Arc<AtomicBool>,
    task: JoinHandle<End>,
}

impl Reader {
    /// Begins to read.
    pub fn new(stream: Streaming, shared: Arc<Shared>) -> Self {
        let (send, told) = mpsc::channel(QUEUE);
        let missed = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(read(stream, send, missed.clone(), shared));
        Self { told, missed, task }
    }

    /// What has come, up to `most`; nothing only at the end. Cancel safe.
    pub async fn next(&mut self, into: &mut Vec<Told>, most: usize) -> usize {
        self.told.recv_many(into, most).await
    }

    /// Whether events were lost since the last time this was asked.
    pub fn missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }

    /// Why it ended; after [`Self::next`] gave nothing.
    pub async fn end(&mut self) -> End {
        (&mut self.task).await.unwrap_or_else(|e| End::Broken(e.to_string()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(
    mut stream: Streaming,
    send: mpsc::Sender<Told>,
    missed: Arc<AtomicBool>,
    shared: Arc<Shared>,
) -> End {
    let mut frames = Frames::new(LARGEST);
    let mut live = false;
    loop {
        let piece = match stream.chunk_within(SILENCE).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return End::Closed,
            Err(error) => return End::Broken(error.to_string()),
        };
        shared.seen();
        let at = Instant::now();
        let tell = |event| match send.try_send(Told { event, at }) {
            Err(mpsc::error::TrySendError::Full(_)) => {
                Counts::add(&shared.counts.overflowed, 1);
                missed.store(true, Ordering::Relaxed);
            }
            // nobody listens any more: the task is about to be ended
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
        };
        // whatever comes first says that the stream is live: older versions have no event for it, and some proxies only heartbeats
        if !std::mem::replace(&mut live, true) {
            tell(Event::Attached);
        }
        frames.push(&piece, |frame| {
            Counts::add(&shared.counts.events, 1);
            match frame {
                Frame::TooLarge => {
                    Counts::add(&shared.counts.too_large, 1);
                    tell(Event::All);
                }
                Frame::Event(data) => match read_event(&data) {
                    Ok(Event::Other | Event::Attached) => {}
                    Ok(event) => tell(event),
                    Err(error) => {
                        tracing::debug!(%error, "an event that is not JSON");
                        Counts::add(&shared.counts.malformed, 1);
                        tell(Event::All);
                    }
                },
            }
        });
    }
}
