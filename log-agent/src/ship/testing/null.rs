//! A peer that takes everything and keeps nothing: what shipping costs without what it is shipped to.

use super::{framed, read_payload, read_serial};
use crate::ship::avro::Reader;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Read at once.
const BUFFER: usize = 256 * 1_024;

/// The peer, on a port of loopback of its own; ends when this goes.
#[derive(Debug)]
pub struct Null {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    batches: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Null {
    /// Listens.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let thread = std::thread::Builder::new().name("null-peer".into()).spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        })?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Batches acknowledged, events in them, bytes of their frames.
    pub fn taken(&self) -> (u64, u64, u64) {
        let shared = &self.shared;
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        (of(&shared.batches), of(&shared.events), of(&shared.bytes))
    }
}

impl Drop for Null {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for socket in self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // it may be closed already
            drop(socket.shutdown(Shutdown::Both));
        }
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
            if shared.stopped.load(Ordering::Relaxed) {
                break;
            }
            if let Ok(other) = socket.try_clone() {
                shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(other);
            }
            scope.spawn(move || drop(serve(socket, shared)));
        }
    });
}

fn serve(mut socket: TcpStream, shared: &Shared) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut from = BufReader::with_capacity(BUFFER, socket.try_clone()?);
    let Some(serial) = read_serial(&mut from)? else { return Ok(()) };
    let first = read_payload(&mut from)?;
    let mut reader = Reader::new(&first);
    if super::shaken(&mut reader).is_err() {
        return Ok(());
    }
    // a ping ends with an empty name
    let ping = reader.rest() == [0, 0];
    let buffers: &[&[u8]] = if ping { &[&[0; 4]] } else { &[&[0; 4], &[0], &[0, 0]] };
    socket.write_all(&framed(serial, buffers))?;
    loop {
        let mut head = [0; 12];
        if from.read_exact(&mut head).is_err() {
            return Ok(());
        }
        let word =
            |at: usize| i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = usize::try_from(word(8)).unwrap_or(0);
        let events = pass(&mut from, length)?;
        if events > 0 {
            shared.batches.fetch_add(1, Ordering::Relaxed);
            shared.events.fetch_add(events, Ordering::Relaxed);
        }
        shared.bytes.fetch_add((length + head.len()) as u64, Ordering::Relaxed);
        let answer = if events == 0 {
            framed(word(0), &[&[]])
        } else {
            framed(word(0), &[&[], &[0], &[0, 0]])
        };
        socket.write_all(&answer)?;
    }
}

/// Lets a payload pass; how many events it says to have.
fn pass(from: &mut impl BufRead, length: usize) -> io::Result<u64> {
    const NAME: usize = 64;
    let mut begin = vec![0; length.min(NAME)];
    from.read_exact(&mut begin)?;
    let mut left = length - begin.len();
    while left > 0 {
        let there = from.fill_buf()?.len().min(left);
        if there == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        from.consume(there);
        left -= there;
    }
    let mut reader = Reader::new(&begin);
    let events = reader.skip_map().and_then(|()| {
        let named = !reader.bytes(NAME)?.is_empty();
        if named { reader.block() } else { Ok(0) }
    });
    events.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
