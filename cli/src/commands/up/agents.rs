//! The agents of this machine, in this process: each with its part of the one config file, until the stop or until one ends by itself.

use super::part;
use crate::error::Error;
use common::config::Certificate;
use common::exit::Exit;
use common::stop::Stop;
use common::tls;
use std::fmt::Display;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Of the time that a stop may take, this much is the agents'.
const END: Duration = Duration::from_secs(6);

/// What they are told.
#[derive(Debug, Clone)]
pub struct Configs {
    /// dadvisor's.
    pub dadvisor: dadvisor::config::Config,
    /// log-agent's.
    pub log_agent: log_agent::config::Config,
}

/// Runs both. Whatever ends one, nothing here goes on without it.
pub async fn run(
    configs: &Configs,
    (figures, lines): (TcpListener, TcpListener),
    stop: &Stop,
) -> Result<(), Error> {
    let dadvisor = async {
        let tls = server("dadvisor", configs.dadvisor.node.tls.as_ref())?;
        let running = dadvisor::run(configs.dadvisor.clone(), figures, tls, own(stop));
        ended("dadvisor", running, stop, |e| match e {
            dadvisor::Error::Config { .. } => Exit::BadConfig,
            dadvisor::Error::Collector => Exit::Bug,
            _ => Exit::Missing,
        })
        .await
    };
    let log_agent = async {
        let tls = server("log-agent", configs.log_agent.node.tls.as_ref())?;
        let running = log_agent::run(configs.log_agent.clone(), lines, tls, own(stop));
        ended("log-agent", running, stop, |e| match e {
            log_agent::Error::Config { .. } => Exit::BadConfig,
            log_agent::Error::Ended { .. } => Exit::Bug,
            _ => Exit::Missing,
        })
        .await
    };
    let (dadvisor, log_agent) = tokio::join!(with(dadvisor, stop), with(log_agent, stop));
    dadvisor.and(log_agent)
}

/// Ends the other, too.
async fn with(agent: impl Future<Output = Result<(), Error>>, stop: &Stop) -> Result<(), Error> {
    let ended = agent.await;
    stop.token.cancel();
    ended
}

/// A stop of its own: what is said to the one process is not said to its parts.
fn own(stop: &Stop) -> Stop {
    Stop { token: stop.token.clone(), ..Stop::default() }
}

/// On loopback beside its only reader: no TLS unless the host's agents have a certificate.
fn server(name: &'static str, files: Option<&Certificate>) -> Result<Option<tls::Server>, Error> {
    let tls = files.map(|files| tls::Server::load(&files.cert, &files.key)).transpose();
    tls.map_err(|e| part(name, &e, Exit::BadConfig))
}

async fn ended<E: Display>(
    name: &'static str,
    running: impl Future<Output = Result<(), E>>,
    stop: &Stop,
    exit: impl Fn(&E) -> Exit,
) -> Result<(), Error> {
    let late = async {
        stop.token.cancelled().await;
        sleep(END).await;
    };
    tokio::select! {
        ended = running => ended.map_err(|e| part(name, &e, exit(&e))),
        () = late => {
            tracing::warn!("{name} did not end in time");
            Ok(())
        }
    }
}
