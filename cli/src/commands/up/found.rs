//! What is on this machine: the Docker engine, Graphite, nginx; and what is done without. Each question has a time limit.

use common::http::{Options, Url, get_on};
use log_agent::config::{LogAgent, Sink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;
use tokio::time::timeout;

/// How long each may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Where carbon usually listens.
pub const CARBON: &str = "127.0.0.1:2003";

/// The version of the engine behind a socket; None if nothing answers.
pub async fn docker(socket: &Path) -> Option<String> {
    let stream = timeout(PATIENCE, UnixStream::connect(socket)).await.ok()?.ok()?;
    let url = Url::unix(&socket.to_string_lossy(), "/version");
    let options = Options { timeout: PATIENCE, ..Options::default() };
    let answer = get_on(stream, &url, &options).await.ok()?;
    let said: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    Some(said.get("Version")?.as_str()?.chars().take(40).collect())
}

/// Whether something takes connections there.
pub async fn answers(address: &str) -> bool {
    timeout(PATIENCE, TcpStream::connect(address)).await.is_ok_and(|c| c.is_ok())
}

/// nginx and what it says of itself.
pub async fn nginx() -> Option<(PathBuf, String)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    let binary = std::env::split_paths(&path)
        .chain(usual)
        .map(|dir| dir.join("nginx"))
        .find(|file| file.is_file())?;
    let said = Command::new(&binary).arg("-v").kill_on_drop(true).output();
    let said = timeout(PATIENCE, said).await.ok()?.ok()?;
    // nginx version: nginx/1.26.3
    let text = String::from_utf8_lossy(&said.stderr);
    let version = text.split(':').nth(1).unwrap_or("nginx").trim();
    Some((binary, version.chars().take(40).collect()))
}

/// What was seen at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The engine's version.
    pub docker: Option<String>,
    /// The carbon that answers.
    pub carbon: Option<String>,
    /// nginx.
    pub nginx: Option<(PathBuf, String)>,
}

/// What is said about it: one line each. `socket`: where an engine is looked for; `carbon`: where figures are sent.
pub fn lines(
    found: &Found,
    socket: Option<&Path>,
    carbon: &[String],
    config: &Path,
) -> Vec<(&'static str, String)> {
    let file = config.display();
    let docker = match (&found.docker, socket) {
        (Some(version), Some(socket)) => format!("engine {version} at {}", socket.display()),
        (None, Some(socket)) => {
            format!(
                "no engine answers at {}: containers show up as soon as one does",
                socket.display()
            )
        }
        (_, None) => {
            format!("off ([node] docker = \"\" in {file}): only the machine itself is shown")
        }
    };
    let graphite = match (&found.carbon, carbon) {
        (Some(address), [_, ..]) => format!("carbon at {address}"),
        (Some(address), []) => {
            format!(
                "answers at {address}, but carbon = [] in {file}: figures of the last hour are kept here"
            )
        }
        (None, []) => "none: figures of the last hour are kept here".to_owned(),
        (None, named) => {
            format!("no answer from {}: figures wait on disk for it", named.join(", "))
        }
    };
    let nginx = match &found.nginx {
        Some((binary, version)) => {
            format!(
                "{version} at {}: left alone, nothing here writes its config yet",
                binary.display()
            )
        }
        None => "none: not needed".to_owned(),
    };
    vec![("docker", docker), ("graphite", graphite), ("nginx", nginx)]
}

/// What becomes of the lines of log volumes.
pub fn logs(own: &LogAgent, config: &Path) -> String {
    let path = &own.log_path;
    match &own.sink {
        None => format!(
            "files in containers' {path} are shown live, and go nowhere else: no flume and no sink in {}",
            config.display()
        ),
        Some(Sink::Dir(dir)) => format!("files in containers' {path} go to {}", dir.display()),
        Some(Sink::Flume(_)) => format!("files in containers' {path} go to Flume"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_what_is_not() {
        let (socket, config) = (Path::new("/run/d.sock"), Path::new("/s/qae.toml"));
        let all = Found {
            docker: Some("28.1".into()),
            carbon: Some(CARBON.into()),
            nginx: Some(("/usr/sbin/nginx".into(), "nginx/1.26".into())),
        };
        let text = |found: &Found, socket, carbon: &[String]| -> String {
            lines(found, socket, carbon, config)
                .into_iter()
                .map(|(a, b)| format!("{a}: {b}\n"))
                .collect()
        };
        let said = text(&all, Some(socket), &[CARBON.into()]);
        assert!(
            said.contains(
                "docker: engine 28.1 at /run/d.sock\ngraphite: carbon at 127.0.0.1:2003\n"
            ),
            "{said}"
        );
        let said = text(&Found::default(), Some(socket), &[]);
        assert!(said.contains("no engine answers at /run/d.sock"), "{said}");
        assert!(said.contains("graphite: none"), "{said}");
        let said = text(&all, None, &[]);
        assert!(said.contains("docker: off") && said.contains("but carbon = []"), "{said}");
        let said = text(&Found::default(), None, &["g:2003".into()]);
        assert!(said.contains("no answer from g:2003: figures wait on disk"), "{said}");
    }

    #[tokio::test]
    async fn nobody_there_is_no_error() {
        assert_eq!(docker(Path::new("/nonexistent/docker.sock")).await, None);
        assert!(!answers("127.0.0.1:1").await);
    }
}
