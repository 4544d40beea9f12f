//! The least HTTP/1.1 a fleet of simulated agents needs: one kept-alive connection, small answers with a length.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// A connection.
pub struct Line {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Line {
    /// Connects.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(2 << 10, stream), address: address.to_owned() })
    }

    /// Sends a request and reads the head of its answer: the status and the body's length.
    pub async fn begin(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<(u16, Option<usize>)> {
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n")?;
        }
        write!(text, "\r\n{body}")?;
        self.stream.write_all(text.as_bytes()).await?;
        let status = self.next().await?.context("no answer")?;
        let status =
            status.split(' ').nth(1).and_then(|s| s.parse().ok()).context(status.clone())?;
        let mut length = None;
        while let Some(header) = self.next().await?.filter(|h| !h.is_empty()) {
            let (name, value) = header.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
        Ok((status, length))
    }

    /// A request and its whole answer.
    pub async fn ask(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer> {
        let (status, length) = self.begin(token, method, path, headers, body).await?;
        let mut body = String::new();
        match length {
            Some(length) => {
                let mut bytes = vec![0; length];
                self.stream.read_exact(&mut bytes).await?;
                body = String::from_utf8(bytes)?;
            }
            None => loop {
                let size = self.next().await?.context("the answer broke off")?;
                let size = usize::from_str_radix(size.trim(), 16)?;
                let mut bytes = vec![0; size + 2];
                self.stream.read_exact(&mut bytes).await?;
                body.push_str(std::str::from_utf8(&bytes[..size])?);
                if size == 0 {
                    break;
                }
            },
        }
        Ok(Answer { status, body })
    }

    /// As [`Self::ask`]; anything but a 2xx is an error.
    pub async fn good(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<String> {
        let answer = self.ask(token, method, path, headers, body).await?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path}: {}: {}", answer.status, answer.body);
        }
        Ok(answer.body)
    }

    /// The next line of what comes, without its end; None at the end of the connection.
    pub async fn next(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end().to_owned()))
    }
}
