//! The command line of a daemon, as far as all have it in common.

use crate::exit::Exit;
use clap::Parser;
use std::process::ExitCode;

/// Reads the command line. What is wrong with it, or the help asked for, is printed, and the exit code handed back.
pub fn line<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|e| {
        let code = if e.use_stderr() { Exit::BadConfig.code() } else { 0 };
        // a closed stdout or stderr leaves nobody to tell
        drop(e.print());
        ExitCode::from(code)
    })
}
