//! The `log-agent` command: arguments, config, logging, then one of its jobs.

use common::exit::{Exit, guarded};
use common::{command, logging, reload, serve, stop};
use log_agent::args::{Args, Command};
use log_agent::check;
use log_agent::config::Config;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Builder;

const NAME: &str = "log-agent";
/// The crate, as log lines name their origin.
const CRATE: &str = "log_agent";
/// Threads that serve: a viewer that waits for a cold disk must not hold up the others.
const THREADS: usize = 2;
/// Threads that may wait for a disk at a time: viewers at cold files, downloads.
const BLOCKING: usize = 64;
/// How long blocking work may go on after the end.
const LINGER: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let args = match command::line::<Args>() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let (config, listing) = match Config::load(args.config()) {
        Ok(loaded) => loaded,
        Err(e) => return Exit::BadConfig.because(NAME, &e),
    };
    if args.check {
        print!("{listing}");
        return ExitCode::SUCCESS;
    }
    if let Err(e) = logging::start_as(NAME, &[CRATE], logging::LevelFilter::INFO, None) {
        return Exit::BadConfig.because(NAME, &e);
    }
    guarded(|| {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING)
            .enable_all()
            .build();
        let done = runtime.map_err(Into::into).and_then(|runtime| {
            let done = runtime.block_on(job(&args, config));
            // what still blocks must not keep a process that was told to end
            runtime.shutdown_timeout(LINGER);
            done
        });
        done.map_or_else(|e| exit_for(&e).because(NAME, &e), |()| ExitCode::SUCCESS)
    })
}

async fn job(args: &Args, config: Config) -> anyhow::Result<()> {
    let stop = stop::on_signals()?;
    if let Some(Command::Check { .. }) = args.command {
        return check::run(&config).await;
    }
    let listener = serve::bind(config.log_agent.listen, reload::PATIENCE).await?;
    Ok(reload::serve(args.config(), config, listener, stop, log_agent::run).await?)
}

/// What kind of failure ended the job.
fn exit_for(error: &anyhow::Error) -> Exit {
    match error.downcast_ref() {
        Some(reload::Error::Run(log_agent::Error::Config { .. })) => Exit::BadConfig,
        Some(reload::Error::Run(log_agent::Error::Ended { .. })) => Exit::Bug,
        Some(error) if error.is_config() => Exit::BadConfig,
        _ => Exit::Missing,
    }
}
