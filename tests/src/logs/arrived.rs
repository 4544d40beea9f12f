//! What came to a sink: counts that can be read while it comes, and an eye on every line.

use anyhow::{Result, bail};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sees every line that comes, with no LF.
#[derive(Clone)]
pub struct Eye(Arc<Mutex<See>>);

type See = dyn FnMut(&[u8]) + Send;

impl Eye {
    /// From a function.
    pub fn new(see: impl FnMut(&[u8]) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(see)))
    }

    /// Shows a line.
    pub fn see(&self, line: &[u8]) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(line);
    }
}

/// The counts of one sink.
#[derive(Default)]
pub struct Arrived {
    lines: AtomicU64,
    closed: AtomicBool,
    /// Open connections, to close them.
    streams: Mutex<Vec<TcpStream>>,
}

impl Arrived {
    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Counts what came.
    pub fn count(&self, lines: u64) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
    }

    /// Waits until so many lines came.
    pub fn wait(&self, lines: u64, within: Duration) -> Result<()> {
        let end = Instant::now() + within;
        while self.lines() < lines {
            if Instant::now() > end {
                bail!("{} lines of {lines} came within {within:?}", self.lines());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Waits until no line came for a while.
    pub fn settle(&self, quiet: Duration, within: Duration) {
        let end = Instant::now() + within;
        let (mut seen, mut since) = (self.lines(), Instant::now());
        while since.elapsed() < quiet && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
            if self.lines() != seen {
                (seen, since) = (self.lines(), Instant::now());
            }
        }
    }

    /// Takes connections, each in a thread of its own.
    pub fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        eye: Option<Eye>,
        take: fn(TcpStream, &Self, Option<&Eye>) -> Result<()>,
    ) {
        self.closed.store(false, Ordering::Relaxed);
        let arrived = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                if arrived.closed.load(Ordering::Relaxed) {
                    return;
                }
                let (arrived, eye) = (Arc::clone(&arrived), eye.clone());
                let kept = stream.try_clone();
                arrived.streams().extend(kept);
                // the end of a connection is its shipper's business
                std::thread::spawn(move || take(stream, &arrived, eye.as_ref()).ok());
            }
        });
    }

    /// Goes away: the port is closed, and so is every connection.
    pub fn close(&self, address: std::net::SocketAddr) {
        self.closed.store(true, Ordering::Relaxed);
        // wakes the thread that accepts
        TcpStream::connect(address).ok();
        for stream in self.streams().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
