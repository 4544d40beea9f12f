//! A file's place on the way to the sink: what is read there becomes events of a batch.
//!
//! A window is read and proven (`Source::read_window`), and it is decided at once how much of it is shipped: the lines that are complete,
//! or more when nothing came for a while. The rest is read again. A batch that is full in the middle of a window is followed by another one.

use super::batch::{Batch, Line};
use super::exchange::{Shipment, Step};
use super::joining::{Groups, Multiline};
use super::labels::Labels;
use super::status::{Board, Counts, Lane, add};
use super::{JOINED_AFTER, ShipSettings};
use crate::lines::{LONGEST, Lines, Part, Piece};
use crate::name::FileName;
use crate::source::{Place, Source, State, Step as Read, Window};
use crate::volume::{InstanceKey, Volume};
use common::logging::Episode;
use common::moment::Moment;
use memchr::memrchr;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Before a file that could not be read is tried again: the first time, and at most.
const AGAIN: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) lane: Arc<Lane>,
    /// Whose it is: its bytes are counted in that one's turns.
    pub(super) volume: Arc<Volume>,
    /// Where it begins, as it was when the follower last named it.
    start: Place,
    place: Place,
    /// What comes next goes on with a cut line; None: as the byte before says.
    within: Option<bool>,
    named: Option<Named>,
    tail: Option<Tail>,
    failing: Option<Box<(u32, Episode)>>,
    /// When it is looked at though it is not named.
    pub(super) timer: Option<Instant>,
}

/// What its name and owner say.
#[derive(Debug)]
struct Named {
    name: Arc<FileName>,
    volume: Arc<Volume>,
    labels: Labels,
    counts: Arc<Counts>,
}

/// What was read and not shipped, since no line ended.
#[derive(Debug, Clone, Copy)]
struct Tail {
    end: u64,
    since: Instant,
}

/// A window on its way into batches.
#[derive(Debug)]
pub(super) struct Reading {
    /// So many of its bytes are to be shipped, and so many are.
    pub(super) taken: usize,
    at: usize,
    within: bool,
    flush: Flush,
    timestamp_ms: u64,
    /// There may be more behind the window.
    pub(super) more: bool,
}

/// What of an unfinished end is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flush {
    Nothing,
    /// Joined lines that might go on.
    Joined,
    /// Also what has no LF.
    Tail {
        ended: bool,
    },
}

impl Flush {
    /// Whether what has no LF is shipped, and as the end of its line.
    fn ended(self) -> Option<bool> {
        match self {
            Self::Tail { ended } => Some(ended),
            Self::Nothing | Self::Joined => None,
        }
    }
}

/// What a look at a file gave.
pub(super) enum Look {
    /// A window with something to ship.
    Window(Reading),
    /// Something else was done: look again.
    Again,
    /// Nothing until it is named again, or the time is there.
    Nothing(Option<Instant>),
}

impl Cursor {
    pub(super) fn new(source: Arc<Source>, start: Place) -> Self {
        let volume = source.volume();
        Self {
            lane: Arc::new(Lane::new(source)),
            volume,
            start,
            place: start,
            within: None,
            named: None,
            tail: None,
            failing: None,
            timer: None,
        }
    }

    /// The follower named it. A new generation is read from then on and not before: what the follower named earlier, above all a copy of the
    /// generation before, is known by now, and written down before anything of this one.
    pub(super) fn woken(&mut self, start: Place) {
        self.volume = self.lane.source.volume();
        self.start = start;
    }

    /// Reads what comes next.
    pub(super) fn look(
        &mut self,
        settings: &ShipSettings,
        board: &Board,
        window: &mut Window,
        shipment: &mut Shipment,
        now: Instant,
    ) -> Look {
        let source = self.lane.source.clone();
        let place = self.place();
        let state = source.state();
        let quiet = self.tail.map(|tail| (tail.end, now.duration_since(tail.since)));
        let mut plan = (0, Flush::Nothing, false);
        let read = source.read_window(&place, window, |window| {
            let within = self.within.unwrap_or_else(|| is_within(window.before()));
            let end = window.offset() + window.data().len() as u64;
            let quiet = quiet.filter(|(of, _)| *of == end).map_or(Duration::ZERO, |(_, q)| q);
            let (taken, flush) = plan_of(settings, window, within, quiet, state);
            plan = (taken, flush, within);
            taken
        });
        if read.is_ok() {
            if let Some(mut failing) = self.failing.take() {
                failing.1.recovered();
            }
        }
        match read {
            Ok(Read::Bytes(0)) => {
                self.tail = None;
                Look::Nothing(None)
            }
            Ok(Read::Bytes(_)) => {
                let (taken, flush, within) = plan;
                self.leave(window, taken, now);
                if taken == 0 {
                    return Look::Nothing(self.due(settings, now));
                }
                let more = window.is_full();
                self.name(settings, board, &source);
                let timestamp_ms = Moment::now().unix_ms();
                Look::Window(Reading { taken, at: 0, within, flush, timestamp_ms, more })
            }
            Ok(Read::Skip { to }) => self.skip(settings, board, &source, place, to, shipment),
            // the follower names it when it begins again
            Ok(Read::Restart) => Look::Nothing(None),
            // let go
            Err(error) if error.kind() == ErrorKind::NotFound => Look::Nothing(None),
            Err(error) => {
                add(&board.counts(&source.app()).read_failures, 1);
                let failing = self.failing.get_or_insert_with(|| {
                    let what = format!("{}: file {}", source.app(), source.name());
                    Box::new((0, Episode::new(what)))
                });
                failing.1.failed(&error);
                failing.0 += 1;
                Look::Nothing(Some(now + (AGAIN * failing.0).min(LATEST)))
            }
        }
    }

    /// When to look again at what was left, if it is not written on before.
    pub(super) fn due(&self, settings: &ShipSettings, now: Instant) -> Option<Instant> {
        let tail = self.tail?;
        let wait = wait_for_tail(settings, self.lane.source.state());
        let joins = settings.multiline.is_some() && now.duration_since(tail.since) < JOINED_AFTER;
        Some(tail.since + if joins { JOINED_AFTER.min(wait) } else { wait })
    }

    /// Where to read: the place reached, or where its file begins again.
    fn place(&mut self) -> Place {
        if self.place.generation != self.start.generation {
            self.lane.restarted();
            (self.place, self.within, self.tail) = (self.start, None, None);
        }
        self.place
    }

    /// Remembers what is left of a window.
    fn leave(&mut self, window: &Window, taken: usize, now: Instant) {
        let end = window.offset() + window.data().len() as u64;
        let left = !window.is_full() && taken < window.data().len();
        let since = self.tail.filter(|tail| tail.end == end).map_or(now, |tail| tail.since);
        self.tail = left.then_some(Tail { end, since });
    }

    /// A hole, or NULs where a writer did not notice a truncation.
    fn skip(
        &mut self,
        settings: &ShipSettings,
        board: &Board,
        source: &Source,
        mut place: Place,
        to: u64,
        shipment: &mut Shipment,
    ) -> Look {
        // gone, or truncated: the follower names it again
        let Ok(Some(mark)) = source.mark_at(to) else { return Look::Nothing(None) };
        let bytes = to - place.mark.offset;
        place.mark = mark;
        self.name(settings, board, source);
        (self.place, self.within, self.tail) = (place, Some(false), None);
        let Some(named) = &self.named else { return Look::Nothing(None) };
        if add(&named.counts.skipped, bytes) == 0 {
            let (app, name) = (&named.volume.instance.app, &named.name);
            tracing::info!("{app}: {bytes} NUL bytes of {name} are left out; more are counted");
        }
        let upto = shipment.batch.len();
        shipment.steps.push(named.step(&self.lane, upto, place, 0, 0));
        Look::Again
    }

    /// Has its labels fit its name and owner.
    fn name(&mut self, settings: &ShipSettings, board: &Board, source: &Source) {
        let (name, volume) = (source.name(), source.volume());
        let same = |named: &Named| {
            Arc::ptr_eq(&named.name, &name)
                && (Arc::ptr_eq(&named.volume, &volume)
                    || (named.volume.instance == volume.instance
                        && named.volume.name == volume.name))
        };
        if self.named.as_ref().is_some_and(same) {
            return;
        }
        let shown = match volume.name.trim_matches('/') {
            "" => name.shown(),
            prefix => format!("{prefix}/{}", name.shown()),
        };
        let InstanceKey { id, app } = &volume.instance;
        let labels = Labels::new(&settings.dc, &settings.node, app.as_str(), id.as_str(), &shown);
        let counts = board.counts(app);
        self.named = Some(Named { name, volume, labels, counts });
    }

    /// Puts what was taken of a window into a batch; false if the batch is full before that is done.
    pub(super) fn encode(
        &mut self,
        rule: Option<&Multiline>,
        window: &Window,
        reading: &mut Reading,
        shipment: &mut Shipment,
    ) -> bool {
        let Some(named) = &self.named else { return true };
        let (from, before) = (reading.at, shipment.batch.len());
        let mut into = Into { window, from, labels: &named.labels, batch: &mut shipment.batch };
        let whole = match rule {
            None => reading.lines(&mut into),
            Some(rule) => reading.groups(rule, &mut into),
        };
        let upto = shipment.batch.len();
        if reading.at > from {
            self.place.mark = window.mark(reading.at);
            self.within = Some(reading.within);
            let (bytes, lines) = ((reading.at - from) as u64, (upto - before) as u64);
            shipment.steps.push(named.step(&self.lane, upto, self.place, bytes, lines));
        }
        whole
    }
}

/// From where to where pieces go.
struct Into<'a> {
    window: &'a Window,
    /// Where the pieces are counted from.
    from: usize,
    labels: &'a Labels,
    batch: &'a mut Batch,
}

impl Named {
    fn step(&self, lane: &Arc<Lane>, upto: usize, place: Place, bytes: u64, lines: u64) -> Step {
        let (lane, counts) = (lane.clone(), self.counts.clone());
        Step { lane, counts, upto, place, bytes, lines }
    }
}

impl Reading {
    /// Every line an event. This is the hot path.
    fn lines(&mut self, into: &mut Into<'_>) -> bool {
        // to the end of what was read: where a long line is cut depends on what comes behind
        let mut lines = Lines::new(&into.window.data()[into.from..], self.within);
        while self.at < self.taken {
            let Some(piece) = lines.next().or_else(|| lines.rest(self.flush.ended()?)) else {
                break;
            };
            if !self.push(piece, into) {
                return false;
            }
        }
        true
    }

    fn groups(&mut self, rule: &Multiline, into: &mut Into<'_>) -> bool {
        let mut groups = Groups::new(&into.window.data()[into.from..], self.within, rule);
        while self.at < self.taken {
            let next = groups.next().or_else(|| groups.open());
            let Some(piece) = next.or_else(|| groups.rest(self.flush.ended()?)) else { break };
            if !self.push(piece, into) {
                return false;
            }
        }
        true
    }

    #[inline]
    fn push(&mut self, piece: Piece, into: &mut Into<'_>) -> bool {
        let (start, end) = (into.from + piece.start, into.from + piece.end);
        let line = Line {
            offset: into.window.offset() + start as u64,
            part: piece.part,
            timestamp_ms: self.timestamp_ms,
            body: &into.window.data()[start..end],
        };
        if !into.batch.push(into.labels, &line) {
            return false;
        }
        self.at = into.from + piece.next;
        self.within = matches!(piece.part, Part::First | Part::Middle);
        true
    }
}

/// How much of a window is shipped.
fn plan_of(
    settings: &ShipSettings,
    window: &Window,
    within: bool,
    quiet: Duration,
    state: State,
) -> (usize, Flush) {
    let data = window.data();
    let (complete, joined) = match &settings.multiline {
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
        return (complete, Flush::Nothing);
    }
    if joined < data.len() && quiet >= wait_for_tail(settings, state) {
        return (data.len(), Flush::Tail { ended: state != State::Live });
    }
    if complete < joined && quiet >= JOINED_AFTER {
        return (joined, Flush::Joined);
    }
    (complete, Flush::Nothing)
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
fn wait_for_tail(settings: &ShipSettings, state: State) -> Duration {
    match state {
        State::Live => settings.partial_after,
        State::Rotated | State::Deleted => settings.partial_after.min(JOINED_AFTER),
    }
}

/// After a restart: whether a place is in the middle of a line. After a hole it is not.
fn is_within(before: Option<u8>) -> bool {
    !matches!(before, None | Some(b'\n' | 0))
}
