//! SIGHUP: the config file is read again, and the certificate. A bad one is refused and the old one stays; a changed config takes effect
//! by running anew in the same process, a renewed certificate for whoever connects from then on. What survives a restart survives this too.

use crate::config::{self, Certificate};
use crate::serve;
use crate::stop::Stop;
use crate::systemd::Systemd;
use crate::tls;
use std::error::Error as Failure;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How long an address in use is waited for: the run, or the process, before may still be ending.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon's config, as far as running anew with another one concerns it.
pub trait Reloads: Clone + PartialEq {
    /// Reads the named file, or the default one.
    fn load(named: Option<&Path>) -> Result<Self, config::Error>;

    /// Where the HTTP side listens.
    fn listen(&self) -> SocketAddr;

    /// What the HTTP side proves itself with; None for plain HTTP.
    fn certificate(&self) -> Option<&Certificate>;
}

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: Failure + 'static> {
    /// It cannot run.
    #[error(transparent)]
    Run(E),
    /// The certificate is of no use.
    #[error("{0}; correct [node] cert and key")]
    Tls(#[from] tls::Error),
    /// The address of the new config cannot be had.
    #[error(transparent)]
    Bind(#[from] serve::BindError),
}

impl<E: Failure + 'static> Error<E> {
    /// Whether it is the certificate's files themselves that have to be corrected: starting again will not help.
    pub fn is_config(&self) -> bool {
        matches!(self, Self::Tls(tls::Error::Pem { .. } | tls::Error::Pair { .. }))
    }
}

/// Runs until the stop, anew after each SIGHUP that brings another config. `named`: the file, if one was named.
pub async fn serve<C: Reloads, E: Failure + 'static, R: Future<Output = Result<(), E>>>(
    named: Option<&Path>,
    config: C,
    listener: TcpListener,
    stop: Stop,
    run: impl Fn(C, TcpListener, Option<tls::Server>, Stop) -> R,
) -> Result<(), Error<E>> {
    let mut certificate = certificate_of(&config)?;
    let (mut config, mut listener) = (config, listener);
    let mut systemd = Systemd::default();
    loop {
        let turn = Stop { token: stop.token.child_token(), reload: Arc::clone(&stop.reload) };
        let running = run(config.clone(), listener, certificate.clone(), turn.clone());
        tokio::pin!(running);
        let next = tokio::select! {
            ended = &mut running => return ended.map_err(Error::Run),
            () = stop.token.cancelled() => {
                systemd.stopping();
                return running.await.map_err(Error::Run);
            }
            next = changed(named, &config, certificate.as_ref(), &stop.reload) => next,
        };
        let (next, next_certificate) = next;
        systemd.reloading();
        // another address is taken before the old one is given up, so that a refusal changes nothing
        let elsewhere = next.listen() != config.listen();
        let taken =
            if elsewhere { Some(serve::bind(next.listen(), Duration::ZERO).await) } else { None };
        let taken = match taken.transpose() {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(%error, "SIGHUP: the new config is refused, running anew with the old one");
                None
            }
        };
        turn.token.cancel();
        running.await.map_err(Error::Run)?;
        if !elsewhere || taken.is_some() {
            (config, certificate) = (next, next_certificate);
        }
        listener = match taken {
            Some(taken) => taken,
            None => serve::bind(config.listen(), PATIENCE).await?,
        };
    }
}

/// The next config that is good and another one, with its certificate.
async fn changed<C: Reloads>(
    named: Option<&Path>,
    current: &C,
    certificate: Option<&tls::Server>,
    reload: &Notify,
) -> (C, Option<tls::Server>) {
    loop {
        reload.notified().await;
        let next = match C::load(named) {
            Ok(next) => next,
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

fn certificate_of(config: &impl Reloads) -> Result<Option<tls::Server>, tls::Error> {
    let files = config.certificate();
    files.map(|files| tls::Server::load(&files.cert, &files.key)).transpose()
}
