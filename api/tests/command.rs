//! The built command: exit codes, what it says, signals, and its talk with systemd. Nothing outside is needed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(20);

fn qae_api(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qae-api"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("QAE_LOG");
    command
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = qae_api(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A config file without neighbours, in a directory that goes with it.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new(server: &str) -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        home.write(server);
        home
    }

    fn write(&self, server: &str) {
        let state = self.state();
        let text = format!(
            "[node]\nname = \"t\"\nstate_dir = {state:?}\n[graphite]\ncarbon = []\n[server]\n{server}\n"
        );
        std::fs::write(self.config(), text).unwrap();
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("qae.toml")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The daemon; killed if a failed test leaves it.
struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = follow(child.stderr.take().unwrap());
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line of the log that has this in it.
    fn says(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + LONGEST;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("{wanted:?} was not said: {:#?}", self.said));
            self.said.push(line.clone());
            if line.contains(wanted) {
                return line;
            }
        }
    }

    fn address(&mut self) -> String {
        let line = self.says("listening on http://");
        line.rsplit_once("http://").unwrap().1.trim().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code, within the limit.
    fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONGEST;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "still running");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn follow(stderr: ChildStderr) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// One GET, the whole answer.
fn get(address: &str, path: &str, headers: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONGEST)).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\nhost: {address}\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn check_prints_a_config_that_reads_back_to_itself() {
    let home = Home::new(
        "keep_for = \"2days\"\n[[cluster]]\nname = \"m\"\nkind = \"marathon\"\nurl = [\"http://m:8080\"]",
    );
    let (code, listing, _) = run(&["--config", text(&home.config()), "--check"]);
    assert_eq!(code, Some(0));
    assert!(listing.contains("keep_for = \"2days\"  # line "), "{listing}");
    assert!(listing.contains("\n[[cluster]]\n"), "{listing}");
    let again = home.dir.path().join("again.toml");
    std::fs::write(&again, &listing).unwrap();
    let (_, second, _) = run(&["--config", text(&again), "--check"]);
    let bare = |text: &str| -> Vec<String> {
        text.lines().map(|l| l.split("  # ").next().unwrap_or("").to_owned()).skip(1).collect()
    };
    assert_eq!(bare(&listing), bare(&second));
    assert!(!home.state().exists(), "a check leaves nothing behind");
}

#[test]
fn what_is_wrong_before_the_start_exits_64_and_says_where() {
    let home = Home::new("listn = \"127.0.0.1:0\"");
    let config = home.config();
    let (code, _, said) = run(&["--config", text(&config)]);
    assert_eq!(code, Some(64));
    let expected = format!(
        "qae-api: {}:7: unknown key `listn` in [server] (did you mean `listen`?)\n",
        config.display()
    );
    assert_eq!(said, expected);
    let gone = home.dir.path().join("none.toml");
    let (code, _, said) = run(&["--config", text(&gone)]);
    assert!(code == Some(64) && said.contains("none.toml: cannot read the config file"), "{said}");
    assert_eq!(run(&["--nonsense"]).0, Some(64));
    assert_eq!(run(&["--version"]), (Some(0), "qae-api 0.1.0\n".to_owned(), String::new()));
}

#[test]
fn what_is_not_there_exits_69_and_says_what() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new(&format!("listen = \"{}\"", held.local_addr().unwrap()));
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert!(code == Some(69) && said.contains("cannot listen on 127.0.0.1:"), "{said}");
    let home = Home::new("listen = \"127.0.0.1:0\"\ncert = \"/none.pem\"\nkey = \"/none.key\"");
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert!(code == Some(69) && said.contains("/none.pem: cannot read the certificate"), "{said}");
}

#[test]
fn a_lost_admin_token_is_made_anew_while_nothing_runs() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let file = home.state().join("api/admin-token");
    let token = || std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let me = |address: &str, token: &str| {
        get(address, "/v1/me", &format!("authorization: Bearer {token}\r\n"))
    };
    let config = home.config();
    let mut daemon = Running::start(qae_api(&["--config", text(&config)]));
    let address = daemon.address();
    let old = token();
    assert!(me(&address, &old).contains(" 200 "));
    std::fs::remove_file(&file).unwrap();
    let renew = || run(&["--config", text(&config), "--new-admin-token"]);
    let (code, _, said) = renew();
    assert!(
        code == Some(69) && said.contains("in use by another qae-api: stop that one"),
        "{said}"
    );
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));

    let (code, printed, said) = renew();
    assert_eq!((code, printed), (Some(0), format!("{}\n", file.display())), "{said}");
    assert!(!said.contains("qae_") && token() != old);
    let mut daemon = Running::start(qae_api(&["--config", text(&config)]));
    let address = daemon.address();
    assert!(me(&address, &old).contains(" 401 ") && me(&address, &token()).contains(" 200 "));
}

#[test]
fn it_tells_systemd_serves_and_ends_on_sigterm() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let notify = home.dir.path().join("notify");
    let systemd = UnixDatagram::bind(&notify).unwrap();
    systemd.set_read_timeout(Some(LONGEST)).unwrap();
    // as systemd does it: the watchdog is for the process with that number only
    let script = "WATCHDOG_PID=$$ exec \"$0\" --config \"$1\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_qae-api"), text(&home.config())]);
    command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", "200000");
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = Running::start(command);
    let address = daemon.address();
    daemon.says("admin-token");
    let mut heard = String::new();
    let mut hear = |wanted: &str| {
        while !heard.contains(wanted) {
            let mut bytes = [0; 4096];
            let length = systemd.recv(&mut bytes).unwrap();
            heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
            heard.push('\n');
        }
    };
    hear("READY=1");
    hear("STATUS=0 apps, 0 instances, 0 nodes");
    hear("WATCHDOG=1");

    let token = std::fs::read_to_string(home.state().join("api/admin-token")).unwrap();
    let signed = format!("authorization: Bearer {}\r\n", token.trim());
    assert!(get(&address, "/readyz", "").ends_with("\r\n\r\nok\n"));
    assert!(get(&address, "/v1/apps", &signed).contains("{\"items\":[],\"next\":null}"));
    assert!(get(&address, "/v1/apps", "").starts_with("HTTP/1.0 401 "));
    assert!(get(&address, "/metrics", "").contains("\nqae_apps 0\n"));
    assert!(get(&address, "/metrics", "x-forwarded-for: 1.2.3.4\r\n").starts_with("HTTP/1.0 401 "));

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));
    hear("STOPPING=1");
}

#[test]
fn sighup_takes_a_good_config_over_and_refuses_a_bad_one() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let mut daemon = Running::start(qae_api(&["--config", text(&home.config())]));
    let address = daemon.address();
    daemon.signal(Signal::HUP);
    daemon.says("the config is the same");
    home.write("listen = \"nowhere\"");
    daemon.signal(Signal::HUP);
    daemon.says("SIGHUP: the config is refused, the old one stays: ");
    assert!(get(&address, "/healthz", "").ends_with("ok\n"));
    home.write("listen = \"127.0.0.1:0\"\nstore = \"sqlite:/elsewhere.db\"");
    daemon.signal(Signal::HUP);
    daemon.says("another store or state_dir needs a restart");
    home.write("listen = \"127.0.0.1:0\"\n[[cluster]]\nname = \"plain\"");
    daemon.signal(Signal::HUP);
    let address = daemon.address();
    daemon.says("cluster plain (dc1): plain Docker");
    assert!(get(&address, "/healthz", "").ends_with("ok\n"));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0), "{:#?}", daemon.said);
}
