//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.
//!
//! ```text
//! docker, mesos agent, cgroups --> discover --> inventory --.
//!                                                           v
//! /sys/fs/cgroup, /proc/PID/net --> kernel::Group --> collector (a thread, tick by tick) --> batch --> carbon: spool --> sender
//!                                                         |                                    ^
//!                                                         '--> board <-- http, top             '-- scrapes (what runs inside, by label)
//! ```
//!
//! A pass that ended is on disk; a container that is gone is no error; what is absent is absent, never zero; a neighbour that is down
//! (engine, Mesos agent, carbon, an app) stops nothing but itself.

mod agent;
pub mod args;
mod assemble;
mod beside;
pub mod board;
pub mod check;
pub mod collect;
pub mod collector;
pub mod config;
pub mod discover;
pub mod disk_usage;
pub mod facts;
pub mod foreground;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod http;
pub mod inapp;
pub mod kernel;
mod oom;
mod own;
pub mod rate;
pub mod recent;
pub mod report;
pub mod sample;
mod scrapes;
mod tell;
pub mod top;

use agent::{Agent, Shown};
use assemble::Told;
use board::Board;
use common::carbon::{self, Carbon};
use common::serve::{self, Counts, Limits};
use common::stop::{Deadline, LONGEST, Stop};
use common::systemd::{Pulse, watchdog};
use common::tls;
use config::Config;
use http::Face;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel's files are not there.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// The spool cannot be opened.
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
    /// The Mesos agent's URL is wrong.
    #[error("{key}: {why}")]
    Config {
        /// The key in the config file.
        key: &'static str,
        /// What is wrong with its value.
        why: String,
    },
    /// A thread or a pipe cannot be made.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The collector's thread ended by itself.
    #[error("the collector ended by itself: a bug, see the log above")]
    Collector,
}

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
    let state = config.state_dir();
    std::fs::create_dir_all(&state)
        .map_err(|source| Error::State { path: state.clone(), source })?;
    let kernel = assemble::kernel(&config)?;
    // a tenth of a tick spreads a fleet and delays nobody's chart
    let splay = config.dadvisor.interval / 10;
    let carbon = Carbon::open(config.graphite.carbon(&state, splay))?;
    let (board, pulse) = (Arc::new(Board::default()), Arc::new(Pulse::default()));
    let tasks = TaskTracker::new();
    let finding = assemble::discovery_settings(&config, &kernel)?;
    let mut discovery = discover::start(finding, &tasks, &stop.token);
    let beside = Arc::new(assemble::beside(&config, &discovery)?);

    let address = listener.local_addr().map_err(Error::system("local address"))?;
    let (passed, on_pass) = channel::channel(0);
    let (kills, on_kill) = channel::channel(Arc::default());
    let told = Told { address, kills: on_kill, passed: on_pass.clone(), carbon: carbon.clone() };
    let center = assemble::center(&config, &mut discovery, told, &tasks, &stop.token)?;

    let counts = Arc::new(Counts::default());
    let neighbours = assemble::neighbours(&carbon, &discovery, beside.clone(), center);
    let face = Face::new(&config, board.clone(), pulse.clone(), counts.clone(), neighbours);
    let router = http::router(Arc::new(face));
    tracing::info!("listening on {}://{address}", if tls.is_some() { "https" } else { "http" });
    let (limits, until) = (Limits::default(), stop.token.clone());
    tasks.spawn(serve::serve_tls(listener, router, limits, counts, tls, until));

    let flush = CancellationToken::new();
    tasks.spawn({
        let (carbon, flush) = (carbon.clone(), flush.clone());
        async move { carbon.run(flush).await }
    });
    let scrapes = assemble::scrapes(&config, &discovery, &beside, on_pass.clone(), &carbon, &board);
    tasks.spawn(scrapes.run(stop.token.clone()));
    tasks.spawn(tell::systemd(board.clone(), carbon.clone(), on_pass, stop.token.clone()));
    tasks.spawn({
        let (pulse, stop) = (pulse.clone(), stop.token.clone());
        let longest = Face::longest_pause(config.dadvisor.interval);
        async move { watchdog(&pulse, longest, stop).await }
    });
    let shown = Shown { board, passed, kills, pulse };
    let parts = assemble::parts(&config, kernel, carbon, discovery, shown, beside.disk.clone());
    let agent = Agent::new(parts, config.dadvisor.interval);
    let mut collector =
        agent.start().map_err(Error::system("cannot start the collector's thread"))?;

    let died = tokio::select! {
        () = stop.token.cancelled() => false,
        () = collector.died() => true,
    };
    stop.token.cancel();
    let deadline = Deadline::within(LONGEST - Duration::from_secs(1));
    deadline.run("the pass under way", collector.end()).await;
    flush.cancel();
    tasks.close();
    deadline.run("sending what waits", tasks.wait()).await;
    if died { Err(Error::Collector) } else { Ok(()) }
}
