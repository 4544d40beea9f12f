//! The thread that reads: whoever has data in turn, into the batch that is not under way.
//!
//! A batch is handed over when it is full, and at once when the sender has nothing to do; then not again for a few milliseconds, in which
//! what comes is gathered. While both batches are under way nothing is read: files wait where they are.

use super::Outlet;
use super::cursor::{Cursor, Look};
use super::exchange::{Presence, Shipment, Side};
use super::forget::Forget;
use super::joining::JOINED;
use super::lane::Turns;
use super::reading::Reading;
use super::status::Lane;
use crate::files::Known;
use crate::lines::LONGEST;
use crate::source::{Source, SourceId, Window};
use crate::volume::InstanceKey;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A window: joined lines, and behind them one that is cut, so that each full window gives something.
const WINDOW: usize = JOINED + LONGEST + 1;
/// Files taken at once from the list of those that grew.
const MOST: usize = 1_024;
/// Between two looks at which files are gone, while some are and while none is.
const PRUNE: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Reader {
    outlet: Outlet,
    turns: Turns<InstanceKey, SourceId>,
    cursors: HashMap<SourceId, Cursor>,
    /// Whose window is on its way into batches.
    reading: Option<(SourceId, Reading)>,
    /// To be written down before anything that is read from now on is shipped.
    starts: Vec<Known>,
    window: Window,
    shipment: Option<Shipment>,
    /// The batch takes no more.
    full: bool,
    handed_over: Option<Instant>,
    /// When to look at a file though it is not named; one time for each.
    due: BTreeSet<(Instant, SourceId)>,
    forget: Forget,
    prune_at: Instant,
    set: tokio::sync::watch::Receiver<u64>,
}

impl Reader {
    pub(super) fn new(outlet: Outlet) -> Self {
        let now = Instant::now();
        let set = outlet.files.subscribe();
        Self {
            outlet,
            turns: Turns::default(),
            cursors: HashMap::new(),
            reading: None,
            starts: Vec::new(),
            window: Window::new(WINDOW),
            shipment: None,
            full: false,
            handed_over: None,
            due: BTreeSet::new(),
            forget: Forget::default(),
            prune_at: now,
            set,
        }
    }

    pub(super) fn run(mut self) {
        let presence = Presence(self.outlet.exchange.clone(), Side::Reading);
        let mut wait = Duration::ZERO;
        while !self.outlet.exchange.is_stopping() && !self.outlet.woken().is_closed() {
            self.take_woken(wait);
            let now = Instant::now();
            self.take_due(now);
            self.fill(now);
            let again = self.hand_over(now);
            self.prune(now);
            wait = self.wait(again);
        }
        // what was read may still go
        if let Some(shipment) = self.shipment.take().filter(|shipment| !shipment.is_empty()) {
            drop(self.outlet.exchange.hand_over(shipment));
        }
        self.outlet.exchange.stop();
        drop(presence);
    }

    /// Waits for files that grew.
    fn take_woken(&mut self, longest: Duration) {
        let woken = self.outlet.woken().wait(longest, MOST);
        let now = Instant::now();
        for source in woken {
            self.wake(&source, now);
        }
    }

    fn wake(&mut self, source: &Arc<Source>, now: Instant) {
        // named again when it is known what it is
        let Some(start) = source.start() else { return };
        let cursor = self.cursors.entry(source.id()).or_insert_with(|| {
            // nothing else tells of a start that is not the first byte
            self.starts.extend(source.known(&start));
            let cursor = Cursor::new(source.clone(), start);
            self.outlet.board.lanes().insert(source.id(), cursor.lane.clone());
            cursor
        });
        cursor.woken(start);
        cursor.lane.measure(now);
        self.turns.wake(&cursor.volume.instance, source.id());
    }

    fn take_due(&mut self, now: Instant) {
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            if let Some(cursor) = self.cursors.get_mut(&id) {
                cursor.timer = None;
                self.turns.wake(&cursor.volume.instance, id);
            }
        }
    }

    /// Looks at a file then, or before.
    fn later(&mut self, id: SourceId, at: Option<Instant>) {
        let (Some(at), Some(cursor)) = (at, self.cursors.get_mut(&id)) else { return };
        if cursor.timer.is_none() {
            cursor.timer = Some(at);
            self.due.insert((at, id));
        }
    }

    /// Reads until the batch is full or nobody has anything.
    fn fill(&mut self, now: Instant) {
        loop {
            if self.shipment.is_none() {
                self.shipment = self.outlet.exchange.free();
                self.full = false;
            }
            let Some(shipment) = &mut self.shipment else { return };
            shipment.starts.append(&mut self.starts);
            self.full |= shipment.is_full();
            if self.full {
                return;
            }
            if let Some((id, mut reading)) = self.reading.take() {
                let Some(cursor) = self.cursors.get_mut(&id) else { continue };
                if !cursor.encode(&self.outlet.settings, &self.window, &mut reading, shipment) {
                    self.full = true;
                    self.reading = Some((id, reading));
                    return;
                }
                let due = cursor.due(&self.outlet.settings, now);
                self.turns.took(reading.taken() as u64, reading.more);
                self.later(id, due);
                continue;
            }
            let Some(id) = self.turns.turn() else { return };
            let Some(cursor) = self.cursors.get_mut(&id) else {
                self.turns.took(0, false);
                continue;
            };
            match cursor.look(
                &self.outlet.settings,
                &self.outlet.board,
                &mut self.window,
                shipment,
                now,
            ) {
                Look::Window(reading) => self.reading = Some((id, reading)),
                Look::Again => self.turns.took(0, true),
                Look::Nothing(due) => {
                    self.turns.took(0, false);
                    self.later(id, due);
                }
            }
        }
    }

    /// Hands the batch over if it is time; when it will be, if that is known.
    fn hand_over(&mut self, now: Instant) -> Option<Instant> {
        let shipment = self.shipment.take_if(|shipment| !shipment.is_empty())?;
        if !self.full {
            // the sender rings when it has nothing to do
            let idle = self.outlet.exchange.is_idle();
            let due = self.handed_over.map(|at| at + self.outlet.settings.gather);
            if !idle || due.is_some_and(|due| now < due) {
                self.shipment = Some(shipment);
                return due.filter(|_| idle);
            }
        }
        self.shipment = self.outlet.exchange.hand_over(shipment);
        if self.shipment.is_none() {
            self.handed_over = Some(now);
            // the other one, and go on
            return Some(now);
        }
        None
    }

    /// How long there is nothing to do.
    fn wait(&self, again: Option<Instant>) -> Duration {
        let now = Instant::now();
        let due = self.due.first().map(|(at, _)| *at);
        let until = [again, due, Some(self.prune_at)].into_iter().flatten().min();
        until.map_or(PRUNE, |until| until.saturating_duration_since(now))
    }

    /// Lets go of what is not followed any more.
    fn prune(&mut self, now: Instant) {
        if now < self.prune_at {
            return;
        }
        let changed = self.set.has_changed().unwrap_or(false);
        self.prune_at = now + if changed { PRUNE } else { SELDOM };
        if changed {
            self.set.borrow_and_update();
            let all: HashSet<SourceId> =
                self.outlet.files.all().iter().map(|source| source.id()).collect();
            let reading = self.reading.as_ref().map(|(id, _)| *id);
            let due = &mut self.due;
            self.cursors.retain(|id, cursor| {
                let kept = all.contains(id) || reading == Some(*id);
                if let Some(at) = cursor.timer.filter(|_| !kept) {
                    due.remove(&(at, *id));
                }
                kept
            });
            let others = |lane: &Lane| lane.source.outlet() != self.outlet.nth;
            let lanes = &mut self.outlet.board.lanes();
            lanes.retain(|id, lane| others(lane) || self.cursors.contains_key(id));
        }
        // once for all outlets
        if self.outlet.nth == 0 && self.forget.is_due(now) {
            let set = *self.set.borrow();
            self.forget.run(&self.outlet.journal, &self.outlet.files, set, now);
        }
    }
}
