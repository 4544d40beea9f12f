//! What happened at the door.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happened at the door, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) connections: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) no_tls: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    /// By hundreds of the status: 1xx at 0.
    pub(super) answers: [AtomicU64; 5],
}

impl Counts {
    /// Every count by name, for `/metrics`: `connections`, `connections_refused`, `connections_broken` (too slow, reset, or no HTTP),
    /// `tls_failed` (handshakes that came to nothing, plain HTTP spoken to a TLS port), `accept_errors`, `answers_2xx`...
    pub fn each(&self, mut emit: impl FnMut(&'static str, u64)) {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        emit("connections", get(&self.connections));
        emit("connections_refused", get(&self.refused));
        emit("connections_broken", get(&self.broken));
        emit("tls_failed", get(&self.no_tls));
        emit("accept_errors", get(&self.accept_errors));
        let names = ["answers_1xx", "answers_2xx", "answers_3xx", "answers_4xx", "answers_5xx"];
        for (name, count) in names.iter().zip(&self.answers) {
            emit(name, get(count));
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
