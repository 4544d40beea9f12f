//! The little HTTP that tests need: one request, the whole answer. HTTP/1.0, so that no server answers in chunks.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer that hangs fails the test, it does not hang it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(value.trim()))
    }

    /// The body as JSON; any status but 2xx is an error.
    pub fn json(&self) -> Result<serde_json::Value> {
        let text = String::from_utf8_lossy(&self.body);
        if !(200..300).contains(&self.status) {
            bail!("status {}: {text}", self.status);
        }
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }
}

/// `GET http://<address><path>`.
pub fn get(address: &str, path: &str) -> Result<Answer> {
    let asked = || -> Result<Answer> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        ask(stream, address, "GET", path, &[], "")
    };
    asked().with_context(|| format!("GET http://{address}{path}"))
}

/// Any request at `http://<address><path>`.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let asked = || -> Result<Answer> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        ask(stream, address, method, path, headers, body)
    };
    asked().with_context(|| format!("{method} http://{address}{path}"))
}

/// `GET <path>` on a Unix socket, such as Docker's.
pub fn get_unix(socket: &Path, path: &str) -> Result<Answer> {
    let asked = || -> Result<Answer> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        ask(stream, "localhost", "GET", path, &[], "")
    };
    asked().with_context(|| format!("GET {path} on {}", socket.display()))
}

fn ask(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let head = all.windows(4).position(|w| w == b"\r\n\r\n").context("no end of the head")?;
    let body = all.split_off(head + 4);
    let head = String::from_utf8(all)?;
    let status = head.split_ascii_whitespace().nth(1).context("no status")?.parse()?;
    Ok(Answer { status, head, body })
}
