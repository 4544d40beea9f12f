//! What a daemon tells systemd (`Type=notify`): READY, STATUS, RELOADING, STOPPING, and WATCHDOG while it proves that it is alive.
//!
//! Without systemd (no `NOTIFY_SOCKET`) nothing is sent. The watchdog is fed by progress, not by a timer: the daemon's loop
//! [`Pulse::beat`]s once a turn, and a loop that hangs starves the watchdog, so that systemd restarts the daemon.

use crate::logging::Episode;
use crate::printable::printable;
use sd_notify::NotifyState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The line to systemd.
#[derive(Debug)]
pub struct Systemd {
    status: String,
    sending: Episode,
}

impl Default for Systemd {
    fn default() -> Self {
        Self { status: String::new(), sending: Episode::new("systemd notification") }
    }
}

impl Systemd {
    /// The daemon has started: its doors are open and it works.
    pub fn ready(&mut self) {
        self.send(&[NotifyState::Ready]);
    }

    /// One line for `systemctl status`; sent only when it changed. A newline would begin another message, so none leaves.
    pub fn status(&mut self, status: &str) {
        if self.status != status {
            status.clone_into(&mut self.status);
            self.send(&[NotifyState::Status(&printable(status))]);
        }
    }

    /// The config is being read again; [`Self::ready`] ends it.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(e) => self.sending.failed(&e),
        }
    }

    /// The daemon stops.
    pub fn stopping(&mut self) {
        self.send(&[NotifyState::Stopping]);
    }

    fn send(&mut self, states: &[NotifyState<'_>]) {
        match sd_notify::notify(false, states) {
            Ok(()) => self.sending.recovered(),
            Err(e) => self.sending.failed(&e),
        }
    }
}

/// When the daemon's loop last made progress.
#[derive(Debug)]
pub struct Pulse {
    start: Instant,
    /// Milliseconds from `start` to the last beat.
    last: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Pulse {
    /// The loop took another turn.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// Time since the last beat, or since the start.
    pub fn age(&self) -> Duration {
        self.age_at(Instant::now())
    }

    fn beat_at(&self, now: Instant) {
        let ms = now.saturating_duration_since(self.start).as_millis();
        self.last.store(u64::try_from(ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn age_at(&self, now: Instant) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        now.saturating_duration_since(self.start).saturating_sub(last)
    }
}

/// How often systemd wants to hear from this process; None without a watchdog.
pub fn watchdog_interval() -> Option<Duration> {
    let mut micros = 0;
    (sd_notify::watchdog_enabled(false, &mut micros) && micros > 0)
        .then(|| Duration::from_micros(micros))
}

/// Feeds systemd's watchdog while the pulse is no older than `longest`. Returns at the stop, or at once without a watchdog.
pub async fn watchdog(pulse: &Pulse, longest: Duration, stop: CancellationToken) {
    let Some(interval) = watchdog_interval() else { return };
    let mut systemd = Systemd::default();
    let mut stalled = Episode::new("watchdog");
    // twice per interval, as sd_watchdog_enabled(3) advises
    let mut turns = tokio::time::interval(interval / 2);
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        if pulse.age() <= longest {
            stalled.recovered();
            systemd.send(&[NotifyState::Watchdog]);
        } else {
            stalled.failed(&format_args!(
                "no progress for more than {}, leaving the rest to systemd",
                humantime::format_duration(longest)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_ages_until_it_beats() {
        let pulse = Pulse::default();
        let at = |seconds| pulse.start + Duration::from_secs(seconds);
        assert_eq!(pulse.age_at(at(5)), Duration::from_secs(5));
        pulse.beat_at(at(7));
        assert_eq!(pulse.age_at(at(9)), Duration::from_secs(2));
        assert_eq!(pulse.age_at(at(6)), Duration::ZERO);
    }
}
