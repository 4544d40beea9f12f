//! How a process ends: the codes of contracts.md section 7.

use std::process::ExitCode;

/// Everything else than a plain success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The answer was no: not found, or refused. Only of the command line, so that a script can tell it from "nobody answers".
    Refused,
    /// The config file, the command line or `QAE_LOG` is wrong: starting again will not help.
    BadConfig,
    /// Something needed is not there at start.
    Missing,
    /// A bug.
    Bug,
}

impl Exit {
    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::BadConfig => 64,
            Self::Missing => 69,
            Self::Bug => 70,
        }
    }

    /// Says why on stderr, one line per line, and gives the code.
    pub fn because(self, daemon: &str, why: &dyn std::fmt::Display) -> ExitCode {
        for line in why.to_string().lines() {
            eprintln!("{daemon}: {}", crate::printable::printable(line));
        }
        ExitCode::from(self.code())
    }
}

/// Runs a daemon; a panic that gets this far is [`Exit::Bug`], told by the panic's own message.
pub fn guarded(run: impl FnOnce() -> ExitCode) -> ExitCode {
    // nothing of what the panic left half done is looked at again
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|_| ExitCode::from(Exit::Bug.code()))
}
