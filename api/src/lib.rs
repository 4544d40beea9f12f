//! `qae-api`: the light centre. It knows every app, instance and node, tells everyone what changed without losing a change, and is
//! what people and scripts talk to.
//!
//! ```text
//! agents' reports --.
//!                    >-- observed --> reconcile --> changes --> centre: state and events in one transaction --> bus --> SSE readers
//! Marathon ---------'                     ^                        |
//!                                         '------- world <---------'   (in memory, at a cursor)
//! ```

pub mod access;
pub mod args;
pub mod bus;
pub mod centre;
pub mod change;
pub mod charts;
pub mod config;
pub mod figures;
#[doc(hidden)]
pub mod fuzzing;
mod http;
pub mod nodes;
pub mod reconcile;
pub mod relay;
pub mod reload;
pub mod schedulers;
pub mod scope;
pub mod snapshots;
mod start;
pub mod store;
mod tell;
#[cfg(test)]
mod testing;
pub mod version;
pub mod ways;
pub mod world;

use common::serve::{self, Limits};
use common::stop::{Deadline, LONGEST, Stop};
use common::systemd::watchdog;
use common::{carbon, files, tls};
use config::Config;
use start::Ground;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The state cannot be read from it.
    #[error(transparent)]
    Centre(#[from] centre::Error),
    /// What agents last reported cannot be read from it.
    #[error(transparent)]
    Nodes(#[from] nodes::ReportError),
    /// The spool of figures cannot be opened.
    #[error(transparent)]
    Carbon(#[from] carbon::Error),
    /// Nobody could be let in.
    #[error(transparent)]
    Access(#[from] access::Error),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The state directory cannot be made.
    #[error("cannot make {}: {source}; set [node] state_dir to a directory that may be written", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses something it never should.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A part of the daemon ended by itself.
    #[error("{part} ended by itself: a bug, see the log above")]
    Ended {
        /// Which.
        part: &'static str,
    },
}

/// The daemon, from start to stop. `listener` is bound already; `stop` ends it within 10 s.
pub async fn run(config: Config, listener: TcpListener, stop: Stop) -> Result<(), Error> {
    if let Err(error) = files::raise() {
        tracing::warn!("the limit of open files cannot be raised, fewer readers can come: {error}");
    }
    let address =
        listener.local_addr().map_err(|source| Error::System { what: "local address", source })?;
    let certificate = match &config.server.tls {
        Some(files) => Some(tls::Server::load(&files.cert, &files.key)?),
        None => None,
    };
    state_dir(&config.state_dir())?;
    let Some(store) = start::store(&config.store_url(), &stop.token).await? else { return Ok(()) };

    // what readers and writers stand on ends after them
    let ground = Ground::default();
    let api = start::assemble(config, store.clone(), &ground, &stop.token)
        .await
        .inspect_err(|_| ground.stop.cancel())?;
    start::announce(&api.config, address);
    let router = http::router(api.clone());
    let mut served = tokio::spawn(serve::serve_tls(
        listener,
        router,
        Limits::centre(),
        api.counts.clone(),
        certificate.clone(),
        stop.token.clone(),
    ));
    let Ground { tasks, stop: ending } = ground;
    tasks.spawn(tell::systemd(api.clone(), ending.clone()));
    tasks.spawn({
        let (pulse, ending) = (api.pulse.clone(), ending.clone());
        async move { watchdog(&pulse, http::LONGEST_PAUSE, ending).await }
    });
    let (look, ways) = (stop.reload.clone(), api.ways.clone());
    tasks.spawn(reload::certificates(certificate, ways, look, ending.clone()));

    let died = tokio::select! {
        // the stop ends the HTTP side too
        biased;
        () = stop.token.cancelled() => false,
        _ = &mut served => true,
    };
    stop.token.cancel();
    let deadline = Deadline::within(LONGEST - Duration::from_secs(1));
    if !died {
        deadline.run("letting readers go", &mut served).await;
    }
    ending.cancel();
    tasks.close();
    deadline.run("storing what waits", tasks.wait()).await;
    deadline.run("closing the store", store.close()).await;
    if died { Err(Error::Ended { part: "the HTTP side" }) } else { Ok(()) }
}

/// The way back in when every admin token is lost: makes a new one on this host, and says which file has it. No daemon may have the store.
pub async fn new_admin_token(config: &Config) -> Result<PathBuf, Error> {
    state_dir(&config.state_dir())?;
    let store = store::Store::open(&config.store_url()).await?;
    let now = common::moment::Moment::now();
    let path = access::renew_admin(&store, &config.state_dir(), now).await;
    store.close().await;
    Ok(path?)
}

/// Makes the state directory, for this user alone.
fn state_dir(path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::State { path: path.to_owned(), source })
}
