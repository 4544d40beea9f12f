//! A peer that answers as it is told: with every answer a Flume can give, with none, or with what no Flume would.

use super::talk::talk;
use crate::ship::flume::stream::inflate;
use flate2::Decompress;
use flate2::write::ZlibEncoder;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
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
pub(super) struct Shared {
    pub(super) deflate: bool,
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) stopped: bool,
    pub(super) plays: VecDeque<Play>,
    pub(super) usual: Option<Play>,
    pub(super) shake: Shake,
    pub(super) most: Option<usize>,
    pub(super) stored: Vec<Stored>,
    pub(super) asked: Vec<usize>,
    pub(super) pings: usize,
    pub(super) sockets: Vec<TcpStream>,
    pub(super) connections: usize,
}

impl State {
    /// After how many bytes this request is to end.
    pub(super) fn closes_within(&mut self, shaken: bool) -> Option<usize> {
        let Some(Play::CloseWithin(bytes)) = self.plays.front() else { return None };
        let bytes = shaken.then_some(*bytes)?;
        self.plays.pop_front();
        Some(bytes)
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
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
