//! What the follower counts: nothing it drops, skips or repeats is silent.

use crate::http;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counters since start.
#[derive(Debug, Default)]
pub struct Stats {
    /// Events heard, of the kinds that matter.
    pub events: AtomicU64,
    /// Lists compared.
    pub resyncs: AtomicU64,
    /// Containers inspected: once each, unless something happens to one.
    pub inspects: AtomicU64,
    /// Connections made anew after one was lost or refused.
    pub reconnects: AtomicU64,
    /// Calls that could not connect.
    pub errors_connect: AtomicU64,
    /// Calls that took too long.
    pub errors_timeout: AtomicU64,
    /// Answers other than 2xx, a vanished container's 404 left out.
    pub errors_status: AtomicU64,
    /// Answers that are too large, broken or unreadable.
    pub errors_answer: AtomicU64,
    /// Events longer than the bound, or unreadable. Each makes a full comparison.
    pub events_unreadable: AtomicU64,
    /// Events for which the receiver had no room.
    pub events_dropped: AtomicU64,
    /// Containers that came and went before they could be looked at.
    pub died_unseen: AtomicU64,
    /// Things left out of containers, and containers left out, for being too many or too large.
    pub left_out: AtomicU64,
    /// Last good copies that could not be read or written.
    pub last_good_errors: AtomicU64,
}

impl Stats {
    /// Every counter with its name, for `/metrics`.
    pub fn all(&self) -> [(&'static str, u64); 13] {
        [
            ("events", self.events.load(Relaxed)),
            ("resyncs", self.resyncs.load(Relaxed)),
            ("inspects", self.inspects.load(Relaxed)),
            ("reconnects", self.reconnects.load(Relaxed)),
            ("errors_connect", self.errors_connect.load(Relaxed)),
            ("errors_timeout", self.errors_timeout.load(Relaxed)),
            ("errors_status", self.errors_status.load(Relaxed)),
            ("errors_answer", self.errors_answer.load(Relaxed)),
            ("events_unreadable", self.events_unreadable.load(Relaxed)),
            ("events_dropped", self.events_dropped.load(Relaxed)),
            ("died_unseen", self.died_unseen.load(Relaxed)),
            ("left_out", self.left_out.load(Relaxed)),
            ("last_good_errors", self.last_good_errors.load(Relaxed)),
        ]
    }

    /// Counts a failed call by its cause.
    pub(super) fn failed(&self, error: &http::Error) {
        let counter = match error {
            http::Error::Url { .. } | http::Error::Connect { .. } | http::Error::Tls { .. } => {
                &self.errors_connect
            }
            http::Error::Timeout { .. } => &self.errors_timeout,
            http::Error::Status { .. } => &self.errors_status,
            http::Error::Protocol { .. }
            | http::Error::Socket { .. }
            | http::Error::TooLarge { .. } => &self.errors_answer,
        };
        counter.fetch_add(1, Relaxed);
    }
}
