//! The address by which others reach this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses of documentation (RFC 5737, RFC 3849): the way to them is the way out. Nothing is ever sent there.
const OUT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// How an agent's HTTP side is reached, for its report.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it speaks TLS there.
    pub tls: bool,
    /// The centre's host, for the way to it; None if it goes by a name.
    pub toward: Option<IpAddr>,
}

impl Door {
    /// The address that this host uses on its way to the centre, else on its way out; none without a network. A centre on this very host
    /// says nothing about what others can use.
    pub fn own_address(&self) -> Option<IpAddr> {
        let toward = self.toward.filter(|ip| !ip.is_loopback());
        toward.into_iter().chain(OUT).find_map(|target| {
            let any: IpAddr = match target {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let socket = UdpSocket::bind((any, 0)).ok()?;
            // connecting a datagram socket only looks up the route
            socket.connect((target, 9)).ok()?;
            let own = socket.local_addr().ok()?.ip();
            (!own.is_unspecified() && !own.is_loopback()).then_some(own)
        })
    }

    /// What others call it, on the host of this address.
    pub fn reached(&self, own: Option<IpAddr>) -> String {
        match own {
            Some(ip) if self.listen.ip().is_unspecified() => {
                SocketAddr::new(ip, self.listen.port()).to_string()
            }
            _ => self.listen.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_others_can_use() {
        for toward in [None, Some(Ipv4Addr::LOCALHOST.into())] {
            let door = Door { listen: ([127, 0, 0, 1], 1).into(), tls: false, toward };
            assert!(door.own_address().is_none_or(|ip| !ip.is_loopback() && !ip.is_unspecified()));
        }
    }

    #[test]
    fn an_unspecified_listener_is_reached_at_the_hosts_own_address() {
        let own = Some(IpAddr::from([10, 0, 0, 7]));
        let reached = |listen: &str, own| {
            Door { listen: listen.parse().unwrap(), tls: false, toward: None }.reached(own)
        };
        assert_eq!(reached("0.0.0.0:7002", own), "10.0.0.7:7002");
        assert_eq!(reached("[::]:7002", own), "10.0.0.7:7002");
        assert_eq!(reached("127.0.0.1:7002", own), "127.0.0.1:7002");
        assert_eq!(reached("0.0.0.0:7002", None), "0.0.0.0:7002");
    }
}
