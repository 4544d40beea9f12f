//! A reader of the centre's log streams, a frame a line, that shares nothing with the product.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A stream that says nothing for so long fails the test.
const SILENCE: Duration = Duration::from_secs(60);

/// An open stream.
#[derive(Debug)]
pub struct Frames(BufReader<TcpStream>);

impl Frames {
    /// Opens `GET http://<address><path>` with the token; an answer other than 200 is an error.
    pub fn open(address: &str, path: &str, token: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(address).with_context(|| address.to_owned())?;
        socket.set_read_timeout(Some(SILENCE))?;
        write!(
            socket,
            "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/x-ndjson\r\nAuthorization: Bearer {token}\r\n\r\n"
        )?;
        let mut frames = Self(BufReader::new(socket));
        let status = frames.line()?.context("no answer")?;
        ensure!(status.contains(" 200 "), "{path}: {status}");
        while !frames.line()?.context("no end of the head")?.is_empty() {}
        Ok(frames)
    }

    /// The next frame of this type, those before it passed over.
    pub fn expect(&mut self, kind: &str) -> Result<Value> {
        let mut seen = String::new();
        while let Some(line) = self.line()? {
            let frame: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            if frame["type"] == kind {
                return Ok(frame);
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        bail!("the stream ended without {kind}: {seen}")
    }

    /// None at the end.
    fn line(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end().to_owned()))
    }
}
