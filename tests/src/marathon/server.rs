//! One server of a played Marathon: the leader answers, a standby passes on or redirects.

use super::cluster::Cluster;
use super::faults::Fault;
use super::{Shared, Version};
use common::http::Basic;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Which server.
    pub server: usize,
    /// Without its query.
    pub path: String,
    /// What follows the `?`.
    pub query: String,
    /// Header.
    pub accept: String,
    /// Header, empty without.
    pub authorization: String,
}

/// Accepts until the cluster is gone.
pub(super) fn accept(listener: &TcpListener, index: usize, shared: &Weak<Shared>) {
    for socket in listener.incoming() {
        let Some(shared) = shared.upgrade().filter(|shared| !shared.lock().ended) else { return };
        let Ok(socket) = socket else { continue };
        // a client that hangs up is no failure of the server
        std::thread::spawn(move || serve(socket, index, &shared).ok());
    }
}

/// One connection, request after request.
fn serve(mut socket: TcpStream, index: usize, shared: &Arc<Shared>) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut lines = BufReader::new(socket.try_clone()?);
    while let Some(asked) = read(&mut lines, index)? {
        shared.lock().asked.push(asked.clone());
        // apart from the match, which would hold the lock to its end
        let answer = answer(&asked, &mut shared.lock());
        match answer {
            Answer::Whole(bytes) => socket.write_all(&bytes)?,
            Answer::Cut(bytes) => return socket.write_all(&bytes),
            Answer::Hang => return wait(socket, shared),
            Answer::Stream(head) => {
                socket.write_all(&head)?;
                return stream(&mut socket, shared);
            }
        }
    }
    Ok(())
}

fn read(lines: &mut impl BufRead, server: usize) -> std::io::Result<Option<Asked>> {
    let mut asked = Asked { server, ..Asked::default() };
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split_ascii_whitespace().nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    (asked.path, asked.query) = (path.to_owned(), query.to_owned());
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(Some(asked));
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "accept" => asked.accept = value.trim().to_owned(),
            "authorization" => asked.authorization = value.trim().to_owned(),
            _ => {}
        }
    }
}

enum Answer {
    Whole(Vec<u8>),
    Cut(Vec<u8>),
    Hang,
    Stream(Vec<u8>),
}

fn answer(asked: &Asked, cluster: &mut Cluster) -> Answer {
    let own = cluster.addresses[asked.server].clone();
    let wanted = cluster.credentials.as_ref().map(|(user, password)| Basic::new(user, password));
    if wanted.is_some_and(|basic| basic.header() != asked.authorization) {
        return Answer::Whole(whole(cluster, asked.server, 401, "", "<html>401</html>"));
    }
    match cluster.faults.of_path(&asked.path).cloned() {
        Some(Fault::Hang(_)) => return Answer::Hang,
        Some(Fault::Status(_, status)) => {
            return Answer::Whole(whole(cluster, asked.server, status, "", "<html>oh</html>"));
        }
        Some(Fault::Redirect(_, to)) => {
            let to = to.replace("{self}", &own);
            let more = format!("Location: {to}\r\n");
            return Answer::Whole(whole(cluster, asked.server, 302, &more, ""));
        }
        Some(Fault::Body(_, body)) => {
            return Answer::Whole(whole(cluster, asked.server, 200, "", &body));
        }
        Some(Fault::Cut(_, bytes)) => {
            let (status, body) = respond(asked, cluster);
            let mut answer = whole(cluster, asked.server, status, "", &body);
            answer.truncate(bytes);
            return Answer::Cut(answer);
        }
        _ => {}
    }
    if cluster.leader.is_none() && asked.path != "/v2/info" && asked.path != "/v2/leader" {
        let words = "<html>Could not determine the current leader</html>";
        return Answer::Whole(whole(cluster, asked.server, 502, "", words));
    }
    if asked.path == "/v2/events" {
        return events(asked, cluster);
    }
    let (status, body) = respond(asked, cluster);
    Answer::Whole(whole(cluster, asked.server, status, "", &body))
}

fn events(asked: &Asked, cluster: &Cluster) -> Answer {
    // Jetty compares the whole value
    if cluster.version == Version::V0_8 || asked.accept != "text/event-stream" {
        let status = if cluster.version == Version::V0_8 { 404 } else { 405 };
        return Answer::Whole(whole(cluster, asked.server, status, "", "<html>no</html>"));
    }
    let leader = cluster.leader.filter(|n| *n != asked.server && cluster.version == Version::V1_9);
    if let Some(leader) = leader {
        let to = &cluster.addresses[leader];
        let more = format!("Location: http://{to}/v2/events?{}\r\n", asked.query);
        return Answer::Whole(whole(cluster, asked.server, 302, &more, ""));
    }
    let leader = leader_header(cluster, asked.server);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n{leader}\r\n"
    );
    if cluster.faults.has(&Fault::StillBorn) {
        return Answer::Cut(head.into_bytes());
    }
    Answer::Stream(head.into_bytes())
}

fn leader_header(cluster: &Cluster, server: usize) -> String {
    let Some(leader) = cluster.leader.filter(|_| cluster.version > Version::V0_8) else {
        return String::new();
    };
    let via = match leader == server {
        true => String::new(),
        false => format!("X-Marathon-Via: 1.1 {}\r\n", cluster.addresses[server]),
    };
    format!("X-Marathon-Leader: http://{}\r\n{via}", cluster.addresses[leader])
}

fn respond(asked: &Asked, cluster: &mut Cluster) -> (u16, String) {
    let missing =
        |what: &str| (404, json!({"message": format!("{what} does not exist")}).to_string());
    match asked.path.as_str() {
        "/v2/info" => (200, cluster.info(asked.server).to_string()),
        "/v2/leader" => match cluster.leader {
            Some(n) => (200, json!({"leader": cluster.addresses[n]}).to_string()),
            None => (404, json!({"message": "There is no leader"}).to_string()),
        },
        "/v2/apps" => match cluster.faults.next_list() {
            Some(list) => (200, list),
            None => (200, cluster.list(asked.query.contains("embed=apps.tasks")).to_string()),
        },
        "/v2/tasks" => (200, cluster.tasks_json().to_string()),
        "/v2/deployments" => (200, "[]".to_owned()),
        "/ping" => (200, "pong".to_owned()),
        path => match path.strip_prefix("/v2/apps") {
            Some(id) if cluster.apps.contains_key(id) => {
                (200, json!({"app": cluster.listed(id, true)}).to_string())
            }
            Some(id) => missing(&format!("App '{id}'")),
            None => missing(path),
        },
    }
}

fn whole(cluster: &Cluster, server: usize, status: u16, more: &str, body: &str) -> Vec<u8> {
    let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
    let (length, leader) = (body.len(), leader_header(cluster, server));
    format!("HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\n{leader}{more}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Writes events and heartbeats until the stream is closed.
fn stream(socket: &mut TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    let events = shared.lock().attach();
    loop {
        let heartbeat = shared.lock().heartbeat;
        let next = events.recv_timeout(heartbeat);
        // what is wrong now, not what was wrong when the wait began
        let (bytes_alone, silent, pause) = {
            let faults = &shared.lock().faults;
            (faults.has(&Fault::ByteByByte), faults.has(&Fault::Silence), faults.pause())
        };
        if let Some(ms) = pause {
            std::thread::sleep(Duration::from_millis(ms));
        }
        match next {
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            _ if silent => {}
            Ok(bytes) if bytes_alone => bytes.iter().try_for_each(|b| alone(socket, &[*b]))?,
            Ok(bytes) => socket.write_all(&bytes)?,
            // in two writes, as Jetty does it
            Err(RecvTimeoutError::Timeout) => {
                alone(socket, b"\r")?;
                alone(socket, b"\n")?;
            }
        }
    }
}

/// In a packet of its own.
fn alone(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    socket.write_all(bytes)?;
    socket.flush()?;
    std::thread::sleep(Duration::from_micros(100));
    Ok(())
}

/// Says nothing until the cluster is gone or the client is.
fn wait(socket: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut byte = [0];
    while !shared.lock().ended {
        match std::io::Read::read(&mut &socket, &mut byte) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
