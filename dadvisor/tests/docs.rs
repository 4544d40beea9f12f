//! The documentation against the code: tables of metrics against what is sent, Prometheus families against what a running daemon
//! answers, links against files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dadvisor::rate::DERIVED;
use dadvisor::sample::{DEVICE_METRICS, Field, INTERFACE_METRICS, Unit};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(30);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn doc(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What stands between a heading of the second level and the next.
fn part<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    rest.split("\n## ").next().unwrap()
}

/// Cells of the table rows that begin with a name in backquotes.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Everything in backquotes.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn kind(name: &str) -> &'static str {
    if name.ends_with("_total") { "counter" } else { "gauge" }
}

fn unit(field: Field) -> &'static str {
    match (field.unit(), field.name()) {
        (Unit::Nanos | Unit::Micros, _) => "seconds",
        (Unit::Milli, _) => "cores",
        (Unit::Whole, name) if name.contains("_bytes") => "bytes",
        (Unit::Whole, name) if name.contains("_seconds") => "seconds",
        (Unit::Whole, name) if name.ends_with("_inodes") => "inodes",
        (Unit::Whole, _) => "count",
    }
}

#[test]
fn every_figure_of_a_container_is_in_its_table_in_order() {
    let text = doc("docs/metrics.md");
    let (flat, several) = part(&text, "A container").split_once("\n### Per device").unwrap();
    let listed: Vec<String> = rows(flat).iter().map(|row| row[..4].join(" | ")).collect();
    let expected: Vec<String> = Field::ALL
        .iter()
        .map(|f| format!("`{}` | {} | {} | {}", f.name(), f.help(), unit(*f), kind(f.name())))
        .collect();
    for (listed, expected) in listed.iter().zip(&expected) {
        assert_eq!(listed, expected, "docs/metrics.md");
    }
    assert_eq!(listed.len(), expected.len(), "rows of docs/metrics.md and fields");

    let (several, made) = several.split_once("\n### Ready-made").unwrap();
    let listed: Vec<&str> = rows(several).iter().map(|row| row[0]).collect();
    let devices = DEVICE_METRICS.map(|name| format!("`io.<device>{name}`"));
    let interfaces = INTERFACE_METRICS.map(|name| format!("`net.<interface>{name}`"));
    for name in devices.iter().chain(&interfaces) {
        assert!(listed.contains(&name.as_str()), "docs/metrics.md lacks {name}");
    }
    let listed: Vec<&str> = rows(made).iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(listed, DERIVED, "docs/metrics.md");
}

/// A running dadvisor without neighbours that answer, killed at the end.
struct Daemon {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let config = format!(
            "[node]\ndocker = \"unix://{at}/none\"\nstate_dir = \"{at}/state\"\n[graphite]\ncarbon = [\"127.0.0.1:1\"]\n\
             [api]\nurl = \"http://127.0.0.1:1\"\ntoken_file = \"{at}/none\"\n\
             [dadvisor]\nlisten = \"127.0.0.1:0\"\ninterval = \"1s\"\n"
        );
        std::fs::write(dir.path().join("qae.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_dadvisor"))
            .arg("--config")
            .arg(dir.path().join("qae.toml"))
            .env_remove("NOTIFY_SOCKET")
            .env_remove("QAE_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let mut daemon = Self { child, address: String::new(), _dir: dir };
        let line = said.lines().map(Result::unwrap).find(|line| line.contains("listening on"));
        daemon.address = line.unwrap().rsplit_once("http://").unwrap().1.to_owned();
        daemon
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(LONGEST)).unwrap();
        write!(socket, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Two passes are over, so that there are rates.
    fn settle(&self) {
        let begun = Instant::now();
        while !self.get("/metrics").1.contains("\ndadvisor_passes_total 2") {
            assert!(begun.elapsed() < LONGEST, "no second pass");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// `io.sda.busy_percent` as `io.<device>.busy_percent`.
fn general(name: &str) -> String {
    let items = [("io.", "<device>"), ("net.", "<interface>"), ("filesystem.", "<mount>")];
    let of = |(head, item): (&str, &str)| {
        let (_, tail) = name.strip_prefix(head)?.split_once('.')?;
        Some(format!("{head}{item}.{tail}"))
    };
    items.into_iter().find_map(of).unwrap_or_else(|| name.to_owned())
}

#[test]
fn what_a_running_daemon_shows_is_documented() {
    let daemon = Daemon::start();
    daemon.settle();
    let metrics = doc("docs/metrics.md");
    let known: BTreeSet<&str> = quoted(part(&metrics, "The node"));
    let (status, node) = daemon.get("/v1/node");
    assert_eq!(status, 200);
    let node: serde_json::Value = serde_json::from_str(&node).unwrap();
    let figures = node["metrics"].as_object().unwrap();
    assert!(figures.len() > 50, "{} figures of the node", figures.len());
    for name in figures.keys().map(|name| general(name)) {
        assert!(known.contains(name.as_str()), "docs/metrics.md lacks the node's {name}");
    }

    let http = doc("docs/http.md");
    let known = quoted(part(&http, "/metrics"));
    let known: BTreeSet<&str> = known.iter().map(|name| name.split('{').next().unwrap()).collect();
    let whole = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let text = daemon.get("/metrics").1;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: BTreeSet<&str> = types
        .map(|line| line.split(' ').next().unwrap())
        .filter(|f| f.starts_with("dadvisor_"))
        .collect();
    let lacking: Vec<_> = families.difference(&known).collect();
    assert!(lacking.is_empty(), "docs/http.md lacks {lacking:?}");
    let gone: Vec<_> = known
        .iter()
        .filter(|f| f.starts_with("dadvisor_") && whole(f) && !families.contains(*f))
        // nobody has taken a report of this one
        .filter(|f| **f != "dadvisor_center_last_report_seconds")
        .collect();
    assert!(gone.is_empty(), "docs/http.md tells of {gone:?}, which are not there");

    let carbon = part(&http, "/v1/node");
    let state = node["carbon"]["state"].as_str().unwrap();
    assert!(carbon.contains(&format!("| `{state}` |")), "docs/http.md lacks carbon's {state}");
    for path in ["/healthz", "/readyz", "/v1/containers", "/v1/node", "/metrics"] {
        assert_eq!(daemon.get(path).0, 200, "{path}");
        assert!(http.contains(&format!("| `{path}` |")), "docs/http.md lacks {path}");
    }
    assert_eq!(daemon.get("/nowhere").0, 404);
}

#[test]
fn links_lead_to_files() {
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/operating.md",
        "docs/metrics.md",
        "docs/http.md",
        "docs/cli.md",
    ] {
        let text = doc(page);
        let dir = root().join(page).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            let local = !path.is_empty() && !path.contains("://");
            assert!(!local || dir.join(path).exists(), "{page} links to {target}");
        }
    }
}
