//! A played agent: it reports a node as dadvisor does, with the containers a test says it has.

use crate::centre::Centre;
use crate::http::{self, Answer};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// One node's dadvisor.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The node.
    pub node: String,
    /// Its token.
    pub token: String,
    /// What it says its process is: `<host>.<start>.<random>`.
    pub run: String,
}

impl Agent {
    /// An agent of a node, with a token of its own from the centre.
    pub fn new(centre: &Centre, node: &str) -> Result<Self> {
        let run = format!("{}.1700000000000.1", hex(node.as_bytes()));
        Ok(Self { node: node.to_owned(), token: centre.node_token(node)?, run })
    }

    /// Where it reports.
    pub fn path(&self) -> String {
        format!("/v1/nodes/{}/agents/dadvisor", self.node)
    }

    /// Reports these containers, all there are; whatever the answer.
    pub fn try_report(
        &self,
        address: &str,
        containers: &[Value],
        ended: &[Value],
    ) -> Result<Answer> {
        let report = json!({
            "version": "0.1.0", "address": "127.0.0.1:1", "dc": "dc1", "state": "running", "note": "",
            "facts": {
                "node": {"cpus": 2, "memory_bytes": 1 << 30, "kernel": "6.1", "docker": "24", "address": "10.0.0.1"},
                "complete": true, "containers": containers, "ended": ended,
            },
        });
        // the keys of a Value are sorted, as the digest wants them
        let body = report.to_string();
        self.put(address, &hex(&Sha256::digest(body.as_bytes())), &body)
    }

    /// PUTs a body under a digest.
    pub fn put(&self, address: &str, digest: &str, body: &str) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("qae-digest", digest),
            ("qae-run", self.run.as_str()),
        ];
        http::request(address, "PUT", &self.path(), &headers, body)
    }

    /// Reports these containers; anything but a 2xx is an error.
    pub fn report(&self, centre: &Centre, containers: &[Value]) -> Result<()> {
        let answer = self.try_report(&centre.address, containers, &[])?;
        ensure!(answer.status == 200, "{}: {}", answer.head, String::from_utf8_lossy(&answer.body));
        Ok(())
    }
}

/// A running container as dadvisor tells of one; `serial` makes its id.
pub fn container(app: &str, serial: u32) -> Value {
    let id = format!("{serial:012x}{}", "e".repeat(52));
    json!({
        "id": id, "name": format!("c{serial}"), "app": app, "instance": id[..12], "state": "running",
        "health": "unknown", "started_at": "2026-01-01T00:00:00.000Z", "image": "i", "digest": "sha256:1",
        "restarts": 0, "ports": [], "log_volumes": [], "labels": {"qae.app": app}, "oom_kills": 0,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        // writing to a String cannot fail
        write!(out, "{b:02x}").ok();
        out
    })
}
