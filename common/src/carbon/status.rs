//! What there is to know about sending, as it is shown.

use super::ledger::Counts;
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// A backlog whose oldest point is older than this is called one.
const BACKLOG_SECONDS: u64 = 60;

/// How sending goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No destination is configured: nothing is kept, nothing is sent.
    Off,
    /// Nothing has been tried yet.
    Starting,
    /// The last batch was acknowledged.
    Connected,
    /// Batches are acknowledged, and older ones are still waiting.
    Draining,
    /// No destination acknowledges; batches wait in the spool.
    Unreachable,
}

/// How the wire goes; a part of [`Status`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sending {
    /// The last failure, with its destination.
    pub last_error: Option<String>,
    /// When it was.
    pub last_error_at_ms: Option<u64>,
    /// Since when nothing is acknowledged, while failing.
    pub failing_since_ms: Option<u64>,
    /// When a chunk was last acknowledged.
    pub last_acknowledged_at_ms: Option<u64>,
    /// Points written to a connection, repetitions included.
    pub sent_points: u64,
    /// Lines that could not be sent as pickle: a bug where they were made.
    pub refused_lines: u64,
    /// Chunks acknowledged.
    pub deliveries: u64,
    /// Chunks or connections that failed.
    pub failures: u64,
    /// Times a destination ended after it had acknowledged something inside the replay window.
    pub replays: u64,
    /// Times sending worked again after a failure or an ended connection.
    pub reconnects: u64,
    /// Times another destination than before acknowledged.
    pub failovers: u64,
}

/// Everything at one moment. Points are counted since the start; times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How sending goes.
    pub state: State,
    /// The destination that acknowledged last.
    pub destination: Option<String>,
    /// How the wire goes.
    #[serde(flatten)]
    pub sending: Sending,
    /// Why the spool's disk takes nothing, while batches are kept in memory.
    pub spool_error: Option<String>,
    /// Points that wait to be acknowledged.
    pub waiting_points: u64,
    /// Bytes of them in the spool.
    pub waiting_bytes: u64,
    /// Age of the oldest of them, by its timestamp.
    pub oldest_seconds: Option<u64>,
    /// Bytes of the spool's files, acknowledged ones in the replay window included.
    pub disk_bytes: u64,
    /// Bytes kept in memory because the disk takes nothing.
    pub memory_bytes: u64,
    /// Points taken in, those an earlier run left included.
    pub submitted_points: u64,
    /// Points acknowledged, repetitions included.
    pub acknowledged_points: u64,
    /// Acknowledged points put back because their destination ended.
    pub replayed_points: u64,
    /// Points dropped unsent at the spool's cap.
    pub dropped_at_cap_points: u64,
    /// Points dropped unsent because neither disk nor memory had room.
    pub dropped_disk_points: u64,
    /// Points in damaged records.
    pub damaged_points: u64,
    /// Damaged records and unreadable places in the spool.
    pub damaged_records: u64,
}

impl Status {
    /// Every figure by name, for `/metrics`: what ends in `_total` only rises.
    pub fn each(&self, mut emit: impl FnMut(&'static str, &'static str, u64)) {
        let sending = &self.sending;
        for (name, help, value) in [
            ("waiting_points", "Points that wait to be acknowledged.", self.waiting_points),
            ("waiting_bytes", "Bytes of them in the spool.", self.waiting_bytes),
            ("disk_bytes", "Bytes of the spool's files.", self.disk_bytes),
            ("memory_bytes", "Bytes in memory that the disk does not take.", self.memory_bytes),
            ("submitted_points_total", "Points taken in.", self.submitted_points),
            ("sent_points_total", "Points written, repetitions included.", sending.sent_points),
            (
                "acknowledged_points_total",
                "Points acknowledged, repetitions included.",
                self.acknowledged_points,
            ),
            (
                "replayed_points_total",
                "Points put back because carbon ended.",
                self.replayed_points,
            ),
            (
                "dropped_at_cap_points_total",
                "Points dropped at the spool's cap.",
                self.dropped_at_cap_points,
            ),
            (
                "dropped_disk_points_total",
                "Points dropped for want of disk and memory.",
                self.dropped_disk_points,
            ),
            ("damaged_points_total", "Points in damaged records.", self.damaged_points),
            ("damaged_records_total", "Damaged places in the spool.", self.damaged_records),
            (
                "refused_lines_total",
                "Lines that could not be sent as pickle.",
                sending.refused_lines,
            ),
            ("deliveries_total", "Chunks acknowledged.", sending.deliveries),
            ("failures_total", "Chunks or connections that failed.", sending.failures),
            ("replays_total", "Times carbon ended inside the replay window.", sending.replays),
            ("reconnects_total", "Times sending worked again.", sending.reconnects),
            ("failovers_total", "Times another destination took over.", sending.failovers),
        ] {
            emit(name, help, value);
        }
    }
}

/// The sender's part of it.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub destination: Option<usize>,
    pub sending: Sending,
    /// Something broke since the last acknowledgement.
    pub broken: bool,
}

impl Health {
    /// A chunk was acknowledged by this destination.
    pub fn acknowledged(&mut self, by: usize, now_ms: u64) {
        let before = self.destination.replace(by);
        let sending = &mut self.sending;
        sending.deliveries += 1;
        sending.last_acknowledged_at_ms = Some(now_ms);
        sending.failing_since_ms = None;
        sending.reconnects += u64::from(std::mem::take(&mut self.broken));
        sending.failovers += u64::from(before.is_some_and(|d| d != by));
    }

    /// Something failed.
    pub fn failed(&mut self, error: String, now_ms: u64) {
        self.broken = true;
        let sending = &mut self.sending;
        sending.failures += 1;
        sending.last_error = Some(error);
        sending.last_error_at_ms = Some(now_ms);
        sending.failing_since_ms.get_or_insert(now_ms);
    }
}

impl Status {
    /// With no destination.
    pub(super) fn off() -> Self {
        Self::new(&Health::default(), &Counts::default(), State::Off, None)
    }

    /// Put together, but for what waits.
    pub(super) fn of(health: &Health, counts: &Counts, destinations: &[String]) -> Self {
        let state = if health.sending.failing_since_ms.is_some() {
            State::Unreachable
        } else if health.sending.deliveries > 0 {
            State::Connected
        } else {
            State::Starting
        };
        let destination = health.destination.and_then(|d| destinations.get(d).cloned());
        Self::new(health, counts, state, destination)
    }

    fn new(health: &Health, counts: &Counts, state: State, destination: Option<String>) -> Self {
        Self {
            state,
            destination,
            sending: health.sending.clone(),
            spool_error: None,
            waiting_points: 0,
            waiting_bytes: 0,
            oldest_seconds: None,
            disk_bytes: 0,
            memory_bytes: 0,
            submitted_points: counts.submitted,
            acknowledged_points: counts.acknowledged,
            replayed_points: counts.replayed,
            dropped_at_cap_points: counts.dropped_at_cap,
            dropped_disk_points: counts.dropped_memory,
            damaged_points: counts.damaged,
            damaged_records: counts.damaged_records,
        }
    }

    /// Sets the age of the oldest waiting point, which tells a backlog from a batch on its way.
    pub(super) fn with_oldest(mut self, timestamp: Option<u64>, now_ms: u64) -> Self {
        self.oldest_seconds = timestamp.map(|t| (now_ms / 1000).saturating_sub(t));
        if self.state == State::Connected
            && self.oldest_seconds.is_some_and(|s| s > BACKLOG_SECONDS)
        {
            self.state = State::Draining;
        }
        self
    }
}

/// Unix milliseconds by the wall clock.
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
