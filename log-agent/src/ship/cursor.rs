//! A file's place on the way to the sink: what is read there becomes events of a batch.
//!
//! A window is read and proven (`Source::read_window`), and it is decided at once how much of it is shipped: the lines that are complete,
//! or more when nothing came for a while. The rest is read again. A batch that is full in the middle of a window is followed by another one.

use super::exchange::{Shipment, Step};
use super::joining::Multiline;
use super::labels::Labels;
use super::reading::{Into, Kind, Reading, is_within, plan, wait_for_tail};
use super::status::{Board, Counts, Lane, add};
use super::{JOINED_AFTER, ShipSettings};
use crate::dockerlog::{Decoder, Stream};
use crate::name::FileName;
use crate::source::{Place, Source, Step as Read, Window};
use crate::volume::{Form, InstanceKey, Volume};
use common::logging::Episode;
use common::moment::Moment;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Before a file that could not be read is tried again: the first time, and at most.
const AGAIN: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);
/// So much before a place tells whether a line of Docker's goes on there.
const DOCKER_BEFORE: usize = 256 * 1_024;

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
    /// For Docker's own log, once it was read from.
    decoder: Option<Box<Decoder>>,
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
    /// Of standard error, in Docker's own log.
    errors: Option<Labels>,
    counts: Arc<Counts>,
}

/// What was read and not shipped, since no line ended.
#[derive(Debug, Clone, Copy)]
struct Tail {
    end: u64,
    since: Instant,
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
            decoder: None,
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
        let rule = self.rule(settings);
        let mut planned = None;
        let read = source.read_window(&place, window, |window| {
            let within = self.within.unwrap_or_else(|| is_within(window.before()));
            let end = window.offset() + window.data().len() as u64;
            let quiet = quiet.filter(|(of, _)| *of == end).map_or(Duration::ZERO, |(_, q)| q);
            let plan = plan(settings, rule, window, within, quiet, state);
            planned = Some((plan, within));
            plan.taken
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
                let Some((plan, within)) = planned else { return Look::Nothing(None) };
                self.leave(window, plan.taken, now);
                if plan.taken == 0 {
                    return Look::Nothing(self.due(settings, now));
                }
                self.name(settings, board, &source);
                self.resume_docker(&source, place);
                let more = window.is_full();
                Look::Window(Reading::new(plan, within, Moment::now().unix_ms(), more))
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
        let joins = self.rule(settings).is_some() && now.duration_since(tail.since) < JOINED_AFTER;
        Some(tail.since + if joins { JOINED_AFTER.min(wait) } else { wait })
    }

    /// Where to read: the place reached, or where its file begins again.
    fn place(&mut self) -> Place {
        if self.place.generation != self.start.generation {
            self.lane.restarted();
            (self.place, self.within, self.tail) = (self.start, None, None);
            self.decoder = None;
        }
        self.place
    }

    /// What joins its lines. Docker's own log is taken apart, not together.
    fn rule<'a>(&self, settings: &'a ShipSettings) -> Option<&'a Multiline> {
        settings.multiline.as_ref().filter(|_| self.volume.form == Form::Plain)
    }

    /// Begins to take Docker's own log apart.
    fn resume_docker(&mut self, source: &Source, place: Place) {
        if self.volume.form != Form::DockerJson || self.decoder.is_some() {
            return;
        }
        let most =
            usize::try_from(place.mark.offset).map_or(DOCKER_BEFORE, |n| n.min(DOCKER_BEFORE));
        let mut before = vec![0; most];
        // what cannot be read tells nothing: lines begin
        let got = source.fill_at(place.mark.offset - most as u64, &mut before).unwrap_or(0);
        self.decoder = Some(Box::new(Decoder::resume(&before[..got])));
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
        let InstanceKey { id, app } = &volume.instance;
        let (dc, node) = (&settings.dc, &settings.node);
        let labels = |shown: &str| Labels::new(dc, node, app.as_str(), id.as_str(), shown);
        let (labels, errors) = match (volume.form, volume.name.trim_matches('/')) {
            (Form::DockerJson, _) => (labels(Stream::Out.name()), Some(labels(Stream::Err.name()))),
            (Form::Plain, "") => (labels(&name.shown()), None),
            (Form::Plain, prefix) => (labels(&format!("{prefix}/{}", name.shown())), None),
        };
        let counts = board.counts(app);
        self.named = Some(Named { name, volume, labels, errors, counts });
    }

    /// Puts what was taken of a window into a batch; false if the batch is full before that is done.
    pub(super) fn encode(
        &mut self,
        settings: &ShipSettings,
        window: &Window,
        reading: &mut Reading,
        shipment: &mut Shipment,
    ) -> bool {
        let rule = self.rule(settings);
        let Some(named) = &self.named else { return true };
        let kind = match (&mut self.decoder, &named.errors, rule) {
            (Some(decoder), Some(errors), _) => Kind::Docker(decoder, errors),
            (_, _, Some(rule)) => Kind::Joined(rule),
            _ => Kind::Lines,
        };
        let (from, before) = (reading.at(), shipment.batch.len());
        let mut into = Into { window, labels: &named.labels, batch: &mut shipment.batch };
        let whole = reading.encode(kind, &mut into);
        let upto = shipment.batch.len();
        if reading.at() > from {
            self.place.mark = window.mark(reading.at());
            self.within = Some(reading.within());
            let (bytes, lines) = ((reading.at() - from) as u64, (upto - before) as u64);
            shipment.steps.push(named.step(&self.lane, upto, self.place, bytes, lines));
        }
        whole
    }
}

impl Named {
    fn step(&self, lane: &Arc<Lane>, upto: usize, place: Place, bytes: u64, lines: u64) -> Step {
        let (lane, counts) = (lane.clone(), self.counts.clone());
        Step { lane, counts, upto, place, bytes, lines }
    }
}
