//! From a URL to a connection that takes requests.

use super::connection::Line;
use super::{Error, Options, Url};
use crate::tls;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Bytes both ways.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection that takes requests. Bound it in time.
pub(super) async fn dial(url: &Url, options: &Options) -> Result<Line, Error> {
    Line::over(connect(url, options).await?, url).await
}

/// Connects, with TLS if the URL says so. Bound it in time.
pub(super) async fn connect(url: &Url, options: &Options) -> Result<Box<dyn Wire>, Error> {
    let unreachable = |cause| Error::Connect { url: url.to_string(), cause };
    if let Some(socket) = url.socket() {
        return Ok(Box::new(UnixStream::connect(socket).await.map_err(unreachable)?));
    }
    let stream = TcpStream::connect((url.host(), url.port())).await.map_err(unreachable)?;
    // a request goes out at once; a socket that cannot is broken, which the next write tells
    drop(stream.set_nodelay(true));
    if !url.tls() {
        return Ok(Box::new(stream));
    }
    let untrusted =
        |cause| Error::Tls { url: url.to_string(), cause, ca_setting: options.ca_setting };
    let client = match &options.tls {
        Some(client) => client.clone(),
        None => tls::Client::system().map_err(|e| untrusted(io::Error::other(e)))?,
    };
    Ok(Box::new(client.connect(url.host(), stream).await.map_err(untrusted)?))
}
