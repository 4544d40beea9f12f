//! Whom this daemon talks to: the Docker engine, the Mesos agent, carbon, the centre.

use super::{Finding, Severity, finding};
use crate::center::{Me, whoami};
use crate::config::{Api, Graphite, Node};
use crate::http::{Error, Options, Url, get, get_on};
use crate::tls;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// How long each may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

fn options() -> Options {
    Options { timeout: PATIENCE, ..Options::default() }
}

/// Asks the engine for its version. Without an answer it is as bad as `absent` says.
pub async fn docker(node: &Node, absent: Severity) -> Finding {
    let Some(socket) = node.docker_socket() else {
        return finding(Severity::Fine, "docker", "none configured ([node] docker = \"\")");
    };
    match engine(&socket).await {
        Ok(version) => {
            let text = format!("engine {version} at {}", socket.display());
            finding(Severity::Fine, "docker", text)
        }
        Err(Trouble { cause, cure }) => {
            finding(absent, "docker", format!("{}: {cause}; {cure}", socket.display()))
        }
    }
}

struct Trouble {
    cause: String,
    cure: &'static str,
}

async fn engine(socket: &Path) -> Result<String, Trouble> {
    let hung = || Trouble {
        cause: format!("no answer within {} s", PATIENCE.as_secs()),
        cure: "the engine hangs: see its log, restart it",
    };
    let stream = match timeout(PATIENCE, UnixStream::connect(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(e)) => {
            let cure = match e.kind() {
                ErrorKind::PermissionDenied => "run as root, or as a member of the group docker",
                ErrorKind::ConnectionRefused => "the engine does not run: start it",
                _ => {
                    "start the engine, name its socket in [node] docker, or set docker = \"\" if there is none here"
                }
            };
            return Err(Trouble { cause: e.to_string(), cure });
        }
        Err(_) => return Err(hung()),
    };
    let url = Url::unix(&socket.to_string_lossy(), "/version");
    match get_on(stream, &url, &options()).await {
        Ok(answer) => version(&answer.body).ok_or(Trouble {
            cause: "answers, but not as a Docker engine".to_owned(),
            cure: "name the engine's socket in [node] docker",
        }),
        Err(Error::Timeout { .. }) => Err(hung()),
        Err(e) => Err(Trouble { cause: e.to_string(), cure: "see the engine's log" }),
    }
}

/// The version of Docker's `/version`, and the Mesos agent's.
fn version(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = body.get("Version").or_else(|| body.get("version"))?.as_str()?;
    Some(text.chars().take(40).collect())
}

/// Asks the agent for its version.
pub async fn mesos(node: &Node) -> Finding {
    let Some(agent) = &node.mesos_agent else {
        return finding(Severity::Fine, "mesos", "none configured ([node] mesos_agent)");
    };
    let asked = async {
        let url = Url::parse(&format!("{}/version", agent.trim_end_matches('/')))?;
        get(&url, &options()).await
    };
    match asked.await {
        Ok(answer) => match version(&answer.body) {
            Some(version) => {
                finding(Severity::Fine, "mesos", format!("agent {version} at {agent}"))
            }
            None => finding(
                Severity::Less,
                "mesos",
                format!("{agent} answers, but not as a Mesos agent; check [node] mesos_agent"),
            ),
        },
        Err(e) => finding(
            Severity::Less,
            "mesos",
            format!(
                "{e}; containers of the Mesos containerizer stay without names until it answers"
            ),
        ),
    }
}

/// Shows the centre this host's token. Without the centre everything but its knowledge of this host works.
pub async fn center(node: &Node, api: Option<&Api>) -> Finding {
    let Some(api) = api else {
        return finding(Severity::Fine, "centre", "none configured (no [api]): this host is alone");
    };
    let less = |text: String| finding(Severity::Less, "centre", text);
    let tls = match api.url.tls().then(|| tls::Client::load(api.ca_file.as_deref())).transpose() {
        Ok(tls) => tls,
        Err(e) => return finding(Severity::Bad, "centre", format!("{e}; correct [api] ca_file")),
    };
    match whoami(api, tls, PATIENCE).await {
        Ok(Me { node: Some(other), .. }) if other != node.name.as_str() => less(format!(
            "{} takes the token as that of node \"{other}\", this is \"{}\": put this host's own token into {}",
            api.url,
            node.name,
            api.token_file.display()
        )),
        Ok(Me { name, .. }) => {
            finding(Severity::Fine, "centre", format!("{} takes the token \"{name}\"", api.url))
        }
        Err(e) => less(format!("{e}; until the centre takes it, it does not know of this host")),
    }
}

/// Connects to every destination.
pub async fn carbon(graphite: &Graphite, none: Severity) -> Vec<Finding> {
    let destinations = &graphite.carbon;
    if destinations.is_empty() {
        let text = "no Graphite configured ([graphite] carbon = []): figures are shown, not sent";
        return vec![finding(Severity::Less, "carbon", text)];
    }
    let cure = "start carbon there, or correct [graphite] carbon (meanwhile points wait on disk)";
    reached("carbon", destinations, none, cure).await
}

/// Connects to every one of some peers of which one is enough. Without any it is as bad as `none` says.
pub async fn reached(
    topic: &'static str,
    peers: &[String],
    none: Severity,
    cure: &str,
) -> Vec<Finding> {
    let asked = peers.iter().map(|peer| async move { (peer, connect(peer).await) });
    let heard = futures_util::future::join_all(asked).await;
    let all_away = heard.iter().all(|(_, connected)| connected.is_err());
    let severity = if all_away { none } else { Severity::Less };
    let told = heard.into_iter().map(|(peer, connected)| match connected {
        Ok(()) => finding(Severity::Fine, topic, format!("{peer} takes connections")),
        Err(cause) => finding(severity, topic, format!("{peer}: {cause}; {cure}")),
    });
    told.collect()
}

async fn connect(peer: &str) -> Result<(), String> {
    match timeout(PATIENCE, TcpStream::connect(peer)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("no connection within {} s", PATIENCE.as_secs())),
    }
}
