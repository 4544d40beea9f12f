//! Simulated nodes that report as dadvisor does.

use super::api::Api;
use super::talk::Line;
use anyhow::{Context, Result};
use common::api_types::digest;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Containers on each node.
pub const CONTAINERS: usize = 5;

struct Node {
    name: String,
    token: String,
    line: Option<Line>,
    restarts: u64,
    told: String,
}

/// All of them.
pub struct Nodes {
    nodes: Vec<Node>,
    turn: usize,
}

impl Nodes {
    /// Gets a token for each.
    pub async fn enrol(api: &Api, count: usize) -> Result<Self> {
        let mut line = Line::open(&api.address).await?;
        let mut nodes = Vec::with_capacity(count);
        for n in 0..count {
            let name = format!("n{n}");
            let body = json!({"name": format!("agents-{name}"), "node": name}).to_string();
            let json_body = [("Content-Type", "application/json")];
            let made = line.good(&api.token, "POST", "/v1/tokens", &json_body, &body).await?;
            let made: Value = serde_json::from_str(&made)?;
            let token = made["token"].as_str().context("no token")?.to_owned();
            nodes.push(Node { name, token, line: None, restarts: 0, told: String::new() });
        }
        Ok(Self { nodes, turn: 0 })
    }

    /// Every node reports once, spread over `within`; one in `changed_in` has changed (0: none).
    pub async fn round(&mut self, api: &Api, within: Duration, changed_in: usize) -> Result<()> {
        let begin = Instant::now();
        let count = u32::try_from(self.nodes.len())?;
        self.turn += 1;
        for (at, n) in (0..count).zip(0..) {
            sleep_until(begin + within * at / count).await;
            let node = &mut self.nodes[n];
            if changed_in > 0 && (n + self.turn) % changed_in == 0 {
                node.restarts += 1;
            }
            node.report(api).await?;
        }
        sleep_until(begin + within).await;
        Ok(())
    }

    /// One instance of the first node changes: the number of its event.
    pub async fn change_one(&mut self, api: &Api) -> Result<u64> {
        let node = &mut self.nodes[0];
        node.restarts += 1;
        let answer: Value = serde_json::from_str(&node.report(api).await?)?;
        let cursor = answer["cursor"].as_str().context("no cursor")?;
        cursor.split(':').nth(1).and_then(|s| s.parse().ok()).context("no number")
    }
}

impl Node {
    async fn report(&mut self, api: &Api) -> Result<String> {
        let body = self.body();
        let digest = digest::hash(&body);
        let body = if digest == self.told { String::new() } else { body.to_string() };
        let path = format!("/v1/nodes/{}/agents/dadvisor", self.name);
        let run = format!("{}.1700000000000.1", self.name);
        let headers =
            [("Content-Type", "application/json"), ("qae-digest", &*digest), ("qae-run", &*run)];
        if let Some(line) = &mut self.line {
            let answer = line.good(&self.token, "PUT", &path, &headers, &body).await;
            if answer.is_ok() {
                self.told = digest;
                return answer;
            }
        }
        // the centre was restarted, or closed a connection that was quiet for too long
        let mut line = Line::open(&api.address).await?;
        let answer = line.good(&self.token, "PUT", &path, &headers, &body).await?;
        self.line = Some(line);
        self.told = digest;
        Ok(answer)
    }

    /// Only the first container ever changes, by its restarts.
    fn body(&self) -> Value {
        let containers = (0..CONTAINERS).map(|c| {
            let id = digest::hash(&format!("{}/{c}", self.name));
            json!({
                "id": id, "name": format!("c{c}"), "app": format!("shop/{c}"), "instance": id[..12], "state": "running",
                "health": "healthy", "started_at": "2026-01-01T00:00:00.000Z", "image": "shop/web:4",
                "digest": format!("sha256:{id}"), "restarts": if c == 0 { self.restarts } else { 0 },
                "ports": [{"address": "0.0.0.0", "port": 31_000 + c, "container_port": 8080, "protocol": "tcp"}],
                "log_volumes": [], "labels": {"qae.app": format!("shop/{c}")}, "oom_kills": 0,
            })
        });
        json!({
            "version": "0.1.0", "address": "127.0.0.1:1", "dc": "dc1", "state": "running", "note": "",
            "facts": {
                "node": {"cpus": 8, "memory_bytes": 1u64 << 35, "kernel": "6.1.0", "docker": "24.0", "address": "10.0.0.1"},
                "complete": true, "containers": containers.collect::<Vec<_>>(), "ended": [],
            },
        })
    }
}
