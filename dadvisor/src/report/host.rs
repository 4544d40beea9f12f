//! What does not change about this host.

use crate::kernel::Roots;
use common::api_types::NodeFacts;

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
}
