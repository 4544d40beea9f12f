//! A built command as the tests of its own crate run it: exit codes, what it says line by line, signals, systemd's side. It panics where a
//! test would: what goes wrong here is a failed test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// For whatever is waited for.
pub const LONGEST: Duration = Duration::from_secs(20);

/// Waits for a condition, with a deadline.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A built program: `Program(env!("CARGO_BIN_EXE_..."))`.
#[derive(Debug, Clone, Copy)]
pub struct Program(pub &'static str);

impl Program {
    /// The command, not yet run, without what this process' environment could tell it.
    pub fn command(self, args: &[&str]) -> Command {
        let mut command = Command::new(self.0);
        command.args(args);
        bare(&mut command);
        command
    }

    /// The same as systemd starts it: the watchdog is for the process with that number only.
    pub fn under_systemd(self, config: &Path, systemd: &Systemd, watchdog: Duration) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "WATCHDOG_PID=$$ exec \"$0\" --config \"$1\"", self.0, text(config)]);
        bare(&mut command);
        command.env("NOTIFY_SOCKET", &systemd.path);
        command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        command
    }

    /// Runs it to its end: exit code, stdout, stderr.
    pub fn run(self, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

fn bare(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("QAE_LOG");
}

/// What a config listing says, without the notes on where each key comes from and without its first line.
pub fn bare_listing(listing: &str) -> Vec<String> {
    let bare = |line: &str| line.split("  # ").next().unwrap_or("").to_owned();
    listing.lines().map(bare).skip(1).collect()
}

/// A daemon; killed if a failed test leaves it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Every line of its log that was waited for or passed on the way.
    pub said: Vec<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = follow(child.stderr.take().unwrap());
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line of the log that has this in it.
    pub fn says(&mut self, wanted: &str) -> String {
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

    /// Waits for where it listens.
    pub fn address(&mut self) -> String {
        let line = self.says("listening on http");
        line.rsplit_once("://").unwrap().1.trim().to_owned()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code, within the limit.
    pub fn ends(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("its end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
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

/// systemd's side of the notify socket.
#[derive(Debug)]
pub struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
    /// Everything it was told, a message a line or several.
    pub heard: String,
}

impl Systemd {
    /// Listens in a directory.
    pub fn new(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LONGEST)).unwrap();
        Self { socket, path, heard: String::new() }
    }

    /// Waits until it has been told this.
    pub fn hears(&mut self, wanted: &str) {
        let deadline = Instant::now() + LONGEST;
        while !self.heard.contains(wanted) {
            assert!(Instant::now() < deadline, "{wanted} was not said, only {}", self.heard);
            let mut bytes = [0; 4096];
            let length = self.socket.recv(&mut bytes).unwrap();
            self.heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
            self.heard.push('\n');
        }
    }
}
