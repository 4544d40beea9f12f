//! SIGHUP: the config file is read again, and the certificate. A bad one is refused and the old one stays; a changed config takes effect
//! by running anew in the same process, a renewed certificate for whoever connects from then on. What survives a restart (spool, OOM totals, the last good list) survives this too; rates pause for a tick.

use crate::config::Config;
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

/// How long an address in use is waited for: the run, or the process, before may still be ending.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot run.
    #[error(transparent)]
    Run(#[from] crate::Error),
    /// The certificate is of no use.
    #[error("{0}; correct [node] cert and key")]
    Tls(#[from] tls::Error),
    /// The address of the new config cannot be had.
    #[error(transparent)]
    Bind(#[from] serve::BindError),
}

/// What SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// Read the config file again: a daemon.
    Reload,
    /// The terminal is gone, and so is whoever looked at it.
    Stop,
}

/// Runs until the stop, anew after each SIGHUP that brings another config. `named`: the file, if one was named.
pub async fn serve(
    named: Option<&Path>,
    hangup: Hangup,
    config: Config,
    listener: TcpListener,
    stop: Stop,
) -> Result<(), Error> {
    let mut certificate = certificate_of(&config)?;
    let (mut config, mut listener) = (config, listener);
    let mut systemd = Systemd::default();
    loop {
        let turn = Stop { token: stop.token.child_token(), reload: Arc::clone(&stop.reload) };
        let running = crate::run(config.clone(), listener, certificate.clone(), turn.clone());
        tokio::pin!(running);
        let next = tokio::select! {
            ended = &mut running => return Ok(ended?),
            () = stop.token.cancelled() => {
                systemd.stopping();
                return Ok(running.await?);
            }
            () = stop.reload.notified(), if hangup == Hangup::Stop => {
                stop.token.cancel();
                return Ok(running.await?);
            }
            next = changed(named, &config, certificate.as_ref(), &stop.reload),
                if hangup == Hangup::Reload => next,
        };
        let (next, next_certificate) = next;
        systemd.reloading();
        // another address is taken before the old one is given up, so that a refusal changes nothing
        let elsewhere = next.dadvisor.listen != config.dadvisor.listen;
        let taken = if elsewhere {
            Some(serve::bind(next.dadvisor.listen, Duration::ZERO).await)
        } else {
            None
        };
        let taken = match taken.transpose() {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(%error, "SIGHUP: the new config is refused, running anew with the old one");
                None
            }
        };
        turn.token.cancel();
        running.await?;
        if !elsewhere || taken.is_some() {
            (config, certificate) = (next, next_certificate);
        }
        listener = match taken {
            Some(taken) => taken,
            None => serve::bind(config.dadvisor.listen, PATIENCE).await?,
        };
    }
}

/// The next config that is good and another one, with its certificate.
async fn changed(
    named: Option<&Path>,
    current: &Config,
    certificate: Option<&tls::Server>,
    reload: &Notify,
) -> (Config, Option<tls::Server>) {
    loop {
        reload.notified().await;
        let next = match Config::load(named) {
            Ok((next, _)) => next,
            Err(error) => {
                tracing::error!("SIGHUP: the config is refused, the old one stays: {error}");
                continue;
            }
        };
        if next == *current {
            renew(certificate);
            continue;
        }
        match certificate_of(&next) {
            Ok(certificate) => {
                tracing::info!("SIGHUP: the config changed, running anew with it");
                return (next, certificate);
            }
            Err(error) => {
                tracing::error!("SIGHUP: the config is refused, the old one stays: {error}");
            }
        }
    }
}

/// The config is the same; what its files hold may be newer.
fn renew(certificate: Option<&tls::Server>) {
    match certificate.map(tls::Server::reload) {
        Some(Ok(true)) => tracing::info!("SIGHUP: the certificate is a new one"),
        Some(Err(error)) => {
            tracing::error!("SIGHUP: the certificate is refused, the old one stays: {error}");
        }
        None | Some(Ok(false)) => {
            tracing::info!("SIGHUP: the config is the same, nothing to do");
        }
    }
}

fn certificate_of(config: &Config) -> Result<Option<tls::Server>, tls::Error> {
    config.node.tls.as_ref().map(|files| tls::Server::load(&files.cert, &files.key)).transpose()
}

/// What kind of failure ended the job.
pub fn exit_for(error: &anyhow::Error) -> Exit {
    match error.downcast_ref() {
        Some(Error::Tls(tls::Error::Pem { .. } | tls::Error::Pair { .. })) => Exit::BadConfig,
        Some(Error::Run(crate::Error::Config { .. })) => Exit::BadConfig,
        Some(Error::Run(crate::Error::Collector)) => Exit::Bug,
        _ => Exit::Missing,
    }
}
