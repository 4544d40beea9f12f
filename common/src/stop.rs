//! How a daemon is told to stop, and how long it may take (contracts.md section 7).
//!
//! The first SIGTERM or SIGINT cancels [`Stop::token`]: take no more work, flush, save, be gone within [`LONGEST`]. A second one ends
//! the process at once with 128 + the signal's number (130 SIGINT, 143 SIGTERM), as a shell reports a process killed by it: whoever
//! signals twice must not read it as a clean end. SIGHUP asks for a reload.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Everything a daemon does between the signal and its end.
pub const LONGEST: Duration = Duration::from_secs(10);

/// The stop and the reload, as the rest of a daemon sees them.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Cancelled once the daemon is to stop.
    pub token: CancellationToken,
    /// Notified on SIGHUP.
    pub reload: Arc<Notify>,
}

/// Catches the signals. Call inside a runtime, before anything slow, so that a signal during start is not lost.
pub fn on_signals() -> io::Result<Stop> {
    let stop = Stop::default();
    let signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
        hangup: signal(SignalKind::hangup())?,
    };
    tokio::spawn(signals.follow(stop.clone()));
    Ok(stop)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    async fn follow(mut self, stop: Stop) {
        loop {
            let (name, code) = tokio::select! {
                Some(()) = self.terminate.recv() => ("SIGTERM", 143),
                Some(()) = self.interrupt.recv() => ("SIGINT", 130),
                Some(()) = self.hangup.recv() => {
                    stop.reload.notify_one();
                    continue;
                }
                else => return,
            };
            if stop.token.is_cancelled() {
                tracing::warn!("{name} while stopping: ending at once");
                std::process::exit(code);
            }
            tracing::info!("{name}: stopping");
            stop.token.cancel();
        }
    }
}

/// One deadline for everything that is left to do after the stop.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// Starts now.
    pub fn within(longest: Duration) -> Self {
        Self(Instant::now() + longest)
    }

    /// What is left.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Does one thing within what is left; None, and a log line naming it, if it was not done in time.
    pub async fn run<T>(self, what: &str, work: impl Future<Output = T>) -> Option<T> {
        let done = tokio::time::timeout_at(self.0, work).await.ok();
        if done.is_none() {
            tracing::warn!("stopping without: {what} was not done in time");
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_cancels_and_a_hangup_reloads() {
        let stop = on_signals().unwrap();
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::HUP).unwrap();
        stop.reload.notified().await;
        assert!(!stop.token.is_cancelled());
        rustix::process::kill_process(me, rustix::process::Signal::TERM).unwrap();
        stop.token.cancelled().await;
    }

    #[tokio::test]
    async fn one_deadline_covers_several_things() {
        let deadline = Deadline::within(Duration::from_millis(30));
        assert_eq!(deadline.run("quick", async { 7 }).await, Some(7));
        assert_eq!(deadline.run("endless", std::future::pending::<()>()).await, None);
        assert_eq!(deadline.left(), Duration::ZERO);
        assert_eq!(deadline.run("late", std::future::pending::<()>()).await, None);
    }
}
