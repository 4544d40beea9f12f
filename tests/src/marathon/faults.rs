//! What can go wrong with a Marathon.

use std::collections::VecDeque;

/// A fault, from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Streams are written byte by byte, each in a packet of its own.
    ByteByByte,
    /// Streams stay open and tell nothing, no heartbeat either.
    Silence,
    /// Streams are accepted and closed at once, as a leader does that is not ready.
    StillBorn,
    /// Requests to paths that begin so are never answered.
    Hang(String),
    /// Requests to paths that begin so are answered with this status.
    Status(String, u16),
    /// Requests to paths that begin so are redirected there, for ever; `{self}` is the server that was asked.
    Redirect(String, String),
    /// Answers to paths that begin so end after so many bytes, and the connection with them.
    Cut(String, usize),
    /// Answers to paths that begin so are this.
    Body(String, String),
    /// The next lists of apps are these, one each.
    Lists(Vec<String>),
    /// The sockets of streams take bytes slowly: each event waits this many milliseconds, and the buffer fills.
    Slow(u64),
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    all: Vec<Fault>,
    lists: VecDeque<String>,
}

impl Faults {
    pub(super) fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Lists(lists) => self.lists.extend(lists),
            fault => self.all.push(fault),
        }
    }

    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.all.contains(fault)
    }

    /// What applies to a request.
    pub(super) fn of_path(&self, path: &str) -> Option<&Fault> {
        self.all.iter().find(|fault| match fault {
            Fault::Hang(prefix)
            | Fault::Status(prefix, _)
            | Fault::Redirect(prefix, _)
            | Fault::Cut(prefix, _)
            | Fault::Body(prefix, _) => path.starts_with(prefix.as_str()),
            _ => false,
        })
    }

    pub(super) fn next_list(&mut self) -> Option<String> {
        self.lists.pop_front()
    }

    pub(super) fn pause(&self) -> Option<u64> {
        self.all.iter().find_map(|fault| match fault {
            Fault::Slow(ms) => Some(*ms),
            _ => None,
        })
    }
}
