//! The built command: exit codes, what it says, signals, and its talk with systemd. Nothing of the host but its `/proc` and cgroups is
//! needed: no Docker, no Graphite.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(20);

fn dadvisor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dadvisor"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("QAE_LOG");
    command
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = dadvisor(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A config file without neighbours, in a directory that goes with it.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let text = format!(
            "[node]\nname = \"t\"\ndocker = \"\"\nstate_dir = {state:?}\n[graphite]\ncarbon = []\n[dadvisor]\n{more}\n"
        );
        std::fs::write(dir.path().join("qae.toml"), text).unwrap();
        Self { dir }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("qae.toml")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Kills what a failed test leaves.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

impl Running {
    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The exit code, within the limit.
    fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONGEST;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "still running");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn check_prints_a_config_that_reads_back_to_itself() {
    let home = Home::new("interval = \"3s\"");
    let (code, listing, _) = run(&["--config", text(&home.config()), "--check"]);
    assert_eq!(code, Some(0));
    assert!(listing.contains("interval = \"3s\"  # line "), "{listing}");
    let again = home.dir.path().join("again.toml");
    std::fs::write(&again, &listing).unwrap();
    let (_, second, _) = run(&["--config", text(&again), "--check"]);
    let bare = |text: &str| -> Vec<String> {
        text.lines().map(|l| l.split("  # ").next().unwrap_or("").to_owned()).skip(1).collect()
    };
    assert_eq!(bare(&listing), bare(&second));
}

#[test]
fn what_is_wrong_before_the_start_exits_64_and_says_where() {
    let home = Home::new("intervall = \"3s\"");
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
    let gone = home.dir.path().join("none.toml");
    let (code, _, said) = run(&["--config", text(&gone)]);
    assert!(code == Some(64) && said.contains("none.toml: cannot read the config file"), "{said}");
    assert_eq!(run(&["--nonsense"]).0, Some(64));
    let good = Home::new("");
    let loud = dadvisor(&["--config", text(&good.config())]).env("QAE_LOG", "loud").output();
    assert_eq!(loud.unwrap().status.code(), Some(64));
    assert_eq!(run(&["--version"]), (Some(0), "dadvisor 0.1.0\n".to_owned(), String::new()));
}

#[test]
fn an_address_in_foreign_hands_and_a_dadvisor_that_is_not_there_exit_69() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let home = Home::new(&format!("listen = \"{address}\""));
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    drop(held);
    let (code, shown, said) = run(&["top", "--once", "--config", text(&home.config())]);
    assert_eq!((code, shown.as_str()), (Some(69), ""));
    assert!(said.contains("is dadvisor running?"), "{said}");
}

/// Reads systemd's side until something is said, within the limit.
fn until(socket: &UnixDatagram, wanted: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let deadline = Instant::now() + LONGEST;
    let mut buffer = [0; 4096];
    while Instant::now() < deadline {
        if let Ok(length) = socket.recv(&mut buffer) {
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let found = said.contains(wanted);
            heard.push(said);
            if found {
                return heard;
            }
        }
    }
    panic!("{wanted} was not said, only {heard:?}");
}

#[test]
fn systemd_is_told_of_start_life_and_end() {
    let home = Home::new("listen = \"127.0.0.1:0\"\ninterval = \"1s\"");
    let path = home.dir.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    // as systemd does it: the watchdog is for the process with that number only
    let script = "WATCHDOG_PID=$$ exec \"$0\" --config \"$1\"";
    let child = Command::new("/bin/sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_dadvisor"), text(&home.config())])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut daemon = Running(child);
    let start = until(&systemd, "READY=1");
    assert!(!start.iter().any(|said| said.contains("STOPPING=1")), "{start:?}");
    until(&systemd, "STATUS=");
    until(&systemd, "WATCHDOG=1");
    daemon.signal(rustix::process::Signal::TERM);
    until(&systemd, "STOPPING=1");
    assert_eq!(daemon.ends(), Some(0));
    let mut said = String::new();
    daemon.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("SIGTERM: stopping"), "{said}");
}

#[test]
fn top_and_check_see_a_running_daemon() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new(&format!("listen = \"{free}\"\ninterval = \"1s\""));
    let config = home.config();
    let mut daemon = Running(dadvisor(&["--config", text(&config)]).spawn().unwrap());
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
    daemon.signal(rustix::process::Signal::INT);
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

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_hangup_brings_a_good_config_and_refuses_a_bad_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let home = Home::new(&format!("listen = \"{free}\"\ninterval = \"1s\""));
    let config = home.config();
    let log = home.dir.path().join("log");
    let mut command = dadvisor(&["--config", text(&config)]);
    command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    let mut daemon = Running(command.spawn().unwrap());
    let said = |wanted: &str| std::fs::read_to_string(&log).unwrap().contains(wanted);
    wait_for("the start", || interval(&free) == Some(1));
    let good = std::fs::read_to_string(&config).unwrap();

    std::fs::write(&config, good.replace("interval", "intervall")).unwrap();
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("the refusal", || said("the config is refused, the old one stays"));
    assert!(said("did you mean"), "{}", std::fs::read_to_string(&log).unwrap());
    assert_eq!(interval(&free), Some(1));

    std::fs::write(&config, good.replace("\"1s\"", "\"3s\"")).unwrap();
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("the new config", || interval(&free) == Some(3));
    daemon.signal(rustix::process::Signal::TERM);
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
    let home = Home::new(&format!("listen = \"{free}\"\ninterval = \"1s\""));
    let (config, dir) = (home.config(), home.dir.path());
    certify(dir);
    let (cert, log) = (dir.join("cert.pem"), dir.join("log"));
    let node = format!("[node]\ncert = {cert:?}\nkey = {:?}\n", dir.join("key.pem"));
    let typed = std::fs::read_to_string(&config).unwrap().replace("[node]\n", &node);
    std::fs::write(&config, typed).unwrap();
    let mut command = dadvisor(&["--config", text(&config)]);
    command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    let mut daemon = Running(command.spawn().unwrap());
    let said = |wanted: &str| std::fs::read_to_string(&log).unwrap().contains(wanted);
    let top = || run(&["top", "--once", "--config", text(&config)]);
    wait_for("the start", || top().0 == Some(0));
    assert!(said(&format!("listening on https://{free}")));
    assert_eq!(interval(&free), None, "plain HTTP must not be answered");
    let (code, _, why) =
        run(&["top", "--once", "--config", text(&config), "--url", &format!("https://{free}")]);
    assert!(code != Some(0) && why.contains("no TLS: invalid peer certificate"), "{why}");

    certify(dir);
    assert!(top().2.contains("reload"), "{}", top().2);
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("the new certificate", || said("SIGHUP: the certificate is a new one"));
    assert_eq!(top().0, Some(0));
    let (_, report, _) = run(&["check", "--config", text(&config)]);
    assert!(report.contains(&format!("{free}: dadvisor 0.1.0 runs there")), "{report}");

    std::fs::write(&cert, "").unwrap();
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("the refusal", || said("the certificate is refused, the old one stays"));
    let (code, report, _) = run(&["check", "--config", text(&config)]);
    assert!(code == Some(69) && report.contains("FAIL  tls"), "{report}");
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));
    let (code, _, why) = run(&["--config", text(&config)]);
    assert!(code == Some(64) && why.contains("cert.pem: no certificate: it holds none"), "{why}");
}
