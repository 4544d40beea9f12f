//! What this process itself takes, from `/proc/self`. Reading it is quick and never fails: what cannot be read is absent.

/// Resident memory and CPU time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Own {
    /// Bytes; None if it could not be read.
    pub resident: Option<u64>,
    /// Milliseconds of CPU, user and system.
    pub cpu_ms: Option<u64>,
}

impl Own {
    /// Reads it now.
    pub fn read() -> Self {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            resident: resident(&text("/proc/self/status")),
            cpu_ms: cpu_ms(&text("/proc/self/stat")),
        }
    }
}

/// `VmRSS:     12345 kB` of `/proc/PID/status`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Fields 14 and 15 of `/proc/PID/stat`, in ticks of 10 ms; the name before them may hold anything, blanks and brackets too.
fn cpu_ms(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)?.checked_mul(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t   20 kB\n"), Some(20_480));
        assert_eq!(resident("Name:\tx\n"), None);
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3";
        assert_eq!(cpu_ms(stat), Some(2_000));
        assert_eq!(cpu_ms("7 (a"), None);
        let own = Own::read();
        assert!(own.resident > Some(0) && own.cpu_ms.is_some());
    }
}
