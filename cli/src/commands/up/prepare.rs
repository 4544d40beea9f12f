//! Before anything runs: the config file as it is to be, and the listeners.

use super::found::{self, CARBON};
use super::home::Home;
use super::plan::{Truth, effective, first};
use super::ports::near;
use crate::error::Error;
use common::config::Source;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Where an engine listens unless `DOCKER_HOST` names another socket.
const SOCKET: &str = "unix:///var/run/docker.sock";

/// What is ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// The config file, as it is on disk now.
    pub source: Source,
    /// Of the centre.
    pub server: TcpListener,
    /// Of dadvisor.
    pub dadvisor: TcpListener,
    /// Of log-agent.
    pub log_agent: TcpListener,
    /// Addresses that were taken, and those taken instead.
    pub moved: Vec<(SocketAddr, SocketAddr)>,
}

pub async fn prepare(home: &Home) -> Result<Prepared, Error> {
    let text = match home.written()? {
        Some(text) => text,
        None => {
            let carbon = found::answers(CARBON).await.then_some(CARBON);
            first(&docker_socket(), carbon)
        }
    };
    // told with the file's own lines, before anything of it is changed
    let typed = Source::of(&home.config(), text.as_str());
    let (own, _) = api::config::Config::of(&typed)?;
    let (agent, _) = dadvisor::config::Config::of(&typed)?;
    let (logs, _) = log_agent::config::Config::of(&typed)?;

    let mut moved = Vec::new();
    let server = near(own.server.listen, &[]).await?;
    let server_at = settled(&server, own.server.listen, &mut moved)?;
    let wanted = [own.server.listen, agent.dadvisor.listen, logs.log_agent.listen];
    let [_, figures, lines] = wanted;
    let dadvisor = near(figures, &[server_at, own.server.listen, lines]).await?;
    let dadvisor_at = settled(&dadvisor, figures, &mut moved)?;
    let log_agent = near(lines, &[server_at, dadvisor_at, own.server.listen, figures]).await?;
    let log_agent_at = settled(&log_agent, lines, &mut moved)?;
    let truth = Truth {
        state_dir: &home.text(),
        server: server_at,
        tls: own.server.tls.is_some(),
        dadvisor: dadvisor_at,
        log_agent: log_agent_at,
        token_file: &home.admin_token(),
    };
    let text = effective(&text, &truth)
        .map_err(|e| Error::Usage(format!("{}: {e}", home.config().display())))?;
    Ok(Prepared { source: home.write(&text)?, server, dadvisor, log_agent, moved })
}

/// Where a listener is. It is noted if that is not where it was wanted.
fn settled(
    listener: &TcpListener,
    wanted: SocketAddr,
    moved: &mut Vec<(SocketAddr, SocketAddr)>,
) -> Result<SocketAddr, Error> {
    let at = listener.local_addr().map_err(Error::file("find the address of", "a listener"))?;
    if wanted.port() != 0 && at != wanted {
        moved.push((wanted, at));
    }
    Ok(at)
}

/// The engine's socket as the `docker` command would find it.
fn docker_socket() -> String {
    let named = std::env::var("DOCKER_HOST").ok();
    named.filter(|host| host.starts_with("unix:///")).unwrap_or_else(|| SOCKET.to_owned())
}
