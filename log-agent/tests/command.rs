//! The built command: exit codes, what it says, signals, its talk with systemd. Nothing outside is needed: no Docker, no Flume.
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

fn log_agent(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-agent"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("QAE_LOG");
    command
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = log_agent(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A config file without neighbours, and directories that go with it.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new(more: &str) -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        home.write(more);
        home
    }

    fn write(&self, more: &str) {
        let at = self.dir.path();
        let (state, root) = (at.join("state"), at.join("volumes"));
        let text = format!(
            "[node]\nname = \"t\"\ndocker = \"\"\nstate_dir = {state:?}\n[graphite]\ncarbon = []\n\
             [log-agent]\nvolumes_root = {root:?}\n{more}\n"
        );
        std::fs::write(self.config(), text).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("qae.toml")
    }

    /// A log volume beneath `volumes_root`.
    fn volume(&self, app: &str, instance: &str) -> PathBuf {
        let dir = self.dir.path().join("volumes").join(app).join(instance);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn start(&self) -> Running {
        Running::start(log_agent(&["--config", text(&self.config())]))
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
    fn ends(&mut self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "still running: {:#?}", self.said);
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

/// The answer's status and body; None while nobody answers.
fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LONGEST)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONGEST;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until `/metrics` has this in it.
fn shows(address: &str, wanted: &str) {
    wait_for(wanted, || {
        get(address, "/metrics").is_some_and(|(_, text)| text.contains(wanted)).then_some(())
    });
}

#[test]
fn check_prints_a_config_that_reads_back_to_itself() {
    let home = Home::new("keep = \"5m\"");
    let (code, listing, _) = run(&["--config", text(&home.config()), "--check"]);
    assert_eq!(code, Some(0));
    assert!(listing.contains("keep = \"5m\"  # line 9"), "{listing}");
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
    let home = Home::new("batch_event = 3\nflume = [\"one\"]");
    let config = home.config();
    for args in [vec!["--config", text(&config)], vec!["check", "--config", text(&config)]] {
        let (code, _, said) = run(&args);
        assert_eq!(code, Some(64));
        let at = config.display();
        let first = format!(
            "log-agent: {at}:9: unknown key `batch_event` in [log-agent] (did you mean `batch_events`?)\n"
        );
        assert!(said.starts_with(&first), "{said}");
        assert!(said.contains(&format!("{at}:10: ")) && said.contains("not host:port"), "{said}");
    }
    assert_eq!(run(&["--nonsense"]).0, Some(64));
    let good = Home::new("");
    let loud = log_agent(&["--config", text(&good.config())]).env("QAE_LOG", "loud").output();
    assert_eq!(loud.unwrap().status.code(), Some(64));
    assert_eq!(run(&["--version"]), (Some(0), "log-agent 0.1.0\n".to_owned(), String::new()));
}

#[test]
fn an_address_in_foreign_hands_and_a_state_that_cannot_be_written_exit_69() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let home = Home::new(&format!("listen = \"{address}\""));
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    let home = Home::new("listen = \"127.0.0.1:0\"");
    std::fs::write(home.dir.path().join("state"), "in the way").unwrap();
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert!(code == Some(69) && said.contains("set [node] state_dir"), "{said}");
}

#[test]
fn files_are_followed_from_the_start_and_a_stop_is_quick() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    std::fs::write(home.volume("shop%2Fweb", "a1").join("app.log"), "one\n").unwrap();
    let mut daemon = home.start();
    let address = daemon.address();
    wait_for("ready", || get(&address, "/readyz").filter(|(status, _)| *status == 200));
    assert_eq!(get(&address, "/healthz"), Some((200, "ok\n".to_owned())));
    shows(&address, "qae_log_files{dc=\"dc1\",node=\"t\",app=\"shop/web\"} 1\n");
    std::fs::write(home.volume("shop%2Fweb", "a2").join("app.log"), "one\n").unwrap();
    shows(&address, "qae_log_files{dc=\"dc1\",node=\"t\",app=\"shop/web\"} 2\n");
    assert_eq!(get(&address, "/nowhere").map(|(status, _)| status), Some(404));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(Duration::from_secs(10)), Some(0));
}

/// Reads systemd's side until something is said, within the limit.
fn until(socket: &UnixDatagram, wanted: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    wait_for(wanted, || {
        let length = socket.recv(&mut buffer).ok()?;
        let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
        heard.push(said);
        heard.last().is_some_and(|said| said.contains(wanted)).then_some(())
    });
    heard
}

#[test]
fn systemd_is_told_of_start_life_and_end() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let path = home.dir.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    // as systemd does it: the watchdog is for the process with that number only
    let script = "WATCHDOG_PID=$$ exec \"$0\" --config \"$1\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_log-agent"), text(&home.config())]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = Running::start(command);
    let start = until(&systemd, "READY=1");
    assert!(!start.iter().any(|said| said.contains("STOPPING=1")), "{start:?}");
    until(&systemd, "STATUS=");
    until(&systemd, "WATCHDOG=1");
    daemon.signal(Signal::TERM);
    until(&systemd, "STOPPING=1");
    assert_eq!(daemon.ends(Duration::from_secs(10)), Some(0));
    daemon.says("SIGTERM: stopping");
}

#[test]
fn a_hangup_brings_a_good_config_and_refuses_a_bad_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let home = Home::new(&format!("listen = \"{free}\""));
    std::fs::write(home.volume("shop", "a1").join("app.log"), "one\n").unwrap();
    let mut daemon = home.start();
    let files = |n: u32| format!("qae_log_files{{dc=\"dc1\",node=\"t\",app=\"shop\"}} {n}\n");
    shows(&free, &files(1));

    home.write(&format!("listen = \"{free}\"\nexcluded = [\"**\"]"));
    daemon.signal(Signal::HUP);
    let refusal = daemon.says("the config is refused, the old one stays");
    assert!(refusal.contains("did you mean `exclude`?"), "{refusal}");
    shows(&free, &files(1));

    home.write(&format!("listen = \"{free}\"\nexclude = [\"**\"]"));
    daemon.signal(Signal::HUP);
    daemon.says("running anew");
    shows(&free, &files(0));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(Duration::from_secs(10)), Some(0));
}
