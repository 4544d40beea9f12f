//! What `DAEMON check` finds on a host: facts and cures, one screen. Each part looks at one thing and tells [`Finding`]s; what is asked over
//! the network has a limit.

pub mod neighbours;
pub mod place;
mod report;

pub use report::report;

use std::io::{self, IsTerminal, Write};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be, worth knowing.
    Fine,
    /// Something is missing that the daemon can do without.
    Less,
    /// The daemon cannot do its work, or does it wrongly.
    Bad,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: `cgroups`, `docker`, `carbon`, `rights`.
    pub topic: &'static str,
    /// What is so, and what to do about it.
    pub text: String,
}

/// One thing found.
pub fn finding(severity: Severity, topic: &'static str, text: impl Into<String>) -> Finding {
    Finding { severity, topic, text: text.into() }
}

/// Prints everything found, and says how much of it must be cured before the daemon can work.
pub fn show(found: &[Finding], daemon: &str) -> io::Result<usize> {
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let size = terminal.then(|| rustix::termios::tcgetwinsize(&stdout)).and_then(Result::ok);
    let width = size.map_or(0, |size| usize::from(size.ws_col));
    let width = if width == 0 { 100 } else { width };
    stdout.lock().write_all(report(found, daemon, width, terminal).as_bytes())?;
    Ok(found.iter().filter(|f| f.severity == Severity::Bad).count())
}

#[cfg(test)]
mod tests;
