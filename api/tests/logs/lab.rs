//! A centre with one node, whose log-agent is played, and streams of its lines.

use crate::played::LogAgent;
use crate::served::{Home, LONGEST, Served, container, facts};
use common::api_types::ContainerFact;
use common::api_types::digest::hash;
use common::container::Health;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// A centre with one node, whose log-agent is played.
pub struct Lab {
    /// Outlives the centre that uses it.
    pub _home: Home,
    pub centre: Served,
    pub agent: LogAgent,
}

impl Lab {
    pub fn new(containers: &[ContainerFact]) -> Self {
        let home = Home::new();
        let centre = home.serve();
        let agent = LogAgent::start(&centre.get("/v1/keys").json());
        let lab = Self { _home: home, centre, agent };
        lab.run(containers);
        lab.report(&lab.agent.address.to_string());
        lab
    }

    /// These containers run.
    pub fn run(&self, containers: &[ContainerFact]) {
        assert_eq!(self.centre.report("n1", &facts(containers)).status, 200);
    }

    /// The log-agent tells where it listens.
    pub fn report(&self, address: &str) {
        let report = json!({"version": "1", "address": address, "dc": "dc1", "state": "running", "note": "", "facts": null});
        let digest = hash(&report);
        let headers = [
            ("qae-digest", digest.as_str()),
            ("qae-run", "h1.1700000000000.r2"),
            ("content-type", "application/json"),
        ];
        let path = "/v1/nodes/n1/agents/log-agent";
        let answer = self.centre.ask("PUT", path, &headers, report.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The key of an instance of this number.
    pub fn key(n: u8) -> String {
        format!("local/n1/{}", Self::id(n))
    }

    pub fn id(n: u8) -> String {
        format!("{n:02x}").repeat(6)
    }

    /// Makes a token; its `authorization` header.
    pub fn token(&self, asked: &Value) -> String {
        let kind = [("content-type", "application/json")];
        let made = self.centre.ask("POST", "/v1/tokens", &kind, asked.to_string().as_bytes());
        assert_eq!(made.status, 201, "{made:?}");
        format!("Bearer {}", made.json()["token"].as_str().unwrap())
    }

    /// Opens a stream of lines: of text, or of frames.
    pub fn open(&self, path: &str, accept: &str, authorization: &str) -> Lines {
        let mut socket = TcpStream::connect(&self.centre.address).unwrap();
        socket.set_read_timeout(Some(LONGEST)).unwrap();
        write!(
            socket,
            "GET {path} HTTP/1.0\r\nhost: {}\r\naccept: {accept}\r\nauthorization: {authorization}\r\n\r\n",
            self.centre.address
        )
        .unwrap();
        let mut lines = Lines(BufReader::new(socket));
        let head = lines.next().unwrap();
        assert!(head.contains(" 200 "), "{head}");
        while lines.next().unwrap() != "" {}
        lines
    }

    pub fn frames(&self, path: &str) -> Lines {
        self.open(path, "application/x-ndjson", &format!("Bearer {}", self.centre.token))
    }

    pub fn text(&self, path: &str) -> Lines {
        self.open(path, "*/*", &format!("Bearer {}", self.centre.token))
    }
}

/// What is read, line by line.
pub struct Lines(BufReader<TcpStream>);

impl Lines {
    /// None at the end.
    pub fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    pub fn frame(&mut self) -> Value {
        serde_json::from_str(&self.next().expect("the stream ended")).unwrap()
    }

    /// The next frame of this type; others before it are let go.
    pub fn expect(&mut self, kind: &str) -> Value {
        let mut seen = Vec::new();
        loop {
            let Some(line) = self.next() else { panic!("{kind}: the stream ended; seen {seen:?}") };
            let frame: Value = serde_json::from_str(&line).unwrap();
            if frame["type"] == kind {
                return frame;
            }
            seen.push(line);
        }
    }
}

pub const STREAM: &str = "/v1/apps/shop%2Fweb/logs/stream";

pub fn two() -> [ContainerFact; 2] {
    [container("shop/web", 1, Health::Unknown), container("shop/web", 2, Health::Unknown)]
}
