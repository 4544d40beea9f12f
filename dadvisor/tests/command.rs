//! The built command: exit codes, what it says, signals, and its talk with systemd. Nothing of the host but its `/proc` and cgroups is
//! needed: no Docker, no Graphite.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::command::{LONGEST, Program, Running, Systemd, bare_listing, text, wait_for};
use e2e::home::Home;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const DADVISOR: Program = Program(env!("CARGO_BIN_EXE_dadvisor"));

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    DADVISOR.run(args)
}

fn start(config: &Path) -> Running {
    Running::start(DADVISOR.command(&["--config", text(config)]))
}

/// A config without neighbours, with more in its last section.
fn alone(more: &str) -> Home {
    let config = |dir: &Path| {
        let state = dir.join("state");
        format!(
            "[node]\nname = \"t\"\ndocker = \"\"\nstate_dir = {state:?}\n[graphite]\ncarbon = []\n[dadvisor]\n{more}\n"
        )
    };
    Home::new("dadvisor", config).unwrap()
}

#[test]
fn check_prints_a_config_that_reads_back_to_itself() {
    let home = alone("interval = \"3s\"");
    let (code, listing, _) = run(&["--config", text(&home.config()), "--check"]);
    assert_eq!(code, Some(0));
    assert!(listing.contains("interval = \"3s\"  # line "), "{listing}");
    let again = home.dir().join("again.toml");
    std::fs::write(&again, &listing).unwrap();
    let (_, second, _) = run(&["--config", text(&again), "--check"]);
    assert_eq!(bare_listing(&listing), bare_listing(&second));
}

#[test]
fn what_is_wrong_before_the_start_exits_64_and_says_where() {
    let home = alone("intervall = \"3s\"");
    let config = home.config();
    for args in [vec!["--config", text(&config)], vec!["check", "--config", text(&config)]] {
        let (code, _, said) = run(&args);
        assert_eq!(code, Some(64));
        let expected = format!(
            "dadvisor: {}:8: unknown key `intervall` in [dadvisor] (did you mean `interval`?)\n",
            config.display()
        );
        assert_eq!(said, expected);
    }
    let gone = home.dir().join("none.toml");
    let (code, _, said) = run(&["--config", text(&gone)]);
    assert!(code == Some(64) && said.contains("none.toml: cannot read the config file"), "{said}");
    assert_eq!(run(&["--nonsense"]).0, Some(64));
    let good = alone("");
    let loud =
        DADVISOR.command(&["--config", text(&good.config())]).env("QAE_LOG", "loud").output();
    assert_eq!(loud.unwrap().status.code(), Some(64));
    assert_eq!(run(&["--version"]), (Some(0), "dadvisor 0.1.0\n".to_owned(), String::new()));
}

#[test]
fn an_address_in_foreign_hands_and_a_dadvisor_that_is_not_there_exit_69() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let home = alone(&format!("listen = \"{address}\""));
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    drop(held);
    let (code, shown, said) = run(&["top", "--once", "--config", text(&home.config())]);
    assert_eq!((code, shown.as_str()), (Some(69), ""));
    assert!(said.contains("is dadvisor running?"), "{said}");
}

#[test]
fn systemd_is_told_of_start_life_and_end() {
    let home = alone("listen = \"127.0.0.1:0\"\ninterval = \"1s\"");
    let mut systemd = Systemd::new(home.dir());
    let watchdog = Duration::from_millis(400);
    let mut daemon = Running::start(DADVISOR.under_systemd(&home.config(), &systemd, watchdog));
    systemd.hears("READY=1");
    assert!(!systemd.heard.contains("STOPPING=1"), "{}", systemd.heard);
    systemd.hears("STATUS=");
    systemd.hears("WATCHDOG=1");
    daemon.signal(Signal::TERM);
    systemd.hears("STOPPING=1");
    assert_eq!(daemon.ends(), Some(0));
    daemon.says("SIGTERM: stopping");
}

#[test]
fn top_and_check_see_a_running_daemon() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = alone(&format!("listen = \"{free}\"\ninterval = \"1s\""));
    let config = home.config();
    let mut daemon = start(&config);
    let deadline = Instant::now() + LONGEST;
    let shown = loop {
        let (code, shown, said) = run(&["top", "--once", "--config", text(&config)]);
        if code == Some(0) && shown.contains(" of ") {
            break shown;
        }
        assert!(Instant::now() < deadline, "{shown}{said}");
    };
    assert!(shown.starts_with("t (dc1), ") && shown.contains("\nAPP "), "{shown}");
    let (_, json, _) = run(&["top", "--json", "--url", &format!("http://{free}")]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["items"].is_array(), "{json}");
    let (_, report, _) = run(&["check", "--config", text(&config)]);
    assert!(report.contains(&format!("{free}: dadvisor 0.1.0 runs there")), "{report}");
    daemon.signal(Signal::INT);
    assert_eq!(daemon.ends(), Some(0));
}

/// What the running daemon's `/v1/node` says of its interval, once it answers.
fn interval(address: &str) -> Option<u64> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    let request = format!("GET /v1/node HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let json: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    json["interval_seconds"].as_u64()
}

#[test]
fn a_hangup_brings_a_good_config_and_refuses_a_bad_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let home = alone(&format!("listen = \"{free}\"\ninterval = \"1s\""));
    let config = home.config();
    let mut daemon = start(&config);
    wait_for("the start", || interval(&free) == Some(1));
    let good = std::fs::read_to_string(&config).unwrap();

    std::fs::write(&config, good.replace("interval", "intervall")).unwrap();
    daemon.signal(Signal::HUP);
    let refusal = daemon.says("the config is refused, the old one stays");
    assert!(refusal.contains("did you mean"), "{refusal}");
    assert_eq!(interval(&free), Some(1));

    std::fs::write(&config, good.replace("\"1s\"", "\"3s\"")).unwrap();
    daemon.signal(Signal::HUP);
    wait_for("the new config", || interval(&free) == Some(3));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));
}

/// A certificate of its own signature, with its key.
fn certify(dir: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=t -keyout key.pem -out cert.pem";
    let mut openssl = Command::new("openssl");
    let ran = openssl.args(arguments.split(' ')).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn with_a_certificate_it_speaks_tls_and_a_hangup_renews_it() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let home = alone(&format!("listen = \"{free}\"\ninterval = \"1s\""));
    let (config, dir) = (home.config(), home.dir());
    certify(dir);
    let cert = dir.join("cert.pem");
    let node = format!("[node]\ncert = {cert:?}\nkey = {:?}\n", dir.join("key.pem"));
    let typed = std::fs::read_to_string(&config).unwrap().replace("[node]\n", &node);
    std::fs::write(&config, typed).unwrap();
    let mut daemon = start(&config);
    let top = || run(&["top", "--once", "--config", text(&config)]);
    wait_for("the start", || top().0 == Some(0));
    daemon.says(&format!("listening on https://{free}"));
    assert_eq!(interval(&free), None, "plain HTTP must not be answered");
    let (code, _, why) =
        run(&["top", "--once", "--config", text(&config), "--url", &format!("https://{free}")]);
    assert!(code != Some(0) && why.contains("no TLS: invalid peer certificate"), "{why}");

    certify(dir);
    assert!(top().2.contains("reload"), "{}", top().2);
    daemon.signal(Signal::HUP);
    daemon.says("SIGHUP: the certificate is a new one");
    assert_eq!(top().0, Some(0));
    let (_, report, _) = run(&["check", "--config", text(&config)]);
    assert!(report.contains(&format!("{free}: dadvisor 0.1.0 runs there")), "{report}");

    std::fs::write(&cert, "").unwrap();
    daemon.signal(Signal::HUP);
    daemon.says("the certificate is refused, the old one stays");
    let (code, report, _) = run(&["check", "--config", text(&config)]);
    assert!(code == Some(69) && report.contains("FAIL  tls"), "{report}");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));
    let (code, _, why) = run(&["--config", text(&config)]);
    assert!(code == Some(64) && why.contains("cert.pem: no certificate: it holds none"), "{why}");
}
