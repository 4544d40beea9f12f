//! One TCP connection to a carbon: opened, written, half-closed, and the end of it read as the acknowledgement.
//!
//! Every call has a time-out. Carbon never sends a byte, so one that comes is a failure: the port is something else's.

use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;

/// Why a chunk was not acknowledged. Texts are completed by the destination's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No connection.
    #[error("cannot connect: {0}; is carbon running there, is the port right?")]
    Connect(io::Error),
    /// The connection ended before all was sent and acknowledged.
    #[error("the connection ended before the acknowledgement: {0}")]
    Ended(io::Error),
    /// It took no bytes any more.
    #[error("took no more bytes for {0:?}; is carbon overloaded or stopped?")]
    Stalled(Duration),
    /// All was sent, and no end came.
    #[error("no acknowledgement within {0:?}; is carbon overloaded or stopped?")]
    Unacknowledged(Duration),
    /// It sent something.
    #[error("it sent bytes, which carbon never does; is the port right?")]
    Talks,
    /// Nothing could be read from the spool; the destination is not to blame.
    #[error("cannot read the spool: {0}")]
    Spool(io::Error),
}

impl Failure {
    /// Whether the far side gave up a connection it had: carbon may have ended, and lost what it acknowledged last.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// Connects to `host:port`, trying its addresses in turn, each for at most `limit`.
pub(super) async fn connect(destination: &str, limit: Duration) -> Result<TcpStream, Failure> {
    let late = || {
        Failure::Connect(io::Error::new(ErrorKind::TimedOut, format!("no answer within {limit:?}")))
    };
    let found = timeout(limit, lookup_host(destination)).await.map_err(|_| late())?;
    let mut failure =
        Failure::Connect(io::Error::new(ErrorKind::NotFound, "the name has no address"));
    for address in found.map_err(Failure::Connect)?.take(ADDRESSES) {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                watch_over(&stream);
                return Ok(stream);
            }
            Ok(Err(e)) => failure = Failure::Connect(e),
            Err(_) => failure = late(),
        }
    }
    Err(failure)
}

/// A host that lost its power sends no FIN: the kernel asks now and then whether it is still there. Where that cannot be set, such
/// an end is noticed by the next delivery.
fn watch_over(stream: &TcpStream) {
    use rustix::net::sockopt;
    let second = Duration::from_secs(1);
    let set = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, 10 * second))
        .and_then(|()| sockopt::set_tcp_keepintvl(stream, 5 * second))
        .and_then(|()| sockopt::set_tcp_keepcnt(stream, 3));
    if let Err(e) = set {
        tracing::debug!("keep-alive: {e}");
    }
}

/// Whether something that behaves like a carbon answers: an empty batch is acknowledged within `limit`.
pub(super) async fn answers(destination: &str, limit: Duration) -> bool {
    let empty = async {
        let mut stream = connect(destination, limit).await?;
        finish(&mut stream, limit).await
    };
    matches!(timeout(limit, empty).await, Ok(Ok(())))
}

/// What a connection that should be silent has to say, without waiting.
pub(super) fn check(stream: &TcpStream) -> Result<(), Failure> {
    match stream.try_read(&mut [0; 64]) {
        Ok(0) => Err(Failure::Ended(ErrorKind::UnexpectedEof.into())),
        Ok(_) => Err(Failure::Talks),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(e) => Err(Failure::Ended(e)),
    }
}

/// Returns when an idle connection ends.
pub(super) async fn end_of(stream: &TcpStream) -> Failure {
    loop {
        if let Err(e) = stream.readable().await {
            return Failure::Ended(e);
        }
        if let Err(failure) = check(stream) {
            return failure;
        }
    }
}

/// Writes all bytes, each call within `limit`, unless the far side has ended the connection.
pub(super) async fn send(
    stream: &mut TcpStream,
    bytes: &[u8],
    limit: Duration,
) -> Result<(), Failure> {
    check(stream)?;
    match timeout(limit, stream.write_all(bytes)).await {
        Ok(written) => written.map_err(Failure::Ended),
        Err(_) => Err(Failure::Stalled(limit)),
    }
}

/// Half-closes, and waits for the far side to close: carbon does so once it has parsed everything.
pub(super) async fn finish(stream: &mut TcpStream, limit: Duration) -> Result<(), Failure> {
    check(stream)?;
    stream.shutdown().await.map_err(Failure::Ended)?;
    match timeout(limit, stream.read(&mut [0; 64])).await {
        Ok(Ok(0)) => Ok(()),
        Ok(Ok(_)) => Err(Failure::Talks),
        Ok(Err(e)) => Err(Failure::Ended(e)),
        Err(_) => Err(Failure::Unacknowledged(limit)),
    }
}
