//! `log-agent`: every line of the log volumes, live to whoever watches and acknowledged by Flume before it counts as shipped.
//!
//! ```text
//! docker, mesos agent, volumes_root --> volumes --> files (a thread: births, renames, deaths; one inotify)
//!                                                     |
//!                                                     +--> ship: source -> lines -> batch -> sink -> journal
//!                                                     '--> live: source -> lines -> filter -> message -> viewer
//! ```
//!
//! The file is the buffer: shipping and viewers are cursors into files, and no line waits in memory. A neighbour that is down (engine, sink,
//! carbon, centre) stops nothing but itself; what had to be left out is counted and said.

pub mod args;
mod assemble;
pub mod beneath;
pub mod check;
pub mod config;
mod discover;
pub mod dockerlog;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
mod http;
pub mod identity;
mod kept;
pub mod lines;
pub mod live;
pub mod losses;
mod measure;
pub mod name;
pub mod outlet;
pub mod overview;
mod report;
pub mod retention;
pub mod ship;
pub mod source;
mod tell;
pub mod volume;
pub mod volumes;

use common::carbon::{self, Carbon};
use common::reload::Reloads as _;
use common::serve::{self, Counts};
use common::stop::{Deadline, LONGEST, Stop};
use common::systemd::{Pulse, watchdog};
use common::tls;
use config::Config;
use http::Face;
use live::Live;
use losses::Keeper;
use overview::{Finding, Sources};
use ship::journal::JournalError;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spool of metrics cannot be opened.
    #[error(transparent)]
    Carbon(#[from] carbon::Error),
    /// The state directory cannot be made.
    #[error("cannot make {}: {source}; set [node] state_dir to a directory that may be written", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// How far files were shipped cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A value of the config that is wrong in a way that shows only now.
    #[error("{key}: {why}")]
    Config {
        /// The key in the config file.
        key: &'static str,
        /// What is wrong with its value.
        why: String,
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

/// How long what is under way to the sink may take when the daemon stops.
const SHIPPED_BY: Duration = Duration::from_secs(5);

impl Error {
    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// The daemon, from start to stop. `listener` is bound already, `tls` is what it speaks; `stop` ends it within 10 s.
pub async fn run(
    config: Config,
    listener: TcpListener,
    tls: Option<tls::Server>,
    stop: Stop,
) -> Result<(), Error> {
    if let Err(error) = common::files::raise() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let state = config.state_dir();
    state_dir(&state)?;
    let splay = config.log_agent.interval / 10;
    let carbon = Carbon::open(config.graphite.carbon(&state, splay))?;
    let tasks = TaskTracker::new();
    let (shipping, known) = assemble::shipping(&config)?;
    let files = assemble::files(&config, known)?;
    let losses = Arc::new(Keeper::open(state.join("losses.json"), files.clone()));
    tasks.spawn(Arc::clone(&losses).run(stop.token.clone()));
    let found = volumes::watch(assemble::volumes(&config)?, &tasks, &stop.token);
    tasks.spawn(assemble::hand_over(found.volumes.clone(), files.clone(), stop.token.clone()));
    let shipper = assemble::shipper(&config, shipping, &files)?;
    let retention = assemble::retention(&config, &files, &found)?;
    let live = assemble::live(&config, &files, &tasks, &stop.token)?;

    let address = listener.local_addr().map_err(Error::system("local address"))?;
    let (counts, pulse) = (Arc::new(Counts::default()), Arc::new(Pulse::default()));
    let finding =
        Finding { figures: found.figures, engine: found.engine, docker: found.docker_stats };
    let sources = Sources {
        finding,
        files,
        shipper,
        retention,
        live: live.clone(),
        carbon: carbon.clone(),
        losses,
    };
    let center = assemble::center(&config, sources.clone(), address, &tasks, &stop.token)?;
    let face = Face::new(&config, sources.clone(), pulse.clone(), counts.clone(), center);
    let scheme = if config.certificate().is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}");
    let (limits, until) = (Live::door(&config.log_agent.viewers), stop.token.clone());
    let router = http::router(face).merge(live.router());
    tasks.spawn(serve::serve_tls(listener, router, limits, counts, tls, until));

    let flush = CancellationToken::new();
    tasks.spawn({
        let (carbon, flush) = (carbon.clone(), flush.clone());
        async move { carbon.run(flush).await }
    });
    tasks.spawn(assemble::measure(&config, sources.clone(), carbon).run(stop.token.clone()));
    tasks.spawn(tell::systemd(sources.clone(), pulse.clone(), stop.token.clone()));
    tasks.spawn({
        let stop = stop.token.clone();
        async move { watchdog(&pulse, http::LONGEST_PAUSE, stop).await }
    });

    let died = tokio::select! {
        () = stop.token.cancelled() => None,
        part = sources.death() => Some(part),
    };
    stop.token.cancel();
    let deadline = Deadline::within(LONGEST - Duration::from_secs(1));
    deadline.run("telling viewers the end", live.ended()).await;
    deadline.run("ending the threads that ship and follow", sources.end(SHIPPED_BY)).await;
    flush.cancel();
    tasks.close();
    deadline.run("sending what waits", tasks.wait()).await;
    died.map_or(Ok(()), |part| Err(Error::Ended { part }))
}

/// Makes the state directory, for this user alone.
fn state_dir(path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::State { path: path.to_owned(), source })
}
