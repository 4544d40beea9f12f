//! A window of a file on its way into batches: how much of it is shipped, and which events that makes. Pure.

use super::batch::{Batch, Line};
use super::joining::{Groups, Multiline};
use super::labels::Labels;
use super::{JOINED_AFTER, ShipSettings};
use crate::dockerlog::{Decoder, Stream};
use crate::lines::{LONGEST, Lines, Part, Piece};
use crate::source::{State, Window};
use memchr::memrchr;
use std::time::Duration;

/// What is shipped of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// So many of its bytes.
    pub(super) taken: usize,
    flush: Flush,
}

/// What of an unfinished end is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flush {
    Nothing,
    /// Joined lines that might go on.
    Joined,
    /// Also what has no LF; as the end of its line, or not.
    Tail {
        ended: bool,
    },
}

/// How bytes become events.
pub(super) enum Kind<'a> {
    /// Every line one.
    Lines,
    Joined(&'a Multiline),
    /// Docker's own log; with the labels of standard error.
    Docker(&'a mut Decoder, &'a Labels),
}

/// From where to where events go.
pub(super) struct Into<'a> {
    pub(super) window: &'a Window,
    pub(super) labels: &'a Labels,
    pub(super) batch: &'a mut Batch,
}

/// How far a window is.
#[derive(Debug)]
pub(super) struct Reading {
    plan: Plan,
    at: usize,
    within: bool,
    timestamp_ms: u64,
    /// There may be more behind the window.
    pub(super) more: bool,
}

impl Reading {
    pub(super) fn new(plan: Plan, within: bool, timestamp_ms: u64, more: bool) -> Self {
        Self { plan, at: 0, within, timestamp_ms, more }
    }

    /// Bytes of the window that are events already.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether what comes next goes on with a cut line.
    pub(super) fn within(&self) -> bool {
        self.within
    }

    /// Bytes of the window that are shipped in all.
    pub(super) fn taken(&self) -> usize {
        self.plan.taken
    }

    /// Goes on; false if the batch is full before all is in it.
    pub(super) fn encode(&mut self, kind: Kind<'_>, into: &mut Into<'_>) -> bool {
        match kind {
            Kind::Lines => self.lines(into),
            Kind::Joined(rule) => self.groups(rule, into),
            Kind::Docker(decoder, errors) => self.docker(decoder, errors, into),
        }
    }

    /// Every line an event. This is the hot path.
    fn lines(&mut self, into: &mut Into<'_>) -> bool {
        let from = self.at;
        // to the end of what was read: where a long line is cut depends on what comes behind
        let mut lines = Lines::new(&into.window.data()[from..], self.within);
        while self.at < self.plan.taken {
            let Some(piece) = lines.next().or_else(|| lines.rest(self.plan.flush.ended()?)) else {
                break;
            };
            let line = self.line(from, piece, into.window);
            if !into.batch.push(into.labels, &line) {
                return false;
            }
            self.passed(from, piece);
        }
        true
    }

    fn groups(&mut self, rule: &Multiline, into: &mut Into<'_>) -> bool {
        let from = self.at;
        let mut groups = Groups::new(&into.window.data()[from..], self.within, rule);
        while self.at < self.plan.taken {
            let next = groups.next().or_else(|| groups.open());
            let Some(piece) = next.or_else(|| groups.rest(self.plan.flush.ended()?)) else { break };
            let line = self.line(from, piece, into.window);
            if !into.batch.push(into.labels, &line) {
                return false;
            }
            self.passed(from, piece);
        }
        true
    }

    fn docker(&mut self, decoder: &mut Decoder, errors: &Labels, into: &mut Into<'_>) -> bool {
        let from = self.at;
        let mut lines = Lines::new(&into.window.data()[from..], self.within);
        while self.at < self.plan.taken {
            let Some(piece) = lines.next().or_else(|| lines.rest(self.plan.flush.ended()?)) else {
                break;
            };
            let mut line = self.line(from, piece, into.window);
            // asked before: what is decoded once is not decoded again. What is decoded is no longer than it was
            if !into.batch.fits(into.labels, line.body.len()) {
                return false;
            }
            let mut labels = into.labels;
            if piece.part == Part::Whole {
                let record = decoder.decode(line.body);
                if record.stream == Stream::Err {
                    labels = errors;
                }
                line.timestamp_ms = record.time_ms.unwrap_or(line.timestamp_ms);
                (line.body, line.part) = (record.body, record.part);
                if !into.batch.push(labels, &line) {
                    return false;
                }
            } else if !into.batch.push(labels, &line) {
                return false;
            }
            self.passed(from, piece);
        }
        true
    }

    #[inline]
    fn line<'a>(&self, from: usize, piece: Piece, window: &'a Window) -> Line<'a> {
        let (start, end) = (from + piece.start, from + piece.end);
        Line {
            offset: window.offset() + start as u64,
            part: piece.part,
            timestamp_ms: self.timestamp_ms,
            body: &window.data()[start..end],
        }
    }

    #[inline]
    fn passed(&mut self, from: usize, piece: Piece) {
        self.at = from + piece.next;
        self.within = matches!(piece.part, Part::First | Part::Middle);
    }
}

impl Flush {
    /// Whether what has no LF is shipped, and whether as the end of its line.
    fn ended(self) -> Option<bool> {
        match self {
            Self::Tail { ended } => Some(ended),
            Self::Nothing | Self::Joined => None,
        }
    }
}

/// How much of a window is shipped now.
pub(super) fn plan(
    settings: &ShipSettings,
    rule: Option<&Multiline>,
    window: &Window,
    within: bool,
    quiet: Duration,
    state: State,
) -> Plan {
    let data = window.data();
    let (complete, joined) = match rule {
        None => {
            let complete = complete(data, within);
            (complete, complete)
        }
        Some(rule) => {
            let mut groups = Groups::new(data, within, rule);
            let complete = groups.by_ref().last().map_or(0, |piece| piece.next);
            (complete, groups.open().map_or(complete, |piece| piece.next))
        }
    };
    if window.is_full() {
        return Plan { taken: complete, flush: Flush::Nothing };
    }
    if joined < data.len() && quiet >= wait_for_tail(settings, state) {
        let flush = Flush::Tail { ended: state != State::Live };
        return Plan { taken: data.len(), flush };
    }
    if complete < joined && quiet >= JOINED_AFTER {
        return Plan { taken: joined, flush: Flush::Joined };
    }
    Plan { taken: complete, flush: Flush::Nothing }
}

/// How much of it is complete lines, or pieces of one that is too long.
fn complete(data: &[u8], within: bool) -> usize {
    let lines = memrchr(b'\n', data).map_or(0, |lf| lf + 1);
    if data.len() - lines <= LONGEST {
        return lines;
    }
    let mut rest = Lines::new(&data[lines..], within && lines == 0);
    rest.by_ref().for_each(drop);
    lines + rest.at()
}

/// A line without LF may be finished yet; one of a file that was renamed or deleted seldom is.
pub(super) fn wait_for_tail(settings: &ShipSettings, state: State) -> Duration {
    match state {
        State::Live => settings.partial_after,
        State::Rotated | State::Deleted => settings.partial_after.min(JOINED_AFTER),
    }
}

/// After a restart: whether a place is in the middle of a line. After a hole it is not.
pub(super) fn is_within(before: Option<u8>) -> bool {
    !matches!(before, None | Some(b'\n' | 0))
}
