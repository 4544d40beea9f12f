//! The far end of the wire. A recorder takes what is sent exactly as carbon would and keeps every line, also those that Graphite would
//! hide behind each other (two points in one slot). A gate stands before a real carbon and can break off or be closed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// One point as it came.
#[derive(Debug, Clone)]
pub struct Line {
    pub path: String,
    pub value: f64,
    pub timestamp: u64,
}

/// What a gate does with a connection.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Passes it on to this carbon, and its end back.
    Pass(String),
    /// Reads so many bytes, then closes.
    CloseAfter(usize),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener with a thread per connection, until dropped.
#[derive(Debug)]
struct Server {
    address: String,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(
        address: &str,
        serve: impl Fn(TcpStream, &AtomicBool) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?.to_string();
        let over = Arc::new(AtomicBool::new(false));
        let (end, serve) = (Arc::clone(&over), Arc::new(serve));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let (end, serve) = (Arc::clone(&end), Arc::clone(&serve));
                std::thread::spawn(move || {
                    // reads wake up now and then, to see whether the server is over
                    let timeout = Some(Duration::from_millis(50));
                    let served = stream
                        .set_nonblocking(false)
                        .and_then(|()| stream.set_read_timeout(timeout))
                        .and_then(|()| serve(stream, &end));
                    drop(served); // a broken connection is what these servers are for
                });
            }
        });
        Ok(Self { address, over, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Reads up to `most` bytes, handing on each piece, until the end; an error if the server is over before.
fn read(
    from: &mut TcpStream,
    most: usize,
    over: &AtomicBool,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let (mut left, mut buffer) = (most, vec![0; 64 << 10]);
    while left > 0 {
        let room = left.min(buffer.len());
        match from.read(&mut buffer[..room]) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                left -= n;
                take(&buffer[..n])?;
            }
            Err(e)
                if e.kind() == std::io::ErrorKind::WouldBlock && !over.load(Ordering::Relaxed) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Takes plaintext and keeps it.
#[derive(Debug)]
pub struct Recorder {
    server: Server,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Recorder {
    /// Keeps the points of paths for which `keep` says so.
    pub fn start(keep: impl Fn(&str) -> bool + Send + Sync + 'static) -> std::io::Result<Self> {
        Self::start_at("127.0.0.1:0", keep)
    }

    /// At an address.
    pub fn start_at(
        address: &str,
        keep: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let server = Server::start(address, move |mut stream, over| {
            let mut text = Vec::new();
            read(&mut stream, usize::MAX, over, |piece| text.write_all(piece))?;
            let text = String::from_utf8_lossy(&text);
            lock(&kept).extend(text.lines().filter_map(|line| parse(line, &keep)));
            Ok(())
        })?;
        Ok(Self { server, lines })
    }

    pub fn address(&self) -> &str {
        &self.server.address
    }

    /// All points of paths that end like this, as they came.
    pub fn lines(&self, ending: &str) -> Vec<Line> {
        lock(&self.lines).iter().filter(|line| line.path.ends_with(ending)).cloned().collect()
    }
}

fn parse(line: &str, keep: impl Fn(&str) -> bool) -> Option<Line> {
    let mut words = line.split(' ');
    let path = words.next().filter(|path| keep(path))?;
    let mut word = || words.next().unwrap_or_else(|| panic!("no carbon line: {line:?}"));
    let value = word().parse().unwrap_or_else(|e| panic!("{line:?}: {e}"));
    let timestamp = word().parse().unwrap_or_else(|e| panic!("{line:?}: {e}"));
    Some(Line { path: path.to_owned(), value, timestamp })
}

/// Stands before a carbon.
#[derive(Debug)]
pub struct Gate {
    _server: Server,
    manner: Arc<Mutex<Manner>>,
}

impl Gate {
    /// Opens at an address.
    pub fn open(address: &str, manner: Manner) -> std::io::Result<Self> {
        let manner = Arc::new(Mutex::new(manner));
        let current = Arc::clone(&manner);
        let server = Server::start(address, move |mut stream, over| {
            let manner = lock(&current).clone();
            match manner {
                Manner::CloseAfter(bytes) => read(&mut stream, bytes, over, |_| Ok(())),
                Manner::Pass(to) => pass(stream, &to, over),
            }
        })?;
        Ok(Self { _server: server, manner })
    }

    /// What it does with connections from now on.
    pub fn set(&self, manner: Manner) {
        *lock(&self.manner) = manner;
    }
}

fn pass(mut from: TcpStream, to: &str, over: &AtomicBool) -> std::io::Result<()> {
    let mut carbon = TcpStream::connect(to)?;
    read(&mut from, usize::MAX, over, |piece| carbon.write_all(piece))?;
    carbon.shutdown(Shutdown::Write)?;
    carbon.set_read_timeout(Some(Duration::from_millis(50)))?;
    read(&mut carbon, usize::MAX, over, |_| Ok(()))
}
