//! Where lines go: the contract between whoever ships and whatever keeps them.

use super::batch::Events;

/// Keeps lines. One call at a time, from one thread; a call blocks, for a bounded time.
pub trait Sink: Send {
    /// Gives events to it. Ok only when it has acknowledged all of them: a cursor moves on that and on nothing else. After a failure the
    /// events are the caller's still, to be sent again: all of them, or some (see [`Failure`]).
    fn send(&mut self, events: &Events<'_>) -> Result<(), Failure>;

    /// To be called about once a second while there is nothing to send, and once before the first events: lets it see that its peer is
    /// there. What fails shows in [`Sink::status`] and in the log.
    fn idle(&mut self);

    /// How it goes.
    fn status(&self) -> Status;
}

/// Why events were not acknowledged, in words that name the peer. What to do depends on the kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The peer refused them for now: it is full, or a batch may not have as many. Send fewer at once, after a pause of 100 ms to 5 s.
    #[error("{cause}")]
    Full {
        /// What it said.
        cause: String,
    },
    /// There is no connection, or no answer came: send them again, after a pause that grows to 30 s.
    #[error("{cause}")]
    Lost {
        /// What happened.
        cause: String,
        /// The peer may have kept some or all of them: sent again they are there twice.
        doubtful: bool,
    },
    /// The two do not understand each other (TLS, compression, protocol): trying again helps only after somebody has changed something.
    /// Pause a minute.
    #[error("{cause}")]
    Refused {
        /// What is wrong.
        cause: String,
    },
    /// The peer failed at these events. After three times with the same ones send them one by one, and put aside a single one that
    /// fails alone.
    #[error("{cause}")]
    Fault {
        /// What it said.
        cause: String,
    },
}

/// How a sink fares, since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Who it talks to, or tries to: `flume1:4141`, a directory.
    pub peer: String,
    /// Whether the last thing it did worked.
    pub works: bool,
    /// The last failure, in words, also when it works again.
    pub last_failure: Option<String>,
    /// Batches acknowledged.
    pub batches: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes in them, with headers.
    pub bytes: u64,
    /// Failures by kind.
    pub failures: Failures,
    /// How often it went to another peer.
    pub failovers: u64,
}

/// Failures, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// [`Failure::Full`].
    pub full: u64,
    /// [`Failure::Lost`].
    pub lost: u64,
    /// [`Failure::Refused`].
    pub refused: u64,
    /// [`Failure::Fault`].
    pub fault: u64,
}

impl Status {
    /// Of several that talk to the same peers: it works if all do, one that does not is the one shown, and counts are added up.
    pub fn of_all(all: &[&Self]) -> Self {
        let shown = all.iter().find(|one| !one.works).or(all.first());
        let mut whole = shown.map(|one| (*one).clone()).unwrap_or_default();
        let sum = |count: fn(&Self) -> u64| all.iter().map(|one| count(one)).sum();
        whole.batches = sum(|one| one.batches);
        whole.events = sum(|one| one.events);
        whole.bytes = sum(|one| one.bytes);
        whole.failovers = sum(|one| one.failovers);
        whole.failures = Failures {
            full: sum(|one| one.failures.full),
            lost: sum(|one| one.failures.lost),
            refused: sum(|one| one.failures.refused),
            fault: sum(|one| one.failures.fault),
        };
        whole
    }

    /// Counts what became of events.
    pub fn count(&mut self, events: &Events<'_>, result: &Result<(), Failure>) {
        match result {
            Ok(()) => {
                self.works = true;
                self.batches += 1;
                self.events += events.len() as u64;
                self.bytes += events.bytes().len() as u64;
            }
            Err(failure) => self.failed(failure),
        }
    }

    /// Counts a failure.
    pub fn failed(&mut self, failure: &Failure) {
        self.works = false;
        self.last_failure = Some(failure.to_string());
        let failures = &mut self.failures;
        *match failure {
            Failure::Full { .. } => &mut failures.full,
            Failure::Lost { .. } => &mut failures.lost,
            Failure::Refused { .. } => &mut failures.refused,
            Failure::Fault { .. } => &mut failures.fault,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_the_one_that_fails_is_shown_and_counts_are_added_up() {
        let works = Status { peer: "a:1".into(), works: true, events: 5, ..Status::default() };
        let mut fails = Status { peer: "b:1".into(), events: 2, ..Status::default() };
        fails.failed(&Failure::Full { cause: "b:1 is full".into() });
        let whole = Status::of_all(&[&works, &fails]);
        assert_eq!((whole.peer.as_str(), whole.works, whole.events), ("b:1", false, 7));
        assert_eq!(whole.last_failure.as_deref(), Some("b:1 is full"));
        assert_eq!(whole.failures.full, 1);
        assert_eq!(Status::of_all(&[&works]), works);
        assert_eq!(Status::of_all(&[]), Status::default());
    }
}
