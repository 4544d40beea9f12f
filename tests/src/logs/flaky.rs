//! A proxy before Flume that fails as peers do: it answers FAILED itself, breaks off in the middle of a batch, or takes a batch to Flume and
//! breaks off before the answer. Faithful to Avro's framing: a request is `serial, n, n x (length, bytes)`, one is under way at a time.

use anyhow::{Result, ensure};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Every how many requests what happens; 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Answered FAILED, Flume never sees it.
    pub failed: u64,
    /// Broken off when half of it went to Flume.
    pub half: u64,
    /// Broken off when all of it went to Flume, before the answer: it may be stored, and has to be sent again.
    pub unanswered: u64,
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests seen.
    pub requests: AtomicU64,
    /// Answered FAILED.
    pub failed: AtomicU64,
    /// Broken off in the middle.
    pub half: AtomicU64,
    /// Broken off before the answer.
    pub unanswered: AtomicU64,
}

/// The proxy; ends with this.
#[derive(Debug)]
pub struct Flaky {
    address: SocketAddr,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// No frame of a client is longer.
const LONGEST: u32 = 16 << 20;

impl Flaky {
    /// Before the Flume at `upstream`.
    pub fn start(upstream: SocketAddr, faults: Faults) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (counts, stop) = (Arc::clone(&counts), Arc::clone(&stop));
            std::thread::spawn(move || {
                for client in listener.incoming().map_while(Result::ok) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let counts = Arc::clone(&counts);
                    // an error is the end of one connection, which its client sees
                    std::thread::spawn(move || serve(client, upstream, faults, &counts).ok());
                }
            })
        };
        Ok(Self { address, counts, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happened so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Drop for Flaky {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // wakes the thread that accepts
        TcpStream::connect(self.address).ok();
        self.thread.take().map(JoinHandle::join);
    }
}

fn serve(
    mut client: TcpStream,
    upstream: SocketAddr,
    faults: Faults,
    counts: &Counts,
) -> Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let answers = {
        let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
        std::thread::spawn(move || {
            std::io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Both).ok();
        })
    };
    let broken = requests(&mut client, &mut server, faults, counts);
    server.shutdown(Shutdown::Both).ok();
    client.shutdown(Shutdown::Both).ok();
    answers.join().ok();
    broken
}

fn requests(
    client: &mut TcpStream,
    server: &mut TcpStream,
    faults: Faults,
    counts: &Counts,
) -> Result<()> {
    // the first of a connection carries the handshake: Flume has to see it
    let mut first = true;
    loop {
        let request = frame(client)?;
        let number = counts.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let hit = |every: u64| every > 0 && number % every == 0 && !first;
        if hit(faults.unanswered) {
            counts.unanswered.fetch_add(1, Ordering::Relaxed);
            // no answer passes from here on, all of the request does
            client.shutdown(Shutdown::Both)?;
            server.write_all(&request)?;
            server.shutdown(Shutdown::Write)?;
            // until Flume has read it and closes
            std::io::copy(server, &mut std::io::sink())?;
            return Ok(());
        } else if hit(faults.half) {
            counts.half.fetch_add(1, Ordering::Relaxed);
            return Ok(server.write_all(&request[..request.len() / 2])?);
        } else if hit(faults.failed) {
            counts.failed.fetch_add(1, Ordering::Relaxed);
            let mut answer = request[..4].to_vec();
            answer.extend([0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 2]);
            client.write_all(&answer)?;
        } else {
            server.write_all(&request)?;
        }
        first = false;
    }
}

/// One request as it came, an error at the end.
fn frame(client: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 8];
    client.read_exact(&mut bytes)?;
    let buffers = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    ensure!((1..=64).contains(&buffers), "a frame of {buffers} buffers");
    for _ in 0..buffers {
        let begin = bytes.len();
        bytes.resize(begin + 4, 0);
        client.read_exact(&mut bytes[begin..])?;
        let length = [bytes[begin], bytes[begin + 1], bytes[begin + 2], bytes[begin + 3]];
        let length = u32::from_be_bytes(length);
        ensure!(length <= LONGEST, "a buffer of {length} bytes");
        bytes.resize(begin + 4 + length as usize, 0);
        client.read_exact(&mut bytes[begin + 4..])?;
    }
    Ok(bytes)
}
