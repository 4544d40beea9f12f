//! From a URL to a connection that takes requests.

use super::connection::Line;
use super::{Error, Options, Url};
use crate::tls;
use std::io;
use tokio::net::{TcpStream, UnixStream};

/// Connects, with TLS if the URL says so. Bound it in time.
pub(super) async fn dial(url: &Url, options: &Options) -> Result<Line, Error> {
    let unreachable = |cause| Error::Connect { url: url.to_string(), cause };
    if let Some(socket) = url.socket() {
        return Line::over(UnixStream::connect(socket).await.map_err(unreachable)?, url).await;
    }
    let stream = TcpStream::connect((url.host(), url.port())).await.map_err(unreachable)?;
    // a request goes out at once; a socket that cannot is broken, which the next write tells
    drop(stream.set_nodelay(true));
    if !url.tls() {
        return Line::over(stream, url).await;
    }
    let untrusted = |cause| Error::Tls { url: url.to_string(), cause };
    let client = match &options.tls {
        Some(client) => client.clone(),
        None => tls::Client::system().map_err(|e| untrusted(io::Error::other(e)))?,
    };
    let stream = client.connect(url.host(), stream).await.map_err(untrusted)?;
    Line::over(stream, url).await
}
