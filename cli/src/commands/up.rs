//! `qae up`: the whole product on this machine, in one process, in the foreground.
//!
//! The centre (with SQLite), dadvisor and log-agent run side by side on loopback; everything they keep is in one directory. Nothing else
//! has to be installed: what there is (Docker, Graphite) is used, what there is not is said. A stop ends the agents first, whose last
//! reports find the centre still there; all of it takes at most [`LONGEST`].

mod agents;
mod beside;
mod edit;
mod found;
mod home;
mod plan;
mod ports;
mod prepare;

use crate::args;
use crate::error::Error;
use common::exit::Exit;
use common::logging;
use common::stop::{self, LONGEST, Stop};
use home::Home;
use prepare::Prepared;
use std::io::{self, IsTerminal};
use std::time::Duration;
use tokio::time::sleep;

/// What is left of [`LONGEST`] for the process itself.
const LAST: Duration = Duration::from_millis(300);

/// Runs until the stop, or until a part ends by itself.
pub async fn run(asked: &args::Up) -> Result<(), Error> {
    let stop = stop::on_signals().map_err(Error::file("catch", "signals"))?;
    // what people want to see goes to stdout; the parts speak up when something is wrong
    let crates = ["api", "dadvisor", "log_agent", "cli"];
    logging::start_as("qae", &crates, logging::LevelFilter::WARN, None)
        .map_err(|e| Error::Usage(e.to_string()))?;
    let home = Home::take(&asked.state)?;
    let Prepared { source, server, dadvisor, log_agent, moved } = prepare::prepare(&home).await?;

    hang_up(&stop);
    // the centre outlives the agents, so it has a stop of its own
    let later = Stop::default();
    let config = api::config::Config::of(&source)?.0;
    let centre = api::run(config, server, later.clone());
    let agent = async {
        let ended = beside::run(&home, &source, (dadvisor, log_agent), &moved, &stop).await;
        later.token.cancel();
        ended
    };
    let late = async {
        stop.token.cancelled().await;
        sleep(LONGEST.saturating_sub(LAST)).await;
    };
    tokio::pin!(centre, agent, late);
    tokio::select! {
        ended = &mut agent => {
            tokio::select! {
                done = &mut centre => ended.and(done.map_err(|e| centre_ended(&e))),
                () = &mut late => late_end(ended),
            }
        }
        done = &mut centre => {
            stop.token.cancel();
            tokio::select! {
                ended = &mut agent => drop(ended),
                () = &mut late => {}
            }
            Err(done.map_or_else(|e| centre_ended(&e), |()| part("the centre", "ended by itself", Exit::Bug)))
        }
        () = &mut late => late_end(Ok(())),
    }
}

/// A terminal that is gone has nobody before it; started without one (nohup), SIGHUP means nothing.
fn hang_up(stop: &Stop) {
    if !io::stdin().is_terminal() && !io::stdout().is_terminal() {
        return;
    }
    let stop = stop.clone();
    tokio::spawn(async move {
        stop.reload.notified().await;
        stop.token.cancel();
    });
}

fn late_end(ended: Result<(), Error>) -> Result<(), Error> {
    tracing::warn!("not everything ended within {} s, left as it is", LONGEST.as_secs());
    ended
}

fn centre_ended(error: &api::Error) -> Error {
    part("the centre", error, Exit::Missing)
}

fn part(part: &'static str, why: impl std::fmt::Display, exit: Exit) -> Error {
    Error::Part { part, why: why.to_string(), exit }
}
