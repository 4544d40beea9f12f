//! SIGHUP: the config file and the certificate are read again. A bad one is refused and the old one stays; a changed file takes effect
//! by running anew in the same process: readers of the bus are told `closed` and go on from their cursor, agents report again. Of a
//! file that is the same only the certificate and the authorities of agents are taken over, which nobody notices.

use crate::config::Config;
use crate::ways::Ways;
use common::exit::Exit;
use common::serve;
use common::stop::Stop;
use common::systemd::Systemd;
use common::tls;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long an address in use is waited for: the run, or the process, before may still be ending.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot run.
    #[error(transparent)]
    Run(#[from] crate::Error),
    /// The address of the new config cannot be had.
    #[error(transparent)]
    Bind(#[from] serve::BindError),
}

/// Runs until the stop, anew after each SIGHUP that brings another config. `named`: the file, if one was named.
pub async fn serve(
    named: Option<&Path>,
    config: Config,
    listener: TcpListener,
    stop: Stop,
) -> Result<(), Error> {
    let (mut config, mut listener) = (config, listener);
    let mut systemd = Systemd::default();
    loop {
        let turn = Stop { token: stop.token.child_token(), reload: Arc::default() };
        let running = crate::run(config.clone(), listener, turn.clone());
        tokio::pin!(running);
        let (next, taken) = tokio::select! {
            ended = &mut running => return Ok(ended?),
            () = stop.token.cancelled() => {
                systemd.stopping();
                return Ok(running.await?);
            }
            next = changed(named, &config, &stop.reload, &turn.reload) => next,
        };
        systemd.reloading();
        turn.token.cancel();
        running.await?;
        config = next;
        listener = match taken {
            Some(taken) => taken,
            None => serve::bind(config.server.listen, PATIENCE).await?,
        };
    }
}

/// The next config that is good and another one; with it a listener, if it listens elsewhere: taken before the old address is given up,
/// so that a refusal changes nothing. Of the same config the files beside it are to be looked at again.
async fn changed(
    named: Option<&Path>,
    current: &Config,
    reload: &Notify,
    files: &Notify,
) -> (Config, Option<TcpListener>) {
    loop {
        reload.notified().await;
        let next = match Config::load(named) {
            Ok((next, _)) if next == *current => {
                tracing::info!("SIGHUP: the config is the same");
                files.notify_one();
                continue;
            }
            Ok((next, _)) => next,
            Err(error) => {
                tracing::error!("SIGHUP: the config is refused, the old one stays: {error}");
                continue;
            }
        };
        match taken(current, &next).await {
            Ok(listener) => {
                tracing::info!("SIGHUP: the config changed, running anew with it");
                return (next, listener);
            }
            Err(why) => {
                tracing::error!("SIGHUP: the config is refused, the old one stays: {why}");
            }
        }
    }
}

/// What the next config needs beforehand, or why it cannot be taken over.
async fn taken(current: &Config, next: &Config) -> Result<Option<TcpListener>, String> {
    if next.store_url() != current.store_url() || next.state_dir() != current.state_dir() {
        return Err("another store or state_dir needs a restart".to_owned());
    }
    if let Some(files) = &next.server.tls {
        tls::Server::load(&files.cert, &files.key).map_err(|e| e.to_string())?;
    }
    if let Some(file) = &next.server.agents_ca {
        tls::Client::load(Some(file)).map_err(|e| e.to_string())?;
    }
    if next.server.listen == current.server.listen {
        return Ok(None);
    }
    serve::bind(next.server.listen, Duration::ZERO).await.map(Some).map_err(|e| e.to_string())
}

/// Takes a renewed certificate, and other authorities of agents, over each time `look` says to.
pub async fn certificates(
    tls: Option<tls::Server>,
    ways: Ways,
    look: Arc<Notify>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(look.notified()).await.is_some() {
        match tls.as_ref().map(tls::Server::reload) {
            None => {}
            Some(Ok(true)) => tracing::info!("the certificate is another one, shown from now on"),
            Some(Ok(false)) => tracing::info!("the certificate is the same"),
            Some(Err(error)) => {
                tracing::error!("the certificate is refused, the old one stays: {error}")
            }
        }
        match ways.reload() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the authorities of agents are read again"),
            Err(error) => {
                tracing::error!("the authorities of agents are refused, the old ones stay: {error}")
            }
        }
    }
}

/// What kind of failure ended the daemon.
pub fn exit_for(error: &anyhow::Error) -> Exit {
    match error.downcast_ref() {
        Some(Error::Run(crate::Error::Ended { .. })) => Exit::Bug,
        _ => Exit::Missing,
    }
}
