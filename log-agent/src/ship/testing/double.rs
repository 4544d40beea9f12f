//! A peer that answers as it is told: with every answer a Flume can give, with none, or with what no Flume would.

use super::{framed, read_payload, read_serial};
use crate::ship::avro::request::SERVER_HASH;
use crate::ship::avro::{Malformed, Reader, put_bytes};
use crate::ship::batch::Event;
use crate::ship::flume::stream::inflate;
use flate2::Decompress;
use flate2::write::ZlibEncoder;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What becomes of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Play {
    /// It is kept, and that is said.
    Take,
    /// It is kept, and the connection closed without a word.
    TakeAndClose,
    /// FAILED.
    Fail,
    /// UNKNOWN.
    Unknown,
    /// An exception with these words.
    Error(String),
    /// No answer ever.
    Silence,
    /// The connection is closed without a word.
    Close,
    /// The connection is closed after so many bytes of the request.
    CloseWithin(usize),
    /// OK, but to another request.
    Serial,
    /// These bytes, and the end.
    Garble(Vec<u8>),
}

/// What becomes of a handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Shake {
    /// Both know each other.
    #[default]
    Both,
    /// The server has another text.
    Client,
    /// It wants a text.
    None,
    /// It fails with these words.
    Error(String),
    /// No answer ever.
    Silence,
    /// The connection is closed.
    Close,
    /// These bytes, and the end.
    Garble(Vec<u8>),
}

/// An event that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// The line.
    pub body: Vec<u8>,
}

/// The peer, on a port of loopback of its own; ends when this goes.
#[derive(Debug)]
pub struct Double {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    deflate: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    plays: VecDeque<Play>,
    usual: Option<Play>,
    shake: Shake,
    most: Option<usize>,
    stored: Vec<Stored>,
    asked: Vec<usize>,
    pings: usize,
    sockets: Vec<TcpStream>,
    connections: usize,
}

impl State {
    /// After how many bytes this request is to end.
    fn closes_within(&mut self, shaken: bool) -> Option<usize> {
        let Some(Play::CloseWithin(bytes)) = self.plays.front() else { return None };
        let bytes = shaken.then_some(*bytes)?;
        self.plays.pop_front();
        Some(bytes)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Double {
    /// Takes everything, until told otherwise.
    pub fn start() -> io::Result<Self> {
        Self::listen("127.0.0.1:0", Shared::default())
    }

    /// The same with `compression-type = deflate`.
    pub fn start_deflating() -> io::Result<Self> {
        Self::listen("127.0.0.1:0", Shared { deflate: true, ..Shared::default() })
    }

    /// One at an address that was used before, after [`Double::end`].
    pub fn start_at(address: &str) -> io::Result<Self> {
        Self::listen(address, Shared::default())
    }

    fn listen(address: &str, shared: Shared) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(shared);
        let thread = std::thread::Builder::new().name("flume-double".into()).spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        })?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What becomes of the next batches, one each; then it goes on as usual.
    pub fn play(&self, plays: impl IntoIterator<Item = Play>) {
        self.shared.state().plays.extend(plays);
    }

    /// What becomes of every other batch.
    pub fn usually(&self, play: Play) {
        self.shared.state().usual = Some(play);
    }

    /// What becomes of handshakes from now on.
    pub fn shake(&self, shake: Shake) {
        self.shared.state().shake = shake;
    }

    /// FAILED for batches of more events: `transactionCapacity`.
    pub fn limit(&self, events: usize) {
        self.shared.state().most = Some(events);
    }

    /// Everything that was kept, in the order it came.
    pub fn stored(&self) -> Vec<Stored> {
        self.shared.state().stored.clone()
    }

    /// How many events each batch had that was asked for, kept or not.
    pub fn asked(&self) -> Vec<usize> {
        self.shared.state().asked.clone()
    }

    /// Pings on connections that were shaken.
    pub fn pings(&self) -> usize {
        self.shared.state().pings
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Closes every connection; new ones are welcome.
    pub fn hang_up(&self) {
        for socket in self.shared.state().sockets.drain(..) {
            // it may be closed already
            drop(socket.shutdown(Shutdown::Both));
        }
    }

    /// Ends it; nobody listens at its address any more.
    pub fn end(self) -> String {
        self.address()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_all();
        self.hang_up();
        // wakes it
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    std::thread::scope(|scope| {
        while let Ok((socket, _)) = listener.accept() {
            let mut state = shared.state();
            if state.stopped {
                break;
            }
            state.connections += 1;
            state.sockets.extend(socket.try_clone());
            drop(state);
            scope.spawn(move || {
                drop(serve(&socket, shared));
                drop(socket.shutdown(Shutdown::Both));
            });
        }
    });
}

fn serve(socket: &TcpStream, shared: &Shared) -> io::Result<()> {
    socket.set_nodelay(true)?;
    if shared.deflate {
        let from = Inflated {
            socket: socket.try_clone()?,
            unpack: Decompress::new(true),
            ready: VecDeque::new(),
        };
        let to = ZlibEncoder::new(socket.try_clone()?, flate2::Compression::new(6));
        talk(from, to, shared)
    } else {
        talk(socket.try_clone()?, socket.try_clone()?, shared)
    }
}

/// flate2's own reader waits for more input while there is output: that is no reader for a dialogue.
struct Inflated {
    socket: TcpStream,
    unpack: Decompress,
    ready: VecDeque<u8>,
}

impl Read for Inflated {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            let mut packed = [0; 16 << 10];
            let read = self.socket.read(&mut packed)?;
            if read == 0 {
                return Ok(0);
            }
            let mut plain = Vec::new();
            inflate(&mut self.unpack, &packed[..read], &mut plain, 64 << 20)?;
            self.ready.extend(plain);
        }
        self.ready.read(buf)
    }
}

fn talk(mut from: impl Read, mut to: impl Write, shared: &Shared) -> io::Result<()> {
    let mut shaken = false;
    loop {
        let Some(serial) = read_serial(&mut from)? else { return Ok(()) };
        let within = shared.state().closes_within(shaken);
        if let Some(bytes) = within {
            return from.read_exact(&mut vec![0; bytes]);
        }
        let payload = read_payload(&mut from)?;
        let mut reader = Reader::new(&payload);
        let mut buffers = Vec::new();
        if !shaken {
            let played = shake(&mut reader, &shared.state().shake).map_err(invalid)?;
            match played {
                Shaken::Answer(answer) => buffers.push(answer),
                Shaken::Last(bytes) => return send(&mut to, &bytes),
                Shaken::LastAnswer(last) => {
                    let last: Vec<&[u8]> = last.iter().map(Vec::as_slice).collect();
                    send(&mut to, &framed(serial, &last))?;
                    continue;
                }
                Shaken::Silence => return wait(shared),
            }
        } else {
            buffers.push(Vec::new());
        }
        let first = !std::mem::replace(&mut shaken, true);
        let serial = match call(&mut reader, shared).map_err(invalid)? {
            Done::Ping => {
                shared.state().pings += usize::from(!first);
                serial
            }
            Done::Answer(answer) => {
                buffers.extend([vec![0], answer]);
                serial
            }
            Done::Other(answer) => {
                buffers.extend([vec![0], answer]);
                serial.wrapping_add(7)
            }
            Done::Last(bytes) => return send(&mut to, &bytes),
            Done::Silence => return wait(shared),
        };
        let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
        send(&mut to, &framed(serial, &buffers))?;
    }
}

fn send(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

fn wait(shared: &Shared) -> io::Result<()> {
    let mut state = shared.state();
    while !state.stopped {
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    Ok(())
}

fn invalid(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

enum Shaken {
    Answer(Vec<u8>),
    LastAnswer(Vec<Vec<u8>>),
    Last(Vec<u8>),
    Silence,
}

fn shake(reader: &mut Reader<'_>, shake: &Shake) -> Result<Shaken, Malformed> {
    super::shaken(reader)?;
    let with_text = |first: u8| {
        let mut out = vec![first, 2];
        put_bytes(&mut out, b"{\"protocol\":\"Another\"}");
        out.push(2);
        out.extend(SERVER_HASH);
        out.push(0);
        out
    };
    Ok(match shake {
        Shake::Both => Shaken::Answer(vec![0; 4]),
        Shake::Client => Shaken::Answer(with_text(2)),
        Shake::None => Shaken::LastAnswer(vec![with_text(4)]),
        Shake::Error(said) => Shaken::LastAnswer(vec![Vec::new(), vec![0], exception(said)]),
        Shake::Silence => Shaken::Silence,
        Shake::Close => Shaken::Last(Vec::new()),
        Shake::Garble(bytes) => Shaken::Last(bytes.clone()),
    })
}

fn exception(said: &str) -> Vec<u8> {
    let mut out = vec![1, 0];
    put_bytes(&mut out, said.as_bytes());
    out
}

enum Done {
    Ping,
    Answer(Vec<u8>),
    /// To another request.
    Other(Vec<u8>),
    Last(Vec<u8>),
    Silence,
}

fn call(reader: &mut Reader<'_>, shared: &Shared) -> Result<Done, Malformed> {
    reader.skip_map()?;
    let name = reader.bytes(64)?;
    if name.is_empty() {
        return Ok(Done::Ping);
    }
    if name != b"appendBatch" {
        let name = String::from_utf8_lossy(name);
        return Ok(Done::Answer(exception(&format!("No such remote message: {name}"))));
    }
    let events = events(reader)?;
    let mut state = shared.state();
    state.asked.push(events.len());
    if state.most.is_some_and(|most| events.len() > most) {
        return Ok(Done::Answer(vec![0, 2]));
    }
    let usual = state.usual.clone().unwrap_or(Play::Take);
    let play = state.plays.pop_front().unwrap_or(usual);
    if matches!(play, Play::Take | Play::TakeAndClose) {
        state.stored.extend(events);
    }
    Ok(match play {
        Play::Take => Done::Answer(vec![0, 0]),
        Play::Fail => Done::Answer(vec![0, 2]),
        Play::Unknown => Done::Answer(vec![0, 4]),
        Play::Error(said) => Done::Answer(exception(&said)),
        Play::Silence => Done::Silence,
        Play::TakeAndClose | Play::Close | Play::CloseWithin(_) => Done::Last(Vec::new()),
        Play::Serial => Done::Other(vec![0, 0]),
        Play::Garble(bytes) => Done::Last(bytes),
    })
}

fn events(reader: &mut Reader<'_>) -> Result<Vec<Stored>, Malformed> {
    let mut events = Vec::new();
    loop {
        let many = reader.block()?;
        if many == 0 {
            return Ok(events);
        }
        for _ in 0..many {
            let event = Event::read(reader)?;
            let headers = event.headers().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            events.push(Stored { headers, body: event.body.to_vec() });
        }
    }
}
