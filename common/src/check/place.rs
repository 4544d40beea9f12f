//! What the process itself needs: a place to write, an address, rights.

use super::{Finding, Severity, finding};
use crate::config::Node;
use crate::http::{Options, Url, get};
use crate::serve::reachable;
use crate::tls;
use rustix::fs::{Access, access, statvfs};
use std::io::ErrorKind;
use std::net::SocketAddr;
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

/// Whether the address is free, or this daemon already has it: it shows `<family>_build_info` in `/metrics`.
pub async fn listen(address: SocketAddr, node: &Node, daemon: &str, family: &str) -> Finding {
    let why = match TcpListener::bind(address).await {
        Ok(_) => return finding(Severity::Fine, "listen", format!("{address} is free")),
        Err(e) => e,
    };
    if why.kind() == ErrorKind::AddrInUse {
        if let Some(version) = running(address, node, family).await {
            let text = format!("{address}: {daemon} {version} runs there");
            return finding(Severity::Fine, "listen", text);
        }
    }
    let text = format!("{address}: {why}; free it, or set [{daemon}] listen");
    finding(Severity::Bad, "listen", text)
}

/// Most bytes of the answer.
const METRICS_MOST: usize = 32 << 20;

/// The version of the daemon that answers there.
async fn running(listen: SocketAddr, node: &Node, family: &str) -> Option<String> {
    // over loopback, by no name its certificate has: it is known by the certificate itself
    let tls = node.tls.as_ref().map(|files| tls::Client::pinned(&files.cert)).transpose().ok()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{}/metrics", reachable(listen))).ok()?;
    let timeout = Duration::from_secs(2);
    let options = Options { timeout, max_body: METRICS_MOST, tls, ..Options::default() };
    let answer = get(&url, &options).await.ok()?;
    version(&String::from_utf8_lossy(&answer.body), family)
}

fn version(metrics: &str, family: &str) -> Option<String> {
    let head = format!("{family}_build_info{{version=\"");
    let rest = metrics.lines().find_map(|line| line.strip_prefix(&head))?;
    Some(rest.split('"').next()?.chars().take(40).collect())
}

/// Whether the certificate is one; None without.
pub fn certificate(node: &Node) -> Option<Finding> {
    let files = node.tls.as_ref()?;
    Some(match tls::Server::load(&files.cert, &files.key) {
        Ok(_) => finding(Severity::Fine, "tls", files.cert.display().to_string()),
        Err(e) => finding(Severity::Bad, "tls", format!("{e}; correct [node] cert and key")),
    })
}

/// Which of these capabilities this process has: each with its bit, its name, and what is missing without it.
pub fn rights(used: &[(u32, &str, &str)]) -> Vec<Finding> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some(effective) = effective(&status) else {
        return vec![finding(Severity::Less, "rights", "/proc/self/status does not tell them")];
    };
    let missing: Vec<_> = used.iter().filter(|(bit, ..)| effective >> bit & 1 == 0).collect();
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
    use super::super::tests::node;
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
    fn a_daemon_is_known_by_its_build() {
        let text = "# TYPE x gauge\nx_build_info{version=\"1.2\"} 1\n";
        assert_eq!(version(text, "x").as_deref(), Some("1.2"));
        assert_eq!(version(text, "y"), None);
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
        let found = listen(address, &node(""), "dadvisor", "dadvisor").await;
        assert!(found.severity == Severity::Bad && found.text.contains("in use"), "{}", found.text);
        foreign.abort();
        assert!(foreign.await.unwrap_err().is_cancelled());
        let found = listen(address, &node(""), "dadvisor", "dadvisor").await;
        assert_eq!(found.severity, Severity::Fine);
    }
}
