//! The `dadvisor` command: arguments, config, logging, then one of its four jobs.

use common::exit::{Exit, guarded};
use common::{command, logging, reload, serve, stop};
use dadvisor::args::{Args, Command};
use dadvisor::config::Config;
use dadvisor::{check, foreground, top};
use std::process::ExitCode;
use tokio::runtime::Builder;

const NAME: &str = "dadvisor";

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
    let screen = foreground::wanted(&args);
    if let Err(e) = logging::start(NAME, screen.kept()) {
        return Exit::BadConfig.because(NAME, &e);
    }
    guarded(|| {
        let done = Builder::new_current_thread()
            .max_blocking_threads(4)
            .enable_all()
            .build()
            .map_err(Into::into);
        let done = done.and_then(|runtime| runtime.block_on(job(&args, config, screen)));
        done.map_or_else(|e| exit_for(&e).because(NAME, &e), |()| ExitCode::SUCCESS)
    })
}

async fn job(args: &Args, config: Config, screen: foreground::Screen) -> anyhow::Result<()> {
    let stop = stop::on_signals()?;
    match &args.command {
        Some(Command::Top(asked)) => top::run(&config, asked, stop.token).await,
        Some(Command::Check { .. }) => check::run(&config).await,
        None => {
            let listener = serve::bind(config.dadvisor.listen, reload::PATIENCE).await?;
            let stop = screen.hangup(stop);
            let view = screen.open(listener.local_addr()?, &config, &stop)?;
            let ended = reload::serve(args.config(), config, listener, stop, dadvisor::run).await;
            view.close().await;
            Ok(ended?)
        }
    }
}

/// What kind of failure ended the job.
fn exit_for(error: &anyhow::Error) -> Exit {
    match error.downcast_ref() {
        Some(reload::Error::Run(dadvisor::Error::Config { .. })) => Exit::BadConfig,
        Some(reload::Error::Run(dadvisor::Error::Collector)) => Exit::Bug,
        Some(error) if error.is_config() => Exit::BadConfig,
        _ => Exit::Missing,
    }
}
