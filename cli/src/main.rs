//! The `qae` command: arguments, then one of its jobs.

use cli::args::Args;
use cli::commands;
use cli::error::Error;
use common::command;
use common::exit::guarded;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Builder;

/// How long blocking work may go on after the end.
const LINGER: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let args = match command::line::<Args>() {
        Ok(args) => args,
        Err(code) => return code,
    };
    guarded(|| {
        let runtime = Builder::new_multi_thread().enable_all().build();
        let done = runtime.map_err(Error::file("start", "the runtime")).and_then(|runtime| {
            let done = runtime.block_on(commands::run(args));
            // what still blocks must not keep a process that was told to end
            runtime.shutdown_timeout(LINGER);
            done
        });
        done.map_or_else(|e| e.exit(), |()| ExitCode::SUCCESS)
    })
}
