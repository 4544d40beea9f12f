//! One connection to a Flume: shaken when it is there, then one request after the other, each with its answer.

use super::stream::{Form, Stream};
use crate::ship::avro::Malformed;
use crate::ship::avro::answer::{self, Answer, Frame, Handshake, LONGEST, Match};
use crate::ship::avro::request::{self, Call, TooLong};
use crate::ship::batch::Events;
use crate::ship::sink::Failure;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// A connection that works.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    serial: i32,
    head: Vec<u8>,
    /// What came and is not read yet.
    inbox: Vec<u8>,
    answer: Duration,
    used: Instant,
}

/// Why a connection is of no use any more.
#[derive(Debug)]
pub(super) enum Broken {
    /// It could not be made.
    Connect(io::Error),
    /// It was closed before the handshake was answered.
    Shut,
    /// The handshake was answered with something else.
    Unlike(String),
    /// The request was not sent as a whole.
    Write(io::Error),
    /// It was, and no answer came.
    Read(io::Error),
    /// It was, and this is no answer.
    Garbled(Malformed),
    /// It was, and another request was answered.
    Serial { got: i32, wanted: i32 },
    /// The connection is fine, the request is not.
    TooLong(TooLong),
}

impl Broken {
    /// What it means for the events, in words.
    pub(super) fn failure(self, host: &str) -> Failure {
        let lost = |cause: String, doubtful| Failure::Lost { cause, doubtful };
        match self {
            Self::Connect(error) if is_end(&error) => Self::Shut.failure(host),
            Self::Connect(error) => match unlike(&error) {
                Some(why) => Failure::Refused { cause: format!("{host}: {why}") },
                None => lost(format!("{host}: no connection: {}", told(&error)), false),
            },
            Self::Shut => lost(
                format!(
                    "{host} closes the connection without a word: it has another compression or TLS setting, an ipFilter, or is about to end"
                ),
                false,
            ),
            Self::Unlike(why) => Failure::Refused { cause: format!("{host}: {why}") },
            Self::Write(error) => {
                lost(format!("{host}: the connection broke while sending: {}", told(&error)), false)
            }
            Self::Read(error) => lost(format!("{host}: no answer: {}", told(&error)), true),
            Self::Garbled(error) => lost(format!("{host}: its answer is garbled: {error}"), true),
            Self::Serial { got, wanted } => {
                lost(format!("{host} answers request {got} and not {wanted}"), true)
            }
            Self::TooLong(error) => Failure::Fault { cause: error.to_string() },
        }
    }
}

fn told(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut => "not in time".into(),
        ErrorKind::UnexpectedEof => "it was closed".into(),
        _ => error.to_string(),
    }
}

/// What is wrong for good with a TLS handshake.
fn unlike(error: &io::Error) -> Option<String> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match cause {
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS there: leave `flume_tls` out, or set `ssl = true` at its source"
                .into()
        }
        _ => format!("{error}{}", common::tls::hint(error, "flume_ca_file")),
    })
}

impl Connection {
    /// Connects and shakes hands, with a ping: nothing is sent that could be kept.
    pub(super) fn open(
        host: &str,
        form: &Form,
        connect: Duration,
        answer: Duration,
    ) -> Result<Self, Broken> {
        let stream = Stream::open(host, form, Instant::now() + connect).map_err(Broken::Connect)?;
        let used = Instant::now();
        let mut connection =
            Self { stream, serial: 0, head: Vec::new(), inbox: Vec::new(), answer, used };
        connection.shake().map_err(|broken| connection.explained(broken))?;
        Ok(connection)
    }

    fn shake(&mut self) -> Result<(), Broken> {
        let frame = self.ask(true, Call::Ping, &[])?;
        match answer::handshake(&frame).map_err(Broken::Garbled)? {
            Handshake::Shaken(Match::Both | Match::Client) => Ok(()),
            Handshake::Shaken(Match::None) => Err(Broken::Unlike(
                "it does not accept the protocol although it has its text".into(),
            )),
            Handshake::Error(said) => Err(Broken::Unlike(format!(
                "it does not accept the handshake: {}",
                super::shown(&said)
            ))),
        }
    }

    /// The first bytes of a peer of another kind tell what it is.
    fn explained(&self, broken: Broken) -> Broken {
        let begins = |bytes: &[u8]| self.inbox.starts_with(bytes);
        if matches!(self.stream, Stream::Plain(_)) {
            // an empty zlib stream
            if begins(&[0x78, 0x9c, 3, 0]) {
                return Broken::Unlike(
                    "its source compresses: set `flume_compression = \"deflate\"`".into(),
                );
            }
            // an alert
            if begins(&[0x15, 3]) {
                return Broken::Unlike("its source speaks TLS: set `flume_tls = true`".into());
            }
        }
        match broken {
            Broken::Read(error) if error.kind() == ErrorKind::InvalidData => {
                Broken::Unlike(error.to_string())
            }
            Broken::Garbled(error) => {
                Broken::Unlike(format!("this is no Flume's Avro source, or not ours: {error}"))
            }
            Broken::Read(error) | Broken::Write(error) if is_end(&error) => Broken::Shut,
            // nothing that could be kept was sent
            Broken::Read(error) => Broken::Connect(error),
            other => other,
        }
    }

    /// How long an answer may take from now on.
    pub(super) fn set_answer(&mut self, answer: Duration) {
        self.answer = answer;
    }

    /// Sends events; what the server made of them.
    pub(super) fn append(&mut self, events: &Events<'_>) -> Result<Answer, Broken> {
        let bytes = events.bytes();
        let call = Call::Append { events: events.len(), bytes: bytes.len() };
        let frame = self.ask(false, call, bytes)?;
        answer::answer(&frame.payload).map_err(Broken::Garbled)
    }

    /// Asks whether it is there.
    pub(super) fn ping(&mut self) -> Result<(), Broken> {
        let frame = self.ask(false, Call::Ping, &[])?;
        if answer::is_pong(&frame) { Ok(()) } else { Err(Broken::Garbled(Malformed::Behind)) }
    }

    /// How long it has not been used.
    pub(super) fn unused(&self) -> Duration {
        self.used.elapsed()
    }

    /// Whether its far side closed it meanwhile.
    pub(super) fn is_stale(&mut self) -> bool {
        !self.inbox.is_empty() || self.stream.is_stale()
    }

    fn ask(&mut self, handshake: bool, call: Call, events: &[u8]) -> Result<Frame, Broken> {
        self.serial = self.serial.wrapping_add(1);
        let tail = request::frame(&mut self.head, self.serial, handshake, call)
            .map_err(Broken::TooLong)?;
        self.stream.set_deadline(Instant::now() + self.answer);
        self.stream.write([&self.head, events, tail]).map_err(Broken::Write)?;
        let frame = self.read()?;
        self.used = Instant::now();
        if frame.serial != self.serial {
            return Err(Broken::Serial { got: frame.serial, wanted: self.serial });
        }
        Ok(frame)
    }

    fn read(&mut self) -> Result<Frame, Broken> {
        loop {
            if let Some((frame, length)) = answer::frame(&self.inbox).map_err(Broken::Garbled)? {
                self.inbox.drain(..length);
                return Ok(frame);
            }
            match self.stream.read(&mut self.inbox, 2 * LONGEST) {
                Ok(0) => return Err(Broken::Read(ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Broken::Read(error)),
            }
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
