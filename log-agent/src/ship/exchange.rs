//! The two batches between the thread that reads and the one that sends: one is filled while the other is under way.

use super::batch::{Batch, Limits};
use super::status::{Counts, Lane};
use crate::files::Known;
use crate::source::Place;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most steps in one shipment: such that move no event (over holes) must not be without end.
const STEPS: usize = 4_096;

/// A batch, and which files are how far when it is acknowledged.
#[derive(Debug)]
pub(super) struct Shipment {
    pub(super) batch: Batch,
    /// Files that do not begin at their first byte: written down before anything is sent.
    pub(super) starts: Vec<Known>,
    /// In the order of their events.
    pub(super) steps: Vec<Step>,
}

/// A file got further.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) lane: Arc<Lane>,
    pub(super) counts: Arc<Counts>,
    /// As soon as so many events of the batch are acknowledged.
    pub(super) upto: usize,
    pub(super) place: Place,
    pub(super) bytes: u64,
    pub(super) lines: u64,
}

impl Shipment {
    fn new(limits: Limits) -> Self {
        Self { batch: Batch::new(limits), starts: Vec::new(), steps: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.steps.is_empty() && self.starts.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.steps.len() >= STEPS
    }

    fn clear(&mut self) {
        self.batch.clear();
        // many after a start of the process, and hardly any later
        self.starts = Vec::new();
        self.steps.clear();
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// For the sender, and for whoever waits for the end.
    bell: Condvar,
}

#[derive(Debug)]
struct State {
    free: Vec<Shipment>,
    ready: Option<Shipment>,
    sending: bool,
    stop: bool,
    /// Threads that are there: reading, sending.
    there: [bool; 2],
}

/// Which thread.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Reading = 0,
    Sending = 1,
}

/// What the sender has to do.
pub(super) enum Work {
    Send(Shipment),
    Idle,
    End,
}

impl Exchange {
    pub(super) fn new(limits: Limits) -> Self {
        let free = vec![Shipment::new(limits), Shipment::new(limits)];
        let state = State { free, ready: None, sending: false, stop: false, there: [true; 2] };
        Self { state: Mutex::new(state), bell: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        self.bell.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0
    }

    /// An empty one to be filled, if there is one.
    pub(super) fn free(&self) -> Option<Shipment> {
        self.state().free.pop()
    }

    /// Whether the sender has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        !state.sending && state.ready.is_none()
    }

    /// Hands one over; given back while another one waits already.
    pub(super) fn hand_over(&self, shipment: Shipment) -> Option<Shipment> {
        let mut state = self.state();
        if state.ready.is_some() {
            return Some(shipment);
        }
        state.ready = Some(shipment);
        drop(state);
        self.bell.notify_all();
        None
    }

    /// The next one to send, or nothing for so long.
    pub(super) fn next(&self, longest: Duration) -> Work {
        let until = Instant::now() + longest;
        let mut state = self.state();
        loop {
            if let Some(shipment) = state.ready.take() {
                state.sending = true;
                return Work::Send(shipment);
            }
            if state.stop && !state.there[Side::Reading as usize] {
                return Work::End;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Work::Idle;
            }
            state = self.wait(state, left);
        }
    }

    /// All of it is acknowledged: it can be filled again.
    pub(super) fn sent(&self, mut shipment: Shipment) {
        shipment.clear();
        let mut state = self.state();
        state.sending = false;
        state.free.push(shipment);
    }

    /// No more is to be read.
    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.bell.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.state().stop
    }

    /// Waits so long; false if it is to stop.
    pub(super) fn pause(&self, longest: Duration) -> bool {
        let until = Instant::now() + longest;
        let mut state = self.state();
        while !state.stop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            state = self.wait(state, left);
        }
        false
    }

    /// A thread has ended, in order or not.
    fn ended(&self, side: Side) {
        self.state().there[side as usize] = false;
        self.bell.notify_all();
    }

    pub(super) fn both_there(&self) -> bool {
        self.state().there == [true; 2]
    }

    /// Waits until both threads have ended; false if the time is over before.
    pub(super) fn wait_for_end(&self, until: Instant) -> bool {
        let mut state = self.state();
        while state.there != [false; 2] {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.wait(state, left);
        }
        true
    }
}

/// Tells the exchange that a thread has ended, also when it panicked.
pub(super) struct Presence(pub(super) Arc<Exchange>, pub(super) Side);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.ended(self.1);
    }
}
