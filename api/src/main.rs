//! The `qae-api` command: arguments, config, logging, then the daemon.

use api::args::Args;
use api::config::Config;
use api::reload;
use common::command;
use common::exit::{Exit, guarded};
use common::logging::{self, LevelFilter};
use common::{serve, stop};
use std::process::ExitCode;
use tokio::runtime::Builder;

const NAME: &str = "qae-api";
/// The crate, as log lines name their origin.
const CRATE: &str = "api";

fn main() -> ExitCode {
    let args = match command::line::<Args>() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let (config, listing) = match Config::load(args.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(e) => return Exit::BadConfig.because(NAME, &e),
    };
    if args.check {
        print!("{listing}");
        return ExitCode::SUCCESS;
    }
    if let Err(e) = logging::start_as(NAME, &[CRATE], LevelFilter::INFO, None) {
        return Exit::BadConfig.because(NAME, &e);
    }
    guarded(|| {
        let done = Builder::new_multi_thread().enable_all().build().map_err(Into::into);
        let done = done.and_then(|runtime| runtime.block_on(job(&args, config)));
        done.map_or_else(|e| reload::exit_for(&e).because(NAME, &e), |()| ExitCode::SUCCESS)
    })
}

async fn job(args: &Args, config: Config) -> anyhow::Result<()> {
    if args.new_admin_token {
        let path = api::new_admin_token(&config).await.map_err(reload::Error::Run)?;
        println!("{}", path.display());
        return Ok(());
    }
    let stop = stop::on_signals()?;
    let listener = serve::bind(config.server.listen, reload::PATIENCE).await?;
    Ok(reload::serve(args.config.as_deref(), config, listener, stop).await?)
}
