//! Ships to Apache Flume's Avro source: one connection, one request under way, the next host of a list when one fails.
//!
//! A connection proves itself before it carries a line: a ping in the handshake shows that address, framing, compression and TLS are right.
//! Only an answer that is OK in every byte acknowledges. Whatever else comes (no answer in time, a closed connection, an answer to another
//! request) ends the connection, and nothing was acknowledged. Several requests under way would be faster and wrong: Flume 1.10 and 1.11
//! execute them out of order.
//!
//! Nothing here sleeps or tries again: the caller does, who knows what waits. One call tries each host once at most.

mod connection;
mod hosts;
pub(in crate::ship) mod stream;

pub use stream::Form;

use super::avro::answer::Answer;
use super::batch::Events;
use super::sink::{Failure, Sink, Status};
use common::backoff::{Backoff, random};
use common::logging::Episode;
use common::printable::printable;
use connection::{Broken, Connection};
use hosts::Hosts;
use std::time::{Duration, Instant};

/// Where and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port` of each, in order of preference.
    pub hosts: Vec<String>,
    /// Plain, deflated or over TLS.
    pub form: Form,
    /// Time-outs.
    pub times: Times,
}

/// Time-outs.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// To find a host and connect, TLS included.
    pub connect: Duration,
    /// To send a request and get its answer.
    pub answer: Duration,
    /// Without a request for so long, a ping is sent.
    pub ping: Duration,
    /// How often the first host is tried while another one serves, and how long that may take.
    pub prefer: (Duration, Duration),
}

impl Default for Times {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            // a full channel takes 3 s to say so, a pause of its Java longer
            answer: Duration::from_secs(20),
            ping: Duration::from_secs(30),
            prefer: (Duration::from_secs(60), Duration::from_secs(2)),
        }
    }
}

/// The sink.
#[derive(Debug)]
pub struct Flume {
    settings: Settings,
    hosts: Hosts,
    connection: Option<Connection>,
    status: Status,
    episode: Episode,
    /// For connecting while there is nothing to send.
    idle: (Backoff, Instant),
}

impl Flume {
    /// Does nothing yet: the first call connects.
    pub fn new(settings: Settings) -> Self {
        let now = Instant::now();
        let peer = settings.hosts.first().cloned().unwrap_or_default();
        Self {
            hosts: Hosts::new(settings.hosts.len(), now, settings.times.prefer.0),
            connection: None,
            status: Status { peer, ..Status::default() },
            episode: Episode::new("flume"),
            idle: (Backoff::default(), now),
            settings,
        }
    }

    fn host(&self) -> &str {
        self.settings.hosts.get(self.hosts.current()).map_or("", String::as_str)
    }

    fn try_send(&mut self, events: &Events<'_>) -> Result<(), Failure> {
        let connection = self.connected()?;
        let answer = connection.append(events);
        let (host, many) = (self.host(), events.len());
        match answer {
            Ok(Answer::Ok) => {
                self.hosts.worked();
                Ok(())
            }
            Ok(Answer::Failed | Answer::Unknown) => {
                let cause = format!(
                    "{host} says FAILED to {many} events: its channel is full, or its transactionCapacity is less"
                );
                if self.hosts.full() {
                    self.leave();
                }
                Err(Failure::Full { cause })
            }
            Ok(Answer::Error(said)) => {
                let cause = format!("{host} cannot take {many} events: {}", shown(&said));
                // it may have lost its place in what we send
                self.connection = None;
                Err(Failure::Fault { cause })
            }
            Err(Broken::TooLong(error)) => {
                Err(Failure::Fault { cause: format!("{host}: {error}") })
            }
            Err(broken) => {
                let failure = broken.failure(host);
                self.leave();
                Err(failure)
            }
        }
    }

    /// The connection; a new one if there is none, or if its far side closed it while it was not used.
    fn connected(&mut self) -> Result<&mut Connection, Failure> {
        if self.connection.as_mut().is_some_and(Connection::is_stale) {
            self.connection = None;
        }
        let now = Instant::now();
        if self.connection.is_some() && self.hosts.prefers(now) {
            self.try_preferred();
        }
        match self.connection.take() {
            Some(connection) => Ok(self.connection.insert(connection)),
            None => self.connect(),
        }
    }

    /// Goes through the list once, from the host in turn.
    fn connect(&mut self) -> Result<&mut Connection, Failure> {
        let times = self.settings.times;
        let mut failures = Vec::new();
        for at in self.hosts.round() {
            let host = &self.settings.hosts[at];
            match Connection::open(host, &self.settings.form, times.connect, times.answer) {
                Ok(connection) => {
                    self.serve(at);
                    return Ok(self.connection.insert(connection));
                }
                Err(broken) => failures.push(broken.failure(host)),
            }
        }
        Err(together(failures))
    }

    /// The first host again, while another one serves.
    fn try_preferred(&mut self) {
        let (_, limit) = self.settings.times.prefer;
        let host = &self.settings.hosts[0];
        match Connection::open(host, &self.settings.form, limit, limit) {
            Ok(mut connection) => {
                connection.set_answer(self.settings.times.answer);
                self.connection = Some(connection);
                self.serve(0);
            }
            Err(broken) => tracing::debug!("flume: {} is away still", broken.failure(host)),
        }
    }

    /// This host serves from now on.
    fn serve(&mut self, at: usize) {
        let host = self.settings.hosts[at].clone();
        if host != self.status.peer {
            tracing::info!("flume: {host} serves, after {}", self.status.peer);
            self.status.failovers += 1;
            self.status.peer = host;
        }
        self.hosts.serves(at, Instant::now());
    }

    /// Gives up the connection; the next host is in turn.
    fn leave(&mut self) {
        self.connection = None;
        self.hosts.next();
    }

    fn settle(&mut self, failure: Option<&Failure>) {
        match failure {
            None => {
                self.status.works = true;
                self.episode.recovered();
                self.idle.0.worked();
            }
            Some(failure) => {
                self.episode.failed(failure);
                self.idle.1 = Instant::now() + self.idle.0.failed(random());
            }
        }
    }

    fn try_idle(&mut self) -> Result<(), Failure> {
        let ping = self.settings.times.ping;
        if self.connection.as_ref().is_none_or(|c| c.unused() < ping) {
            // a host that was closed while nothing was sent is found here, and not by the next lines
            return self.connected().map(drop);
        }
        let Err(broken) = self.connected()?.ping() else { return Ok(()) };
        let failure = broken.failure(self.host());
        self.leave();
        Err(failure)
    }
}

impl Sink for Flume {
    fn send(&mut self, events: &Events<'_>) -> Result<(), Failure> {
        if events.is_empty() {
            return Ok(());
        }
        let result = self.try_send(events);
        self.status.count(events, &result);
        self.settle(result.as_ref().err());
        result
    }

    fn idle(&mut self) {
        if self.connection.is_none() && Instant::now() < self.idle.1 {
            return;
        }
        let result = self.try_idle();
        if let Err(failure) = &result {
            self.status.failed(failure);
        }
        self.settle(result.as_ref().err());
    }

    fn status(&self) -> Status {
        self.status.clone()
    }
}

/// What a round over all hosts came to: worth another try soon if one of them may come back by itself.
fn together(failures: Vec<Failure>) -> Failure {
    let refused = failures.iter().all(|f| matches!(f, Failure::Refused { .. }));
    let causes: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let cause = if causes.is_empty() { "there is no host".into() } else { causes.join("; ") };
    if refused { Failure::Refused { cause } } else { Failure::Lost { cause, doubtful: false } }
}

/// What a peer says, short and harmless.
fn shown(said: &str) -> String {
    const LONGEST: usize = 300;
    let first = said.lines().next().unwrap_or_default();
    match first.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", printable(&first[..end])),
        None => printable(first).into_owned(),
    }
}

#[cfg(test)]
mod tests;
