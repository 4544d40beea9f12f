//! Addresses to listen on: the wanted ones, or the next free ones.

use crate::error::Error;
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// How many further ports are tried.
const FURTHER: u16 = 100;

/// A listener at the address, or at the next port that nobody has; never one in `not`.
pub async fn near(wanted: SocketAddr, not: &[SocketAddr]) -> Result<TcpListener, Error> {
    let mut address = wanted;
    for _ in 0..=FURTHER {
        if wanted.port() == 0 || !not.contains(&address) {
            match TcpListener::bind(address).await {
                Ok(listener) => return Ok(listener),
                Err(e) if e.kind() == ErrorKind::AddrInUse => {}
                Err(e) => return Err(Error::Missing(format!("cannot listen on {address}: {e}"))),
            }
        }
        let Some(next) = address.port().checked_add(1) else { break };
        address.set_port(next);
    }
    Err(Error::Missing(format!(
        "cannot listen on {wanted} nor on any of the next {FURTHER} ports: all are taken"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_free_one() {
        let held = near("127.0.0.1:0".parse().unwrap(), &[]).await.unwrap();
        let taken = held.local_addr().unwrap();
        let next = near(taken, &[]).await.unwrap().local_addr().unwrap();
        assert!(next.port() > taken.port(), "{next} {taken}");
        let other = near(next, &[next]).await.unwrap().local_addr().unwrap();
        assert!(other.port() > next.port(), "{other} {next}");
    }

    #[tokio::test]
    async fn an_address_of_another_host_is_refused() {
        let refused = near("192.0.2.1:7000".parse().unwrap(), &[]).await.unwrap_err();
        assert!(refused.to_string().contains("192.0.2.1:7000"), "{refused}");
    }
}
