//! A TCP sink of plain lines, for shippers that send them so: counts, and shows each line to whoever wants to see it.

use anyhow::Result;
use e2e::logs::arrived::{Arrived, Eye};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// Read at once.
const BLOCK: usize = 256 << 10;

/// Takes lines at `address` (port 0 for any) until the process ends or [`Arrived::close`]; the answer is where it listens.
pub fn listen(address: SocketAddr, arrived: &Arc<Arrived>, eye: Option<Eye>) -> Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    arrived.serve(listener, eye, take);
    Ok(address)
}

fn take(mut stream: TcpStream, arrived: &Arrived, eye: Option<&Eye>) -> Result<()> {
    let mut block = vec![0; BLOCK];
    // the beginning of a line whose end has not come yet; kept only for an eye
    let mut rest = Vec::new();
    loop {
        let read = stream.read(&mut block)?;
        if read == 0 {
            return Ok(());
        }
        let bytes = &block[..read];
        let mut lines = 0;
        let mut at = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            if let Some(eye) = eye {
                if rest.is_empty() {
                    eye.see(&bytes[at..end]);
                } else {
                    rest.extend_from_slice(&bytes[at..end]);
                    eye.see(&rest);
                    rest.clear();
                }
            }
            at = end + 1;
            lines += 1;
        }
        if eye.is_some() {
            rest.extend_from_slice(&bytes[at..]);
        }
        arrived.count(lines);
    }
}
