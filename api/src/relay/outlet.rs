//! Between the readers of a stream and its viewer: a bounded number of bytes, in turns.

use super::{Place, ROOM, Say, asked};
use common::api_types::live::{Ask, Frame, Told};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Frames that wait, whatever their size.
const FRAMES: usize = 1_024;

/// A frame for the viewer, as JSON; its bytes are counted until it is dropped.
#[derive(Debug)]
pub struct Piece {
    /// The frame.
    pub text: String,
    _room: Option<OwnedSemaphorePermit>,
}

impl Piece {
    /// A frame beside the queue.
    pub fn of(frame: Frame) -> Self {
        // names and numbers in structs: nothing of it can fail to print
        let text = serde_json::to_string(&Told { instance: None, frame }).unwrap_or_default();
        Self { text, _room: None }
    }
}

/// Where readers put frames. Clones lead to the same viewer.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    to: mpsc::Sender<Piece>,
    room: Arc<Semaphore>,
}

/// The viewer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

impl Outlet {
    /// Waits until there is room for it; readers are served in the order they came.
    pub(super) async fn put(&self, text: String) -> Result<(), Gone> {
        let bytes = u32::try_from(text.len().min(ROOM)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| Gone)?;
        self.to.send(Piece { text, _room: Some(room) }).await.map_err(|_| Gone)
    }

    /// Comes when the viewer is gone.
    pub(super) async fn closed(&self) {
        self.to.closed().await;
    }
}

/// The viewer's side of a stream. Dropping it ends everything that reads for it.
pub struct Stream {
    pieces: mpsc::Receiver<Piece>,
    last: Option<oneshot::Receiver<Frame>>,
    cut: bool,
    say: watch::Sender<Say>,
    hub: Option<JoinHandle<()>>,
    _place: Place,
}

/// Both sides; what comes over the oneshot is the last frame.
pub(super) fn outlet(
    say: watch::Sender<Say>,
    place: Place,
) -> (Outlet, oneshot::Sender<Frame>, Stream) {
    let (to, pieces) = mpsc::channel(FRAMES);
    let (end, last) = oneshot::channel();
    let outlet = Outlet { to, room: Arc::new(Semaphore::new(ROOM)) };
    (outlet, end, Stream { pieces, last: Some(last), cut: false, say, hub: None, _place: place })
}

impl Stream {
    pub(super) fn of_hub(mut self, hub: JoinHandle<()>) -> Self {
        self.hub = Some(hub);
        self
    }

    /// The next frame; None behind the last. What cuts the stream does not wait for what is queued: after a token is revoked no line
    /// comes any more. Cancel safe.
    pub async fn next(&mut self) -> Option<Piece> {
        if self.cut {
            return None;
        }
        if let Some(last) = &mut self.last {
            tokio::select! {
                biased;
                frame = last => {
                    self.last = None;
                    if let Ok(frame) = frame {
                        self.cut = true;
                        return Some(Piece::of(frame));
                    }
                }
                piece = self.pieces.recv() => return piece,
            }
        }
        self.pieces.recv().await
    }

    /// The viewer said something; what cannot be done is answered by the frame that says so.
    pub fn hear(&self, ask: Ask) -> Option<Frame> {
        if let Ask::Filter { grep, invert, case, .. } = &ask {
            let (grep, invert, case) = (grep.clone(), *invert, *case);
            let filter = common::api_types::live::Filter { grep, invert, case };
            if let Err(detail) = asked::check(&filter) {
                return Some(Frame::Refused { code: "bad_filter".to_owned(), detail });
            }
        }
        self.say.send_modify(|say| say.hear(ask));
        None
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(hub) = &self.hub {
            hub.abort();
        }
    }
}
