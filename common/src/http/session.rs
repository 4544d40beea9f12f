//! Request after request over a connection that stays open: no handshake, TCP or TLS, for each.
//!
//! Promise: one connection per place, re-opened when it broke. A kept connection may turn out closed only when a request fails on it:
//! such a request is made once more on a new one if it is idempotent. A call that is dropped half-way takes its connection with it.

use super::answer::{Response, response, rest};
use super::connection::Line;
use super::{Error, Options, Request, Url, dial, within};
use std::time::Duration;
use tokio::time::Instant;

/// Places kept connections to; the one unused for longest goes.
const PLACES: usize = 8;
/// Longer unused, and what lies between (a firewall) may have forgotten the connection: then nothing tells but a time-out.
const UNUSED: Duration = Duration::from_secs(60);

/// Kept connections, for one caller at a time.
#[derive(Debug, Default)]
pub struct Session {
    options: Options,
    kept: Vec<Kept>,
    opened: u64,
    retried: u64,
}

#[derive(Debug)]
struct Kept {
    place: Place,
    line: Line,
    used: Instant,
}

impl Session {
    /// Nothing is connected before the first request.
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// How calls are made; changing it concerns the next call (`tls`: the next connection).
    pub fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Connections opened so far.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Requests made once more because a kept connection had been closed.
    pub fn retried(&self) -> u64 {
        self.retried
    }

    /// Makes a request. Every status is an answer.
    pub async fn send(&mut self, url: &Url, request: &Request) -> Result<Response, Error> {
        let after = self.options.timeout;
        within(url, after, self.exchange(url, request)).await
    }

    async fn exchange(&mut self, url: &Url, request: &Request) -> Result<Response, Error> {
        if let Some(line) = self.take(url).await {
            match self.over(line, url, request).await {
                // a kept connection is closed by its far side at any moment, and that moment may be this one
                Err(Error::Protocol { .. }) if request.idempotent() => self.retried += 1,
                outcome => return outcome,
            }
        }
        let line = dial::dial(url, &self.options).await?;
        self.opened += 1;
        self.over(line, url, request).await
    }

    /// One request, after which the connection is kept if it can be.
    async fn over(
        &mut self,
        mut line: Line,
        url: &Url,
        request: &Request,
    ) -> Result<Response, Error> {
        let request = request.to_wire(url, &self.options, false)?;
        let (head, mut body) = line.ask(request, url).await?;
        let body = rest(&mut line.connection, &mut body, url, self.options.max_body).await?;
        if self.kept.len() == PLACES {
            self.kept.remove(0);
        }
        self.kept.push(Kept { place: place(url), line, used: Instant::now() });
        Ok(response(head, body))
    }

    /// The kept connection to that place, if it is of use.
    async fn take(&mut self, url: &Url) -> Option<Line> {
        let place = place(url);
        let at = self.kept.iter().position(|kept| kept.place == place)?;
        // what is not given back is closed: a call may be dropped at any point
        let Kept { mut line, used, .. } = self.kept.remove(at);
        (used.elapsed() < UNUSED && line.fresh().await).then_some(line)
    }
}

/// Scheme, socket or host, port.
type Place = (bool, Option<String>, String, u16);

fn place(url: &Url) -> Place {
    (url.tls(), url.socket().map(str::to_owned), url.host().to_owned(), url.port())
}

#[cfg(test)]
mod tests;
