//! The thread that sends: a batch, in as many requests as the sink wants, until all of it is acknowledged or put aside.
//!
//! Only then, and only as far as that, files are written down as shipped: in the journal first, for the follower after that.

use super::Outlet;
use super::exchange::{Presence, Shipment, Side, Work};
use super::quarantine::Quarantine;
use super::retry::{Next, Retry};
use super::sink::{Failure, Sink};
use super::size::Size;
use super::status::{Sending, add};
use std::time::{Duration, Instant};

/// Between two calls of a sink that has nothing to do.
const IDLE: Duration = Duration::from_secs(1);
/// Between two looks at how the sink is while all goes well.
const SHOW: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Sender {
    outlet: Outlet,
    sink: Box<dyn Sink>,
    size: Size,
    retry: Retry,
    quarantine: Quarantine,
    /// The last request failed.
    failing: bool,
    shown: Option<Instant>,
}

impl Sender {
    pub(super) fn new(outlet: Outlet, sink: Box<dyn Sink>) -> Self {
        Self {
            sink,
            size: Size::new(outlet.settings.limits.events),
            retry: Retry::default(),
            quarantine: Quarantine::new(outlet.journal.dir()),
            failing: false,
            shown: None,
            outlet,
        }
    }

    pub(super) fn run(mut self) {
        let presence = Presence(self.outlet.exchange.clone(), Side::Sending);
        self.sink.idle();
        self.show(Instant::now());
        loop {
            match self.outlet.exchange.next(IDLE) {
                Work::Send(shipment) => {
                    if !self.ship(&shipment) {
                        break;
                    }
                    self.outlet.exchange.sent(shipment);
                    // it may have a batch that is not full
                    self.outlet.woken().ring();
                }
                Work::Idle => {
                    self.sink.idle();
                    self.show(Instant::now());
                }
                Work::End => break,
            }
        }
        drop(presence);
    }

    /// Sends a batch until the sink has all of it; false if the end came first.
    fn ship(&mut self, shipment: &Shipment) -> bool {
        self.outlet.journal.record(shipment.starts.iter().cloned());
        self.retry.begin();
        let (mut done, mut steps) = (0, 0);
        // what moves without events
        self.acknowledged(shipment, done, &mut steps);
        while done < shipment.batch.len() {
            let most = if self.retry.one_by_one() { 1 } else { self.size.get() };
            let events = shipment.batch.part(done..done + most);
            let sent = self.sink.send(&events);
            let now = Instant::now();
            match sent {
                Ok(()) => {
                    self.size.passed(events.len(), now);
                    self.retry.passed();
                    let failed = std::mem::take(&mut self.failing);
                    if failed || self.shown.is_none_or(|shown| now - shown >= SHOW) {
                        self.show(now);
                    }
                    done += events.len();
                    self.acknowledged(shipment, done, &mut steps);
                }
                Err(failure) => {
                    // the sink has said so in the log
                    self.failing = true;
                    self.doubt(&failure, shipment, steps, events.len());
                    if let Failure::Full { .. } = failure {
                        self.size.refused(events.len(), now);
                    }
                    match self.retry.failed(&failure, events.len(), common::backoff::random()) {
                        Next::Wait(wait) => {
                            self.show(now);
                            if !self.outlet.exchange.pause(wait) {
                                return false;
                            }
                        }
                        Next::PutAside => {
                            self.quarantine.put(&events, &failure);
                            if let Some(step) = shipment.steps.get(steps) {
                                add(&step.counts.quarantined, 1);
                            }
                            done += 1;
                            self.acknowledged(shipment, done, &mut steps);
                        }
                    }
                }
            }
        }
        true
    }

    /// So many events of a batch are safe: the files whose they are got further.
    fn acknowledged(&self, shipment: &Shipment, done: usize, steps: &mut usize) {
        let all = &shipment.steps[*steps..];
        let safe = &all[..all.partition_point(|step| step.upto <= done)];
        *steps += safe.len();
        self.outlet
            .journal
            .record(safe.iter().filter_map(|step| step.lane.source.known(&step.place)));
        for step in safe {
            step.lane.source.acknowledged(step.place);
            step.lane.acknowledged(step.place);
            add(&step.counts.bytes, step.bytes);
            add(&step.counts.lines, step.lines);
        }
    }

    /// Counts events that may be there though nobody said so.
    fn doubt(&self, failure: &Failure, shipment: &Shipment, steps: usize, events: usize) {
        let doubtful = match failure {
            Failure::Lost { doubtful, .. } => *doubtful,
            Failure::Full { .. } | Failure::Refused { .. } | Failure::Fault { .. } => false,
        };
        if let Some(step) = shipment.steps.get(steps).filter(|_| doubtful) {
            add(&step.counts.duplicates, events as u64);
        }
    }

    fn show(&mut self, now: Instant) {
        self.shown = Some(now);
        let how = Sending {
            sink: self.sink.status(),
            failures: self.retry.failures(),
            request_events: self.size.get(),
        };
        self.outlet.board.sends(self.outlet.nth, how);
    }
}
