//! What the process itself needs: a place to write, an address, rights.

use super::finding;
use crate::config::Config;
use crate::kernel::diagnose::{Finding, Severity};
use crate::top::client::Client;
use common::tls;
use rustix::fs::{Access, access, statvfs};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;

/// Whether the state directory, or the nearest one above it, takes files, and has room for the spool.
pub fn state(dir: &Path, spool_max: u64) -> Finding {
    let Some(there) = dir.ancestors().find(|d| d.exists()) else {
        return finding(Severity::Bad, "state", format!("{}: nothing there", dir.display()));
    };
    let name = if there == dir {
        dir.display().to_string()
    } else {
        format!("{} (to be made in {})", dir.display(), there.display())
    };
    if !there.is_dir() {
        let text =
            format!("{} is in the way of {}: it is no directory", there.display(), dir.display());
        return finding(Severity::Bad, "state", text);
    }
    if let Err(e) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
        let text = format!("{name}: {e}; make it writable, or set [node] state_dir");
        return finding(Severity::Bad, "state", text);
    }
    let free = statvfs(there).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize)).unwrap_or(0);
    if free < spool_max {
        let text = format!(
            "{name}: {} free, less than the spool may take ({}); make room, or lower [graphite] spool_max",
            mib(free),
            mib(spool_max)
        );
        return finding(Severity::Less, "state", text);
    }
    finding(Severity::Fine, "state", format!("{name}, {} free", mib(free)))
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Whether the address is free, or a dadvisor already has it.
pub async fn listen(config: &Config) -> Finding {
    let address = config.dadvisor.listen;
    let why = match TcpListener::bind(address).await {
        Ok(_) => return finding(Severity::Fine, "listen", format!("{address} is free")),
        Err(e) => e,
    };
    if why.kind() == ErrorKind::AddrInUse {
        if let Some(version) = running(config).await {
            let text = format!("{address}: dadvisor {version} runs there");
            return finding(Severity::Fine, "listen", text);
        }
    }
    let text = format!("{address}: {why}; free it, or set [dadvisor] listen");
    finding(Severity::Bad, "listen", text)
}

/// The version of the dadvisor that answers there.
async fn running(config: &Config) -> Option<String> {
    let client = Client::at(config.dadvisor.listen, config).ok()?;
    let asked = client.within(Duration::from_secs(2));
    let node: serde_json::Value = asked.ask("/v1/node").await.ok()?;
    node.get("pass")?;
    Some(node.get("version")?.as_str()?.chars().take(40).collect())
}

/// Whether the certificate is one; None without.
pub fn certificate(config: &Config) -> Option<Finding> {
    let files = config.node.tls.as_ref()?;
    Some(match tls::Server::load(&files.cert, &files.key) {
        Ok(_) => finding(Severity::Fine, "tls", files.cert.display().to_string()),
        Err(e) => finding(Severity::Bad, "tls", format!("{e}; correct [node] cert and key")),
    })
}

/// Capabilities used, by their bit, and what is missing without them.
const USED: [(u32, &str, &str); 3] = [
    (19, "CAP_SYS_PTRACE", "network figures of containers"),
    (21, "CAP_SYS_ADMIN", "statistics from inside containers (qae.metrics and the like)"),
    (2, "CAP_DAC_READ_SEARCH", "disk_usage of other users' directories"),
];

/// Which of them this process has.
pub fn rights() -> Vec<Finding> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some(effective) = effective(&status) else {
        return vec![finding(Severity::Less, "rights", "/proc/self/status does not tell them")];
    };
    let missing: Vec<_> = USED.iter().filter(|(bit, ..)| effective >> bit & 1 == 0).collect();
    if missing.is_empty() {
        return vec![finding(Severity::Fine, "rights", "all that are used")];
    }
    missing
        .into_iter()
        .map(|(_, name, what)| {
            finding(
                Severity::Less,
                "rights",
                format!("no {name}: no {what}; run as root or grant it"),
            )
        })
        .collect()
}

/// `CapEff` of `/proc/PID/status`.
fn effective(status: &str) -> Option<u64> {
    let hex = status.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_is_looked_for_and_weighed() {
        let dir = tempfile::tempdir().unwrap();
        let here = state(dir.path(), 1);
        assert_eq!(here.severity, Severity::Fine, "{}", here.text);
        let below = state(&dir.path().join("a/b"), 1);
        assert!(below.text.contains("(to be made in "), "{}", below.text);
        let small = state(dir.path(), u64::MAX);
        assert_eq!(small.severity, Severity::Less, "{}", small.text);
        std::fs::write(dir.path().join("file"), "").unwrap();
        let blocked = state(&dir.path().join("file/x"), 1);
        assert_eq!(blocked.severity, Severity::Bad, "{}", blocked.text);
    }

    #[test]
    fn capabilities_are_read() {
        assert_eq!(effective("Name:\tx\nCapEff:\t000001ffffffffff\n"), Some(0x1ff_ffff_ffff));
        assert_eq!(effective("CapEff:\tx\n"), None);
    }

    #[tokio::test]
    async fn an_address_in_foreign_hands_fails() {
        let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = held.local_addr().unwrap();
        let foreign = tokio::spawn(async move {
            while let Ok((socket, _)) = held.accept().await {
                drop(socket);
            }
        });
        let text = format!("[dadvisor]\nlisten = \"{address}\"\n");
        let source = common::config::Source::of(Path::new("x"), text);
        let config = Config::of(&source).unwrap().0;
        let found = listen(&config).await;
        assert!(found.severity == Severity::Bad && found.text.contains("in use"), "{}", found.text);
        foreign.abort();
        assert!(foreign.await.unwrap_err().is_cancelled());
        assert_eq!(listen(&config).await.severity, Severity::Fine);
    }
}
