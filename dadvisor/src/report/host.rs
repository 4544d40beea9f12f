//! What does not change about this host, and the address by which others reach it.

use crate::kernel::Roots;
use common::api_types::NodeFacts;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Addresses of documentation (RFC 5737, RFC 3849): the way to them is the way out. Nothing is ever sent there.
const OUT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// Processors, memory and kernel; what cannot be read is left at nothing.
pub fn here(roots: &Roots) -> NodeFacts {
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    NodeFacts {
        cpus: cpus(&text(roots.sys.join("devices/system/cpu/online"))),
        memory_bytes: memory(&text(roots.proc.join("meminfo"))),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        docker: String::new(),
        address: String::new(),
    }
}

/// The address that this host uses on its way to the centre, else on its way out; none without a network. A centre on this very host
/// says nothing about what others can use.
pub fn address(toward: Option<IpAddr>) -> Option<IpAddr> {
    let toward = toward.filter(|ip| !ip.is_loopback());
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

/// How many are in `0-3,8,10-11`.
fn cpus(list: &str) -> u32 {
    let one = |range: &str| -> Option<u32> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.trim().split(',').filter_map(one).fold(0, u32::saturating_add)
}

/// `MemTotal:  16303428 kB`, in bytes.
fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read() {
        assert_eq!(cpus("0-3,8,10-11\n"), 7);
        assert_eq!(cpus("3-1,x,"), 0);
        assert_eq!(memory("A: 1 kB\nMemTotal:       16 kB\n"), 16 << 10);
        assert_eq!(memory(""), 0);
        let roots =
            Roots { cgroup: "/sys/fs/cgroup".into(), proc: "/proc".into(), sys: "/sys".into() };
        let host = here(&roots);
        assert!(host.cpus > 0 && host.memory_bytes > 0 && !host.kernel.is_empty(), "{host:?}");
    }

    #[test]
    fn an_address_is_one_that_others_can_use() {
        for toward in [None, Some(Ipv4Addr::LOCALHOST.into())] {
            assert!(address(toward).is_none_or(|ip| !ip.is_loopback() && !ip.is_unspecified()));
        }
    }
}
