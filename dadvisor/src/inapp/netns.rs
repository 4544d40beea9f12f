//! Sockets inside a container's network namespace.
//!
//! A socket belongs to the namespace it was *made* in, for good. So one OS thread does nothing but: open `/proc/PID/ns/net`, enter it,
//! make two unconnected sockets (IPv4, IPv6), go home, close the namespace. It never waits for anything inside a container; connecting
//! and talking is the async side's, from home. Nothing of a namespace is kept but the sockets, which end with the scrape.
//!
//! A process id used again is not mistaken for the container ([`Process`]). A thread that cannot go home ends, and the next request starts another:
//! a new thread inherits the namespace of the thread that starts it, which is never this one.

use crate::kernel::process::Process;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// Requests that may wait for the thread; each takes it microseconds.
const QUEUE: usize = 64;

/// The thread's stack: it keeps two descriptors and a page of text.
const STACK: usize = 64 << 10;

/// Makes connections inside network namespaces.
#[derive(Debug)]
pub(super) struct Namespaces {
    proc: PathBuf,
    thread: Mutex<Option<SyncSender<Request>>>,
    started: AtomicU64,
}

/// Sockets made inside, not connected yet. A kernel may lack one of the families.
struct Sockets {
    v4: std::io::Result<OwnedFd>,
    v6: std::io::Result<OwnedFd>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// The process has ended, or the id is another container's process now.
    Gone,
    /// No right to enter.
    Denied(std::io::Error),
    /// Anything else on the way in.
    Enter(std::io::Error),
    /// No thread to do it.
    Thread(std::io::Error),
    /// Inside, and nothing answers there.
    Connect(std::io::Error),
}

struct Request {
    wanted: Wanted,
    reply: oneshot::Sender<Result<Sockets, Failure>>,
}

/// Whose namespace.
#[derive(Debug)]
struct Wanted {
    pid: u32,
    id: Option<String>,
}

impl Namespaces {
    /// Nothing is started until the first connection. `proc` is where the host's `/proc` is.
    pub fn new(proc: PathBuf) -> Self {
        Self { proc, thread: Mutex::new(None), started: AtomicU64::new(0) }
    }

    /// Threads started so far; more than one means that a namespace could not be left.
    pub fn threads_started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Connects to a port on the loopback of the namespace of process `pid`: 127.0.0.1, then `[::1]`. If `id` is given, the process
    /// must be in a cgroup of that name.
    pub async fn connect(
        &self,
        pid: u32,
        id: Option<&str>,
        port: u16,
    ) -> Result<TcpStream, Failure> {
        let (reply, answer) = oneshot::channel();
        let wanted = Wanted { pid, id: id.map(str::to_owned) };
        self.send(Request { wanted, reply }).map_err(Failure::Thread)?;
        let ended = |_| Failure::Thread(std::io::Error::other("it ended"));
        let Sockets { v4, v6 } = answer.await.map_err(ended)??;
        let v4_failed = match connect(v4, (Ipv4Addr::LOCALHOST, port).into()).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        // the first address is the usual one: its error is the one to tell
        connect(v6, (Ipv6Addr::LOCALHOST, port).into())
            .await
            .map_err(|_| Failure::Connect(v4_failed))
    }

    fn send(&self, request: Request) -> std::io::Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let request = match &*thread {
            None => request,
            Some(queue) => match queue.try_send(request) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(std::io::Error::other("it is busy")),
                Err(TrySendError::Disconnected(request)) => request,
            },
        };
        let (queue, requests) = sync_channel(QUEUE);
        std::thread::Builder::new().name("netns".to_owned()).stack_size(STACK).spawn({
            let proc = self.proc.clone();
            move || serve(&proc, &requests)
        })?;
        self.started.fetch_add(1, Ordering::Relaxed);
        queue.try_send(request).map_err(|_| std::io::Error::other("it ended at once"))?;
        *thread = Some(queue);
        Ok(())
    }
}

async fn connect(socket: std::io::Result<OwnedFd>, to: SocketAddr) -> std::io::Result<TcpStream> {
    TcpSocket::from_std_stream(socket?.into()).connect(to).await
}

/// The thread: one request after the other, until nobody asks any more or it cannot go home.
fn serve(proc: &Path, requests: &Receiver<Request>) {
    let home = match open_namespace(CWD, "/proc/thread-self/ns/net") {
        Ok(home) => home,
        Err(error) => {
            tracing::error!(%error, "cannot open this thread's own network namespace");
            return;
        }
    };
    while let Ok(Request { wanted, reply }) = requests.recv() {
        let (answer, home_again) = enter(proc, &wanted, &home);
        // whoever asked may have run out of time; the sockets are closed then
        drop(reply.send(answer));
        if let Err(error) = home_again {
            tracing::error!(pid = wanted.pid, %error, "cannot leave a network namespace; this thread ends");
            return;
        }
    }
}

/// Makes the sockets inside, and whether the way home worked.
fn enter(
    proc: &Path,
    Wanted { pid, id }: &Wanted,
    home: &(OwnedFd, Stat),
) -> (Result<Sockets, Failure>, Result<(), Errno>) {
    let process = Process::open(proc, *pid, id.as_deref());
    let namespace = match process.and_then(|process| open_namespace(process, "ns/net")) {
        Ok(namespace) => namespace,
        Err(error) => return (Err(failure(error)), Ok(())),
    };
    let same = |a: &Stat, b: &Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
    if same(&namespace.1, &home.1) {
        // a container with the host's network
        return (Ok(sockets()), Ok(()));
    }
    match go(&namespace.0) {
        Ok(()) => {}
        Err(Errno::PERM | Errno::ACCESS) => {
            return (Err(Failure::Denied(Errno::PERM.into())), Ok(()));
        }
        Err(error) => return (Err(Failure::Enter(error.into())), Ok(())),
    }
    drop(namespace);
    let sockets = sockets();
    match go(&home.0) {
        Ok(()) => (Ok(sockets), Ok(())),
        Err(error) => (Err(Failure::Enter(error.into())), Err(error)),
    }
}

fn go(namespace: &OwnedFd) -> Result<(), Errno> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
}

fn sockets() -> Sockets {
    let make = |family| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        socket_with(family, SocketType::STREAM, flags, None).map_err(std::io::Error::from)
    };
    Sockets { v4: make(AddressFamily::INET), v6: make(AddressFamily::INET6) }
}

fn open_namespace(at: impl AsFd, path: &str) -> Result<(OwnedFd, Stat), Errno> {
    let namespace = openat(at, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&namespace)?;
    Ok((namespace, stat))
}

fn failure(error: Errno) -> Failure {
    match error {
        Errno::NOENT | Errno::SRCH => Failure::Gone,
        Errno::PERM | Errno::ACCESS => Failure::Denied(error.into()),
        error => Failure::Enter(error.into()),
    }
}
