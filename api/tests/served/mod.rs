//! The centre in this process, on a port of its own, with SQLite in a directory that goes with it; and the little HTTP that asks it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use api::config::Config;
use common::api_types::digest::hash;
use common::api_types::{
    AgentState, ContainerFact, DadvisorFacts, HEADER_DIGEST, HEADER_RUN, NodeFacts, Report,
};
use common::config::Source;
use common::container::{Health, State};
use common::ids::{AppId, InstanceId};
use common::stop::Stop;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

pub const LONGEST: Duration = Duration::from_secs(20);

/// A state directory, which outlives the centres that use it.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// Starts a centre on it.
    pub fn serve(&self) -> Served {
        self.serve_with("")
    }

    /// Starts one with more config.
    pub fn serve_with(&self, more: &str) -> Served {
        let text = format!(
            "[node]\nname = \"t\"\nstate_dir = {:?}\n[graphite]\ncarbon = []\n{more}\n",
            self.state()
        );
        let (config, _) = Config::of(&Source::of(Path::new("/t.toml"), text)).unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = Stop::default();
        let task = runtime.spawn(api::run(config, listener, stop.clone()));
        let path = self.state().join("api/admin-token");
        let token = eventually("the admin token", || {
            std::fs::read_to_string(&path).ok().map(|token| token.trim().to_owned())
        });
        let served = Served { runtime, task: Some(task), stop, address, token };
        eventually("an answer", || (served.get("/readyz").status == 200).then_some(()));
        served
    }
}

/// Waits for a condition, with a deadline.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONGEST;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running centre.
pub struct Served {
    runtime: Runtime,
    task: Option<JoinHandle<Result<(), api::Error>>>,
    pub stop: Stop,
    pub address: String,
    pub token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| {
            panic!("{e}: {} {}", self.head, String::from_utf8_lossy(&self.body))
        })
    }

    /// `status code` of a problem.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        format!("{} {}", self.status, self.json()["code"].as_str().unwrap())
    }
}

impl Served {
    /// A GET as the admin.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// The items of a list.
    pub fn items(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()["items"].as_array().unwrap().clone()
    }

    /// Any request as the admin, unless another `authorization` is among the headers.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        read(self.send(method, path, headers, body))
    }

    /// Any request of somebody without a token.
    pub fn ask_without_token(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        read(self.send_all(method, path, headers, body))
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        if headers.iter().any(|(name, _)| *name == "authorization") {
            return self.send_all(method, path, headers, body);
        }
        let bearer = format!("Bearer {}", self.token);
        self.send_all(
            method,
            path,
            &[&[("authorization", bearer.as_str())], headers].concat(),
            body,
        )
    }

    fn send_all(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(LONGEST)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.0\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !headers.iter().any(|(name, _)| *name == "content-length") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        head += "\r\n";
        socket.write_all(&[head.as_bytes(), body].concat()).unwrap();
        socket
    }

    /// Sends dadvisor's report of a node, whole.
    pub fn report(&self, node: &str, facts: &DadvisorFacts) -> Answer {
        let report = report(facts);
        let digest = hash(&report);
        self.report_as(&[], node, &digest, &serde_json::to_vec(&report).unwrap())
    }

    /// Sends a report as it stands.
    pub fn report_as(
        &self,
        headers: &[(&str, &str)],
        node: &str,
        digest: &str,
        body: &[u8],
    ) -> Answer {
        let own = [
            (HEADER_DIGEST, digest),
            (HEADER_RUN, "h1.1700000000000.r1"),
            ("content-type", "application/json"),
        ];
        let path = format!("/v1/nodes/{node}/agents/dadvisor");
        self.ask("PUT", &path, &[&own, headers].concat(), body)
    }

    /// Follows the bus.
    pub fn follow(&self, query: &str, headers: &[(&str, &str)]) -> Reader {
        let socket = self.send("GET", &format!("/v1/events?{query}"), headers, b"");
        let mut lines = BufReader::new(socket);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        while line.trim() != "" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        Reader { lines }
    }

    /// Tells it to stop and waits for its end.
    pub fn end(mut self) -> Duration {
        let begun = Instant::now();
        self.stop.token.cancel();
        let task = self.task.take().unwrap();
        self.runtime.block_on(task).unwrap().unwrap();
        begun.elapsed()
    }
}

fn read(mut socket: TcpStream) -> Answer {
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let body = all.split_off(end + 4);
    let head = String::from_utf8(all).unwrap();
    let status = head.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    Answer { status, head, body }
}

/// A reader of the bus.
pub struct Reader {
    lines: BufReader<TcpStream>,
}

/// What it reads.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Frame {
    pub id: String,
    pub kind: String,
    pub data: String,
}

impl Reader {
    /// The next frame; None at the end of the stream.
    pub fn next(&mut self) -> Option<Frame> {
        let mut frame = Frame::default();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => frame.id = value.to_owned(),
                Some(("event", value)) => frame.kind = value.to_owned(),
                Some(("data", value)) => frame.data = value.to_owned(),
                Some(_) => {}
                None if frame.kind.is_empty() => {}
                None => return Some(frame),
            }
        }
    }

    /// The next frame of this kind; heartbeats before it are let go, nothing else.
    pub fn expect(&mut self, kind: &str) -> Frame {
        loop {
            let frame = self.next().expect("the stream ended");
            if frame.kind == kind {
                return frame;
            }
            assert_eq!(frame.kind, "heartbeat", "{frame:?}");
        }
    }
}

/// dadvisor's report with these facts.
pub fn report(facts: &DadvisorFacts) -> Report {
    Report {
        version: "1".into(),
        address: "10.0.0.1:7001".into(),
        tls: false,
        dc: "dc1".into(),
        state: AgentState::Running,
        note: String::new(),
        facts: serde_json::to_value(facts).unwrap(),
    }
}

/// A node with these containers.
pub fn facts(containers: &[ContainerFact]) -> DadvisorFacts {
    let node = NodeFacts { address: "10.0.0.1".into(), ..NodeFacts::default() };
    DadvisorFacts { node, complete: true, containers: containers.to_vec(), ended: Vec::new() }
}

/// A running container.
pub fn container(app: &str, n: u8, health: Health) -> ContainerFact {
    let id = format!("{n:02x}").repeat(32);
    ContainerFact {
        instance: InstanceId::new(&id[..12]),
        id,
        name: format!("c{n}"),
        app: AppId::new(app),
        task: None,
        state: State::Running,
        health,
        started_at: None,
        image: "i:1".into(),
        digest: String::new(),
        restarts: 0,
        ports: Vec::new(),
        log_volumes: Vec::new(),
        labels: Default::default(),
        oom_kills: 0,
    }
}
