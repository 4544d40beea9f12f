//! Bytes to and from a Flume: plain, deflated or over TLS, every call within a deadline.

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};
use rustix::net::RecvFlags;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// What is spoken beneath the frames. Compression and TLS together are left out: Flume 1.9 and 1.11 nest them in opposite order.
#[derive(Debug, Clone)]
pub enum Form {
    /// Nothing.
    Plain,
    /// `compression-type = deflate` at the source: one zlib stream in each direction.
    Deflate {
        /// 1 to 9; Flume's own is 6.
        level: u32,
    },
    /// `ssl = true` at the source.
    Tls(common::tls::Client),
}

/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;
/// Bytes read at once.
const CHUNK: usize = 16 * 1_024;

/// The connection.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Timed),
    Deflate(Box<Deflated>),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket whose every call ends at the deadline.
#[derive(Debug)]
pub(super) struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

/// A socket with a zlib stream in each direction, that lasts as long as the connection.
#[derive(Debug)]
pub(super) struct Deflated {
    timed: Timed,
    pack: ZlibEncoder<Vec<u8>>,
    unpack: Decompress,
}

impl Stream {
    /// Connects to `host:port`, trying its addresses in turn; with TLS the handshake is done when this returns.
    pub(super) fn open(host: &str, form: &Form, deadline: Instant) -> io::Result<Self> {
        let socket = connect(host, deadline)?;
        socket.set_nodelay(true)?;
        watch_over(&socket);
        let timed = Timed { socket, deadline };
        Ok(match form {
            Form::Plain => Self::Plain(timed),
            Form::Deflate { level } => Self::Deflate(Box::new(Deflated {
                timed,
                pack: ZlibEncoder::new(Vec::new(), Compression::new(*level)),
                unpack: Decompress::new(true),
            })),
            Form::Tls(client) => Self::Tls(Box::new(shake(host, client, timed)?)),
        })
    }

    /// Until when the following calls may take.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.timed().deadline = deadline;
    }

    fn timed(&mut self) -> &mut Timed {
        match self {
            Self::Plain(timed) => timed,
            Self::Deflate(deflated) => &mut deflated.timed,
            Self::Tls(tls) => &mut tls.sock,
        }
    }

    /// Sends all of it.
    pub(super) fn write(&mut self, parts: [&[u8]; 3]) -> io::Result<()> {
        match self {
            Self::Plain(timed) => write_all(timed, parts),
            Self::Deflate(deflated) => deflated.write(parts),
            Self::Tls(tls) => {
                parts.iter().try_for_each(|part| tls.write_all(part))?;
                tls.flush()
            }
        }
    }

    /// Appends what came, waiting for it; 0 at the end. What comes out of one read of a deflated stream is `most` bytes at most.
    pub(super) fn read(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let mut chunk = [0; CHUNK];
        let read = match self {
            Self::Plain(timed) => timed.read(&mut chunk)?,
            Self::Deflate(deflated) => {
                let read = deflated.timed.read(&mut chunk)?;
                inflate(&mut deflated.unpack, &chunk[..read], into, most)?;
                return Ok(read);
            }
            Self::Tls(tls) => match tls.read(&mut chunk) {
                // closed without TLS's own goodbye, as Flume does when it ends
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
                read => read?,
            },
        };
        into.extend_from_slice(&chunk[..read]);
        Ok(read)
    }

    /// Whether the far side closed it, or sent what nobody asked for.
    pub(super) fn is_stale(&mut self) -> bool {
        let over_tls = matches!(self, Self::Tls(_));
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&self.timed().socket, &mut [0_u8; 1][..], look) {
            Ok((_, 0)) => true,
            // TLS has messages of its own at any time
            Ok(_) => !over_tls,
            Err(error) => !matches!(error, rustix::io::Errno::AGAIN | rustix::io::Errno::INTR),
        }
    }
}

/// Appends what a chunk of a zlib stream unpacks to, `most` bytes in all.
pub(in crate::ship) fn inflate(
    unpack: &mut Decompress,
    mut packed: &[u8],
    into: &mut Vec<u8>,
    most: usize,
) -> io::Result<()> {
    loop {
        if into.len() >= most {
            return Err(io::Error::new(ErrorKind::InvalidData, "its answer unpacks to too much"));
        }
        into.reserve(CHUNK);
        let (before, room) = (unpack.total_in(), into.capacity() - into.len());
        let length = into.len();
        let status = unpack
            .decompress_vec(packed, into, FlushDecompress::None)
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "its answer is no zlib stream"))?;
        let used = usize::try_from(unpack.total_in() - before).unwrap_or(usize::MAX);
        packed = packed.get(used..).unwrap_or_default();
        let filled = into.len() - length == room;
        if status == Status::StreamEnd || (packed.is_empty() && !filled) {
            return Ok(());
        }
        if used == 0 && into.len() == length {
            return Err(io::Error::new(ErrorKind::InvalidData, "its zlib stream does not go on"));
        }
    }
}

impl Deflated {
    fn write(&mut self, parts: [&[u8]; 3]) -> io::Result<()> {
        parts.iter().try_for_each(|part| self.pack.write_all(part))?;
        // ends the block, else the far side waits for more
        self.pack.flush()?;
        let packed = self.pack.get_mut();
        let written = self.timed.write_all(packed);
        packed.clear();
        written
    }
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// The kernel says that it would block when a time-out of a socket is over.
fn late(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buf).map_err(late)
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write_vectored(bufs).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(to: &mut Timed, parts: [&[u8]; 3]) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut slices = &mut slices[..];
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match to.write_vectored(slices) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn connect(host: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in host.to_socket_addrs()?.take(ADDRESSES) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn shake(
    host: &str,
    client: &common::tls::Client,
    mut timed: Timed,
) -> io::Result<StreamOwned<ClientConnection, Timed>> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(|_| {
        io::Error::new(ErrorKind::InvalidInput, "the host is no name a certificate could have")
    })?;
    let mut tls =
        ClientConnection::new(client.for_other_protocols(), name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut timed)?;
    }
    Ok(StreamOwned::new(tls, timed))
}

/// A host that lost its power sends no FIN: the kernel asks now and then whether it is still there.
fn watch_over(socket: &TcpStream) {
    use rustix::net::sockopt;
    let set = sockopt::set_socket_keepalive(socket, true)
        .and_then(|()| sockopt::set_tcp_keepidle(socket, Duration::from_secs(10)))
        .and_then(|()| sockopt::set_tcp_keepintvl(socket, Duration::from_secs(5)))
        .and_then(|()| sockopt::set_tcp_keepcnt(socket, 3));
    if let Err(error) = set {
        // such an end is then noticed by the next request
        tracing::debug!("keep-alive: {error}");
    }
}
