//! A real Graphite for a test: `graphite/up.sh` on free ports, in a directory of its own, stopped and removed on drop.
//!
//! Everything here panics with its cause: a test has nothing better to do.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// carbon-cache and graphite-web, running until dropped.
#[derive(Debug)]
pub struct Graphite {
    dir: PathBuf,
    /// None where it is somebody else's.
    own: Option<TempDir>,
    ports: HashMap<String, String>,
    aggregator: bool,
    step: &'static str,
}

impl Graphite {
    /// Starts one; returns when a point can be written and read back. The first ever installs the software.
    #[track_caller]
    pub fn start() -> Self {
        Self::launch(false, "10s")
    }

    /// Starts one with a carbon-aggregator in front of its cache.
    #[track_caller]
    pub fn start_with_aggregator() -> Self {
        Self::launch(true, "10s")
    }

    /// Starts one whose finest archive has this step (`1s`, `2s`, `5s`, `10s`): dadvisor's interval in that test.
    #[track_caller]
    pub fn start_with_step(step: &'static str) -> Self {
        Self::launch(false, step)
    }

    /// The one in the directory `QAE_TEST_GRAPHITE`, where it takes long to start, else a new one. Both have steps of a second. Not to be
    /// stopped or signalled: others use it.
    #[track_caller]
    pub fn shared() -> Self {
        let Some(dir) = std::env::var_os("QAE_TEST_GRAPHITE").map(PathBuf::from) else {
            return Self::start_with_step("1s");
        };
        let text = fs::read_to_string(dir.join("ports.env")).expect("up.sh leaves its ports");
        Self { dir, own: None, ports: ports(&text), aggregator: false, step: "1s" }
    }

    #[track_caller]
    fn launch(aggregator: bool, step: &'static str) -> Self {
        let dir = tempfile::Builder::new().prefix("qae-graphite-").tempdir();
        let dir = dir.expect("no temporary directory");
        let (path, ports) = (dir.path().to_owned(), HashMap::new());
        let mut graphite = Self { dir: path, own: Some(dir), ports, aggregator, step };
        graphite.start_again();
        graphite
    }

    /// Starts what does not run, on the same ports and data.
    #[track_caller]
    pub fn start_again(&mut self) {
        let mut up = script("up.sh");
        up.arg(&self.dir).env("GRAPHITE_STEP", self.step);
        if self.aggregator {
            up.env("GRAPHITE_AGGREGATOR", "1");
        }
        let out = up.output().expect("up.sh cannot be started");
        assert!(out.status.success(), "up.sh: {}", String::from_utf8_lossy(&out.stderr));
        self.ports = ports(&String::from_utf8_lossy(&out.stdout));
    }

    /// Ends carbon-cache with SIGTERM and waits; graphite-web stays.
    #[track_caller]
    pub fn stop(&self) {
        let done = script("down.sh").arg(&self.dir).arg("carbon").status();
        assert!(done.expect("down.sh cannot be started").success(), "down.sh failed");
    }

    /// Sends carbon-cache a signal; after SIGKILL waits until it is gone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let text = fs::read_to_string(self.dir.join("run/carbon.pid")).expect("no pid");
        let pid = text.split(' ').next().and_then(|p| p.parse().ok()).and_then(Pid::from_raw);
        let pid = pid.expect("no pid in run/carbon.pid");
        kill_process(pid, signal).expect("carbon-cache cannot be signalled");
        if signal == Signal::KILL {
            let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
            eventually(Duration::from_secs(10), "carbon-cache is gone", || {
                // a zombie is gone too
                let state = fs::read_to_string(&stat).unwrap_or_default();
                state
                    .rsplit(") ")
                    .next()
                    .is_none_or(|s| s.is_empty() || s.starts_with('Z'))
                    .then_some(())
            });
        }
    }

    /// `host:port` of the plaintext receiver.
    pub fn line_addr(&self) -> String {
        self.address("LINE")
    }

    /// `host:port` of the pickle receiver.
    pub fn pickle_addr(&self) -> String {
        self.address("PICKLE")
    }

    /// `host:port` of the aggregator's plaintext receiver.
    pub fn aggregator_addr(&self) -> String {
        self.address("AGG")
    }

    /// `host:port` of graphite-web.
    pub fn web_addr(&self) -> String {
        self.address("WEB")
    }

    fn address(&self, name: &str) -> String {
        let port = self.ports.get(&format!("GRAPHITE_{name}_PORT"));
        format!("127.0.0.1:{}", port.expect("up.sh prints every port"))
    }

    /// `/render?format=json` of one target in `(from, until]`, Unix seconds.
    #[track_caller]
    pub fn render(&self, target: &str, from: u64, until: u64) -> Value {
        let target = encode(target);
        let body =
            self.get(&format!("/render?target={target}&from={from}&until={until}&format=json"));
        serde_json::from_slice(&body).expect("render answers JSON")
    }

    /// The points of a target's first series that are not null: (Unix seconds, value). Empty if there is no such series.
    #[track_caller]
    pub fn points(&self, target: &str, from: u64, until: u64) -> Vec<(u64, f64)> {
        let answer = self.render(target, from, until);
        let points = answer[0]["datapoints"].as_array().map_or(&[][..], Vec::as_slice);
        points.iter().filter_map(|p| Some((p[1].as_u64()?, p[0].as_f64()?))).collect()
    }

    /// The series that match tag expressions (`app=shop`, `inst=~^web`).
    #[track_caller]
    pub fn find_series(&self, expressions: &[&str]) -> Vec<String> {
        let query: Vec<_> = expressions.iter().map(|e| format!("expr={}", encode(e))).collect();
        let body = self.get(&format!("/tags/findSeries?{}", query.join("&")));
        serde_json::from_slice(&body).expect("findSeries answers a list of names")
    }

    /// A GET of graphite-web; the body of a 200 answer. A 500 is asked again for a while: graphite-web gives it when it meets a file
    /// that carbon has just created and not yet written.
    #[track_caller]
    pub fn get(&self, path: &str) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(20);
        eventually(Duration::from_secs(30), "an answer", || {
            let mut answer = self.ask(path).expect("graphite-web answers");
            let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("an HTTP answer");
            let status = String::from_utf8_lossy(&answer[..end.min(40)]).into_owned();
            if status.contains(" 200 ") {
                return Some(answer.split_off(end + 4));
            }
            let again = status.contains(" 500 ") && Instant::now() < deadline;
            assert!(again, "GET {path}: {}", String::from_utf8_lossy(&answer));
            None
        })
    }

    fn ask(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.web_addr())?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: graphite\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Every whisper file beneath the storage directory, with aggregation method (1 average, 3 last, 4 max), xFilesFactor and number
    /// of archives, from its header.
    #[track_caller]
    pub fn whisper_files(&self) -> Vec<(PathBuf, u32, f32, u32)> {
        let mut files = Vec::new();
        walk(&self.dir.join("storage/whisper"), &mut files);
        let header = |path: PathBuf| {
            let mut bytes = [0; 16];
            fs::File::open(&path).and_then(|mut f| f.read_exact(&mut bytes)).expect("a header");
            let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            (
                path,
                u32::from_be_bytes(word(0)),
                f32::from_be_bytes(word(8)),
                u32::from_be_bytes(word(12)),
            )
        };
        files.into_iter().map(header).collect()
    }
}

impl Drop for Graphite {
    fn drop(&mut self) {
        if self.own.is_none() {
            return;
        }
        if let Err(e) = script("down.sh").arg(&self.dir).status() {
            eprintln!("down.sh: {e}");
        }
    }
}

/// The variables that `up.sh` prints and leaves in `ports.env`.
fn ports(text: &str) -> HashMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("graphite").join(name))
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|e| e == "wsp") {
            files.push(path);
        }
    }
}

fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.*".contains(&b);
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// Asks again and again, for at most `limit`, until there is an answer.
#[track_caller]
pub fn eventually<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
