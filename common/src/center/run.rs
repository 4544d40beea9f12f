//! The name of a process, by which the centre tells two agents apart that claim to be one.

use crate::api_types::digest::hex;
use crate::backoff::random;
use crate::moment::Moment;
use sha2::{Digest as _, Sha256};
use std::fs;

/// `<host>.<start in Unix ms>.<random>`: greater starts are younger; host is a hash of the machine id, which itself is not to be shown
/// (machine-id(5)), else of the hostname.
pub fn run_id() -> String {
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find(|id| !id.trim().is_empty())
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    let host = hex(&Sha256::digest(format!("qae {}", machine.trim()).as_bytes())[..8]);
    format!("{host}.{}.{:08x}", Moment::now().unix_ms(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_a_host_differ_after_its_name() {
        let (a, b) = (run_id(), run_id());
        assert_ne!(a, b);
        let parts: Vec<&str> = a.split('.').collect();
        assert_eq!((parts.len(), parts[0]), (3, b.split('.').next().unwrap()));
        assert!(parts[1].parse::<u64>().unwrap() > 1_600_000_000_000);
    }
}
