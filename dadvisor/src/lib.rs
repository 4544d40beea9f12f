//! `dadvisor`: every container's CPU, memory, disk and network from the kernel into Graphite.

pub mod agent;
pub mod args;
pub mod board;
pub mod cgroup_scan;
pub mod check;
pub mod collect;
pub mod collector;
pub mod config;
pub mod devices;
pub mod diagnose;
pub mod disk_usage;
pub mod foreground;
pub mod group;
pub mod hierarchy;
pub mod host;
pub mod http;
pub mod inapp;
pub mod kernel;
pub mod mountinfo;
pub mod network;
pub mod oom;
pub mod oom_totals;
pub mod oom_watch;
pub mod own;
pub mod process;
pub mod rate;
pub mod read;
pub mod recent;
pub mod sample;
pub mod scrapes;
pub mod tick;
pub mod top;
pub mod watch;

use crate::board::Board;
use crate::config::Config;
use crate::http::{Face, Neighbours, router};
use common::carbon::{self, Carbon};
use common::serve::{self, Counts, Limits};
use common::stop::Stop;
use common::systemd::{Pulse, Systemd, watchdog};
use std::sync::Arc;

/// What is opened before the daemon runs, so that its errors come first.
pub struct Doors {
    /// Where the HTTP side listens.
    pub listener: tokio::net::TcpListener,
}

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No place for points.
    #[error(transparent)]
    Carbon(#[from] carbon::Error),
    /// The HTTP side broke.
    #[error("the HTTP side: {0}")]
    Http(#[from] std::io::Error),
}

/// Runs until the stop.
pub async fn run(config: Config, doors: Doors, stop: Stop) -> Result<(), Error> {
    let (board, pulse, counts) =
        (Arc::<Board>::default(), Arc::<Pulse>::default(), Arc::<Counts>::default());
    let carbon = Carbon::open(config.graphite.carbon_settings(config.state_dir().join("spool")))?;
    let status = carbon.clone();
    let neighbours =
        move || Neighbours { carbon: status.status(), docker: None, docker_counts: Vec::new() };
    let face = Face::new(&config, board, pulse.clone(), counts.clone(), neighbours);
    let mut systemd = Systemd::default();
    systemd.ready();
    let longest = Face::longest_pause(config.dadvisor.interval);
    let (served, ()) = tokio::join!(
        serve::serve(
            doors.listener,
            router(Arc::new(face)),
            Limits::default(),
            counts,
            stop.token.clone(),
        ),
        watchdog(&pulse, longest, stop.token.clone()),
    );
    systemd.stopping();
    Ok(served?)
}
