//! A reader of the bus that shares nothing with the product: Server-Sent Events, line by line, in a thread of its own.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// One frame.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// `id:`, the cursor.
    pub id: String,
    /// `event:`, the type.
    pub kind: String,
    /// `data:` as JSON; null if it is none.
    pub data: Value,
    /// When it was read.
    pub at: Option<Instant>,
}

/// An open stream.
#[derive(Debug)]
pub struct Sse {
    frames: Receiver<Frame>,
    socket: TcpStream,
}

impl Sse {
    /// Opens `GET http://<address><path>` with the token; an answer other than 200 is an error with its body.
    pub fn open(address: &str, path: &str, token: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(address).with_context(|| address.to_owned())?;
        write!(
            socket,
            "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"
        )?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut lines = BufReader::new(socket.try_clone()?).lines();
        let status = lines.next().context("no answer")??;
        if !status.contains(" 200 ") {
            let rest: Vec<String> = lines.map_while(Result::ok).collect();
            bail!("{path}: {status}: {}", rest.last().cloned().unwrap_or_default());
        }
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        let (send, frames) = channel();
        std::thread::spawn(move || {
            let mut frame = Frame::default();
            for line in lines.map_while(Result::ok) {
                match line.split_once(':').map(|(name, value)| (name, value.trim_start())) {
                    Some(("id", value)) => frame.id = value.to_owned(),
                    Some(("event", value)) => frame.kind = value.to_owned(),
                    Some(("data", value)) => {
                        frame.data = serde_json::from_str(value).unwrap_or_default()
                    }
                    _ if line.is_empty() && !frame.kind.is_empty() => {
                        frame.at = Some(Instant::now());
                        if send.send(std::mem::take(&mut frame)).is_err() {
                            return;
                        }
                    }
                    _ => {}
                }
            }
        });
        Ok(Self { frames, socket })
    }

    /// The next frame; None at the end of the stream.
    pub fn next(&self, within: Duration) -> Result<Option<Frame>> {
        match self.frames.recv_timeout(within) {
            Ok(frame) => Ok(Some(frame)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("no frame within {within:?}"),
        }
    }

    /// The first frame that is wanted; frames before it are let go.
    pub fn wait(
        &self,
        within: Duration,
        what: &str,
        wanted: impl Fn(&Frame) -> bool,
    ) -> Result<Frame> {
        let end = Instant::now() + within;
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "{what}: not within {within:?}; seen {seen:?}");
            let next = self.next(left).with_context(|| format!("{what}; seen {seen:?}"))?;
            let frame = next.with_context(|| format!("{what}: the stream ended; seen {seen:?}"))?;
            if wanted(&frame) {
                return Ok(frame);
            }
            seen.push(format!("{} {}", frame.kind, frame.data["subject"]));
        }
    }
}

impl Drop for Sse {
    fn drop(&mut self) {
        // ends the reading thread; an error means that the stream ended before
        self.socket.shutdown(std::net::Shutdown::Both).ok();
    }
}
