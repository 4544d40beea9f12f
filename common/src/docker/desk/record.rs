//! What is kept of one container: as it was last seen, and the look at it that is wanted or under way. Pure.

use crate::container::{Container, Inspected, State};
use crate::docker::wire::Listed;
use std::sync::Arc;

/// Slack for a start time against the engine's rounded words, in seconds.
const UP_SLACK: u64 = 5;

/// How a look that nothing has happened since is known again in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Print {
    /// An event made the look: the next list shows what it saw.
    Next,
    /// The entry's print.
    Is(u64),
}

#[derive(Debug)]
pub(super) struct Known {
    pub(super) container: Arc<Container>,
    pub(super) oom: bool,
}

/// A look that is wanted or under way.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) flying: bool,
    /// Something happened since it took off: look once more.
    pub(super) again: bool,
    /// An event was missed meanwhile, maybe about this container: what is seen may be old.
    pub(super) missed: bool,
    /// A start asked for it.
    pub(super) started: bool,
    pub(super) died: Option<Death>,
    pub(super) oom: bool,
}

/// A death that came before the look's answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Death {
    /// Of a container that was known: it is told, and the answer is of no use.
    Told,
    /// Of one that nobody had seen: the answer will say who it was.
    Unnamed(Option<i64>),
}

/// What a look has found.
#[derive(Debug)]
pub(in crate::docker) enum Seen {
    /// The engine's answer.
    Answer(Box<Inspected>),
    /// The engine knows no such container.
    Gone,
    /// No answer, or none that can be read.
    Failed,
}

impl Known {
    /// True if the list contradicts what a look saw: an entry that is as it was before the look may still have been another meanwhile.
    pub(super) fn differs(&self, entry: &Listed) -> bool {
        let paused = self.container.state == State::Paused;
        entry.paused.is_some_and(|p| p != paused)
            || entry.health.is_some_and(|h| h != self.container.health)
    }

    /// True if the list shows a younger run than the one that is known.
    pub(super) fn restarted(&self, entry: &Listed, now_ms: u64) -> bool {
        let (Some(most), Some(started)) = (entry.up_at_most, self.container.started_at_ms) else {
            return false;
        };
        now_ms.saturating_sub(started) / 1_000 > most + UP_SLACK
    }

    pub(super) fn same_run(&self, other: &Container) -> bool {
        let ours = &self.container;
        (ours.pid, ours.started_at_ms) == (other.pid, other.started_at_ms)
    }
}
