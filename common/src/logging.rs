//! Logs: to journald with their fields when systemd connected stderr to it, else one line per event on stderr.
//!
//! Names of containers, files and apps come from outside and end up in messages: in a line every control character is escaped, so
//! that nobody can forge a line or move a terminal's cursor. `QAE_LOG` = `error|warn|info|debug|trace` sets the level of this
//! product's crates; libraries speak from `warn` up, except at `trace`.

mod episode;
mod kept;
mod line;

pub use episode::Episode;
pub use kept::Kept;

use std::io::{IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::SystemTime;
pub use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `QAE_LOG` is no level.
    #[error("QAE_LOG={value}: no such level; write error, warn, info, debug or trace")]
    Level {
        /// What it says.
        value: String,
    },
    /// A subscriber is already set in this process.
    #[error("logging is started twice")]
    Twice,
}

/// Starts logging for this process: `common` and the daemon's own crate at the level of `QAE_LOG` (info), libraries from `warn` up.
/// With `kept`, lines wait there while something else is drawn on the terminal.
pub fn start(daemon: &'static str, kept: Option<Arc<Kept>>) -> Result<(), Error> {
    start_as(daemon, &[daemon], LevelFilter::INFO, kept)
}

/// As [`start`], for a process that runs several of this product's crates, at another level unless `QAE_LOG` says one.
pub fn start_as(
    process: &'static str,
    crates: &[&'static str],
    usual: LevelFilter,
    kept: Option<Arc<Kept>>,
) -> Result<(), Error> {
    let level = level(std::env::var("QAE_LOG").ok().as_deref(), usual)?;
    let libraries = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new()
        .with_default(libraries)
        .with_target("common", level)
        .with_targets(crates.iter().map(|name| (*name, level)));
    let journal = journal_is_stderr().then(tracing_journald::layer).and_then(Result::ok);
    // whatever made journald unreachable, its stderr stream still takes lines
    let lines = journal.is_none().then(|| Lines { colour: std::io::stderr().is_terminal(), kept });
    tracing_subscriber::registry()
        .with(filter)
        .with(journal.map(|layer| layer.with_syslog_identifier(process.to_owned())))
        .with(lines)
        .try_init()
        .map_err(|_| Error::Twice)
}

fn level(value: Option<&str>, usual: LevelFilter) -> Result<LevelFilter, Error> {
    match value.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" => Ok(usual),
        "info" => Ok(LevelFilter::INFO),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        other => Err(Error::Level { value: other.escape_debug().to_string() }),
    }
}

/// systemd names the stream it gave us in `JOURNAL_STREAM` as `device:inode`; a later redirection makes the two differ.
fn journal_is_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| named == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// Prints each event as one line on stderr.
struct Lines {
    colour: bool,
    kept: Option<Arc<Kept>>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = line::print(event, SystemTime::now(), self.colour);
        let line = match &self.kept {
            Some(kept) => kept.take(line),
            None => Some(line),
        };
        let Some(line) = line else { return };
        // one write per line keeps lines of threads apart; a stderr that is gone leaves nobody to tell
        drop(std::io::stderr().write_all(line.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_and_others_refused() {
        let level = |value| level(value, LevelFilter::WARN);
        assert_eq!(level(None).unwrap(), LevelFilter::WARN);
        assert_eq!(level(Some("")).unwrap(), LevelFilter::WARN);
        assert_eq!(level(Some("info")).unwrap(), LevelFilter::INFO);
        assert_eq!(level(Some("DEBUG")).unwrap(), LevelFilter::DEBUG);
        assert_eq!(
            level(Some("loud\n")).unwrap_err().to_string(),
            "QAE_LOG=loud\\n: no such level; write error, warn, info, debug or trace"
        );
    }
}
