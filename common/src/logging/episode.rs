//! A failure that repeats is told once: when it begins, when its cause is a new one, and when it is over, with how long it took.

use std::time::{Duration, Instant};

/// Causes remembered of one episode; a failure with more faces than this goes on unsaid, but counted.
const MOST_CAUSES: usize = 8;

/// One thing that can fail again and again (a destination, a file, a socket).
#[derive(Debug)]
pub struct Episode {
    what: String,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    failures: u64,
    told: Vec<String>,
}

/// What is worth telling about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It begins.
    Began,
    /// It goes on with a cause not told before in this episode.
    NewCause,
    /// It goes on as before.
    Nothing,
}

/// A failure that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// From the first failure to now.
    pub lasted: Duration,
    /// How often it failed.
    pub failures: u64,
}

impl Episode {
    /// `what` begins a log line: "carbon 127.0.0.1:2003".
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), running: None }
    }

    /// Whether the last thing heard was a failure.
    pub fn is_failing(&self) -> bool {
        self.running.is_some()
    }

    /// Counts a failure and logs it where that tells something new.
    pub fn failed(&mut self, cause: &dyn std::fmt::Display) {
        let cause = cause.to_string();
        let told = self.failed_at(Instant::now(), &cause);
        let failures = self.running.as_ref().map_or(0, |r| r.failures);
        match told {
            Told::Began => tracing::warn!("{}: {cause}", self.what),
            Told::NewCause => tracing::warn!(failures, "{}: now {cause}", self.what),
            Told::Nothing => tracing::debug!(failures, "{}: still {cause}", self.what),
        }
    }

    /// Ends the episode, if one is running, and logs that.
    pub fn recovered(&mut self) {
        if let Some(Recovered { lasted, failures }) = self.recovered_at(Instant::now()) {
            let lasted = humantime::format_duration(Duration::from_millis(
                u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            ));
            tracing::info!(%lasted, failures, "{}: works again", self.what);
        }
    }

    /// The pure part of [`Self::failed`].
    pub fn failed_at(&mut self, now: Instant, cause: &str) -> Told {
        let Some(running) = &mut self.running else {
            self.running = Some(Running { since: now, failures: 1, told: vec![cause.to_owned()] });
            return Told::Began;
        };
        running.failures += 1;
        if running.told.len() >= MOST_CAUSES || running.told.iter().any(|told| told == cause) {
            return Told::Nothing;
        }
        running.told.push(cause.to_owned());
        Told::NewCause
    }

    /// The pure part of [`Self::recovered`].
    pub fn recovered_at(&mut self, now: Instant) -> Option<Recovered> {
        let running = self.running.take()?;
        let lasted = now.saturating_duration_since(running.since);
        Some(Recovered { lasted, failures: running.failures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_is_told_once_per_cause_and_once_when_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut episode = Episode::new("carbon a:2003");
        assert_eq!(episode.recovered_at(at(0)), None);
        assert_eq!(episode.failed_at(at(1), "refused"), Told::Began);
        assert_eq!(episode.failed_at(at(2), "refused"), Told::Nothing);
        assert_eq!(episode.failed_at(at(3), "timed out"), Told::NewCause);
        assert_eq!(episode.failed_at(at(4), "refused"), Told::Nothing);
        assert!(episode.is_failing());
        let over = Recovered { lasted: Duration::from_secs(9), failures: 4 };
        assert_eq!(episode.recovered_at(at(10)), Some(over));
        assert_eq!(episode.recovered_at(at(11)), None);
        assert_eq!(episode.failed_at(at(12), "refused"), Told::Began);
    }

    #[test]
    fn causes_without_end_fall_silent() {
        let now = Instant::now();
        let mut episode = Episode::new("x");
        let told = (0..100)
            .filter(|n| episode.failed_at(now, &format!("cause {n}")) != Told::Nothing)
            .count();
        assert_eq!(told, MOST_CAUSES);
        assert_eq!(episode.recovered_at(now).map(|r| r.failures), Some(100));
    }
}
