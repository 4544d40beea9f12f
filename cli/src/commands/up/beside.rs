//! Beside the centre: its tokens, the agents, and what the person in front of it is told.

use super::agents::{self, Configs};
use super::found::{self, CARBON, Found};
use super::home::{Home, keep_secret};
use super::part;
use crate::client::Client;
use crate::commands::access::{node_token, sign_in_link};
use crate::commands::{note, print};
use crate::error::Error;
use crate::place::{Centre, Token};
use common::config::{Source, api};
use common::exit::Exit;
use common::ids::NodeName;
use common::printable::printable;
use common::stop::Stop;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// How long the centre may take to answer for the first time: a large store is read in.
const START: Duration = Duration::from_secs(60);
/// How long nothing is said about the wait.
const SAID: Duration = Duration::from_secs(3);
/// From one try to the next.
const AGAIN: Duration = Duration::from_millis(50);

/// Runs the agents until the stop.
pub async fn run(
    home: &Home,
    source: &Source,
    listeners: (TcpListener, TcpListener),
    moved: &[(SocketAddr, SocketAddr)],
    stop: &Stop,
) -> Result<(), Error> {
    let ready = async {
        let mut client = answering(home, source).await?;
        let configs = agent_configs(home, source, &mut client).await?;
        Ok::<_, Error>((client, configs))
    };
    let Some(ready) = stop.token.run_until_cancelled(ready).await else { return Ok(()) };
    let (mut client, configs) = ready?;
    let agents = agents::run(&configs, listeners, stop);
    let told = async {
        let told = stop.token.run_until_cancelled(tell(home, &mut client, &configs, moved)).await;
        match told {
            // a reader that closed the pipe has what it wanted
            None | Some(Ok(()) | Err(Error::Unread)) => Ok(()),
            Some(Err(error)) => {
                stop.token.cancel();
                Err(error)
            }
        }
    };
    let (ended, told) = tokio::join!(agents, told);
    ended.and(told)
}

/// The centre as soon as it answers and takes its admin's token, which is put where people's commands look for it.
async fn answering(home: &Home, source: &Source) -> Result<Client, Error> {
    let mut reader = source.reader()?;
    let api = reader.section::<api::Section>();
    let (api, _) = reader.finish(api)?;
    let begin = Instant::now();
    let mut patient = false;
    let own = home.dir().join("api/admin-token");
    loop {
        let asked = async {
            let token =
                Token::read(&own).or_else(|e| Token::read(&home.admin_token()).map_err(|_| e))?;
            let mut client = Client::new(Centre {
                url: api.url.clone(),
                token: Some(token.clone()),
                token_file: None,
                ca_file: api.ca_file.clone(),
                named_by: home.config().display().to_string(),
            })?;
            client.value("/v1/me").await?;
            keep_secret(&home.admin_token(), token.as_str())?;
            Ok(client)
        };
        match asked.await {
            Ok(client) => return Ok(client),
            Err(Error::Refused { status: 401, detail, .. }) => {
                let why = format!(
                    "the token in {} is refused: {detail}\n`qae-api --config {} --new-admin-token` makes another",
                    own.display(),
                    home.config().display()
                );
                return Err(part("the centre", why, Exit::Missing));
            }
            Err(error) if begin.elapsed() > START => {
                let why = format!("not ready within {} s: {error}", START.as_secs());
                return Err(part("the centre", why, Exit::Missing));
            }
            Err(error) => {
                if !patient && begin.elapsed() > SAID {
                    note(&format!("the centre is not ready yet: {error}"));
                    patient = true;
                }
                sleep(AGAIN).await;
            }
        }
    }
}

/// The agents' configs: the same file, with the token of this node's agents.
async fn agent_configs(
    home: &Home,
    source: &Source,
    client: &mut Client,
) -> Result<Configs, Error> {
    let path = home.node_token();
    let source = source.clone().with("api", "token_file", path.display().to_string());
    let (dadvisor, _) = dadvisor::config::Config::of(&source)?;
    let (log_agent, _) = log_agent::config::Config::of(&source)?;
    let node = &dadvisor.node.name;
    if !is_of(client, &path, node).await {
        let secret = node_token(client, &token_name(node), node.as_str()).await?;
        keep_secret(&path, &secret)?;
    }
    Ok(Configs { dadvisor, log_agent })
}

/// Whether the token kept from the last run is still this node's.
async fn is_of(client: &Client, path: &Path, node: &NodeName) -> bool {
    let Ok(token) = Token::read(path) else { return false };
    let centre = Centre { token: Some(token), ..client.centre.clone() };
    let Ok(mut client) = Client::new(centre) else { return false };
    let me = client.value("/v1/me").await.unwrap_or_default();
    me.get("node").and_then(Value::as_str) == Some(node.as_str())
}

/// A node's name as a part of a token's, which has letters, digits, `.`, `_` and `-` only, 64 at most.
fn token_name(node: &NodeName) -> String {
    let node = node.component();
    format!("node-{}", node.get(node.len().saturating_sub(50)..).unwrap_or(&node))
}

/// One line with the page's address and its one-time sign-in, then what was found and what is done without.
async fn tell(
    home: &Home,
    client: &mut Client,
    configs: &Configs,
    moved: &[(SocketAddr, SocketAddr)],
) -> Result<(), Error> {
    let link = sign_in_link(client).await?;
    let config = &configs.dadvisor;
    let socket = config.node.docker_socket();
    let carbon = &config.graphite.carbon;
    let docker = async {
        match &socket {
            Some(socket) => found::docker(socket).await,
            None => None,
        }
    };
    let graphite = async {
        let asked: Vec<String> =
            if carbon.is_empty() { vec![CARBON.to_owned()] } else { carbon.clone() };
        for address in asked {
            if found::answers(&address).await {
                return Some(address);
            }
        }
        None
    };
    let (docker, carbon_at, nginx) = tokio::join!(docker, graphite, found::nginx());
    let found = Found { docker, carbon: carbon_at, nginx };
    let mut out = format!("QAE runs: {link}\n");
    let mut line =
        |name: &str, text: &str| out.push_str(&format!("  {name:<9} {}\n", printable(text)));
    for (name, text) in found::lines(&found, socket.as_deref(), carbon, &home.config()) {
        line(name, &text);
    }
    line("logs", &found::logs(&configs.log_agent.log_agent, &home.config()));
    for (wanted, at) in moved {
        line("port", &format!("{wanted} is taken, {at} it is"));
    }
    line("state", &format!("{} (config qae.toml, token admin-token)", home.text()));
    line(
        "next",
        "in another terminal, here: qae apps, qae events -f, qae logs -f APP, qae top; another link: qae sign-in; Ctrl-C ends it",
    );
    print(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_node_has_a_token_of_its_name() {
        for node in ["host-17", "h.example.org", "ü", &"x".repeat(300)] {
            let name = token_name(&NodeName::new(node));
            assert!(name.len() <= 64 && name.starts_with("node-"), "{name}");
            assert!(
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
                "{name}"
            );
        }
    }
}
