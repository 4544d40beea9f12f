//! Peers that fail in a chosen way, and a relay in front of a real carbon that records what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a peer does with each connection.
#[derive(Clone)]
pub enum Manner {
    /// Reads so many bytes, then closes.
    CloseAfter(usize),
    /// Says something.
    Talk,
    /// Passes everything on to this carbon, and its end back.
    Relay(String),
}

/// Bytes of one connection, with the time of the first.
pub type Passed = (Instant, Vec<u8>);

/// Listens until dropped.
pub struct Peer {
    pub address: String,
    pub passed: Arc<Mutex<Vec<Passed>>>,
    pub connections: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub fn start(address: &str, manner: Manner) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (passed, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, count, end) = (Arc::clone(&passed), Arc::clone(&connections), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                stream.set_nonblocking(false).unwrap();
                let (manner, log, end) = (manner.clone(), Arc::clone(&log), Arc::clone(&end));
                std::thread::spawn(move || serve(stream, &manner, &log, &end));
            }
        });
        Self { address, passed, connections, over, thread: Some(thread) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: TcpStream, manner: &Manner, log: &Mutex<Vec<Passed>>, over: &AtomicBool) {
    match manner {
        Manner::CloseAfter(bytes) => {
            // a sentinel never sends any; it ends with its peer
            drop(stream.read_exact(&mut vec![0; *bytes]));
        }
        Manner::Talk => drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        Manner::Relay(to) => drop(relay(stream, to, log, over)),
    }
}

fn relay(
    mut from: TcpStream,
    to: &str,
    log: &Mutex<Vec<Passed>>,
    over: &AtomicBool,
) -> std::io::Result<()> {
    let mut carbon = TcpStream::connect(to)?;
    from.set_read_timeout(Some(Duration::from_millis(50)))?;
    let (mut bytes, mut buffer, mut first) = (Vec::new(), vec![0; 64 << 10], None);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                first.get_or_insert_with(Instant::now);
                bytes.extend_from_slice(&buffer[..n]);
                carbon.write_all(&buffer[..n])?;
            }
            Err(e)
                if e.kind() == std::io::ErrorKind::WouldBlock && !over.load(Ordering::Relaxed) => {}
            Err(e) => return Err(e),
        }
    }
    carbon.shutdown(Shutdown::Write)?;
    carbon.read_to_end(&mut Vec::new())?;
    if let Some(first) = first {
        log.lock().unwrap().push((first, bytes));
    }
    Ok(())
}
