//! The streams of a played Marathon: each with a buffer, as Jetty's.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

#[derive(Debug, Default)]
pub(super) struct Streams(Vec<Open>);

#[derive(Debug)]
struct Open {
    send: SyncSender<Vec<u8>>,
    /// A reader that is too slow is cut off; older versions skip events silently.
    cuts: bool,
}

/// The end at the server.
pub(super) type Stream = Receiver<Vec<u8>>;

impl Streams {
    pub(super) fn attach(&mut self, buffer: usize, cuts: bool) -> Stream {
        let (send, receive) = sync_channel(buffer);
        self.0.push(Open { send, cuts });
        receive
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.0.retain(|open| match open.send.try_send(bytes.to_vec()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => !open.cuts,
            Err(TrySendError::Disconnected(_)) => false,
        });
    }

    pub(super) fn close(&mut self) {
        self.0.clear();
    }

    /// How many are open.
    pub(super) fn open(&mut self) -> usize {
        self.0.len()
    }
}
