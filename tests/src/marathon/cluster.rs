//! The state of a played cluster, and what its changes tell.

use super::Version;
use super::events::Streams;
use super::faults::Faults;
use super::server::Asked;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) version: Version,
    pub(super) addresses: Vec<String>,
    pub(super) leader: Option<usize>,
    pub(super) credentials: Option<(String, String)>,
    pub(super) faults: Faults,
    pub(super) muted: bool,
    pub(super) ended: bool,
    pub(super) heartbeat: Duration,
    pub(super) buffer: usize,
    pub(super) asked: Vec<Asked>,
    pub(super) apps: BTreeMap<String, App>,
    pub(super) tasks: BTreeMap<String, Task>,
    streams: Streams,
    made: u32,
}

#[derive(Debug, Clone)]
pub(super) struct App {
    pub(super) instances: u32,
    pub(super) labels: BTreeMap<String, String>,
    /// `container/bridge`, `container`, `host`.
    pub(super) network: String,
    pub(super) version: String,
}

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) app: String,
    pub(super) instance: String,
    pub(super) incarnation: u32,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) ip: String,
    pub(super) state: String,
    pub(super) staged_at: String,
    pub(super) started_at: Option<String>,
    pub(super) version: String,
    pub(super) alive: Option<bool>,
}

/// Now, in Marathon's form.
pub(super) fn now() -> String {
    common::moment::Moment::from(SystemTime::now()).to_string()
}

impl Cluster {
    pub(super) fn new(version: Version, addresses: Vec<String>) -> Self {
        Self {
            version,
            addresses,
            leader: Some(0),
            credentials: None,
            faults: Faults::default(),
            muted: false,
            ended: false,
            heartbeat: Duration::from_secs(10),
            buffer: if version >= Version::V1_9 { 1024 } else { 50 },
            asked: Vec::new(),
            apps: BTreeMap::new(),
            tasks: BTreeMap::new(),
            streams: Streams::default(),
            made: 0,
        }
    }

    pub(super) fn streams(&mut self) -> usize {
        self.streams.open()
    }

    pub(super) fn attach(&mut self) -> super::events::Stream {
        let stream = self.streams.attach(self.buffer, self.version >= Version::V1_9);
        self.tell("event_stream_attached", json!({"remoteAddress": "127.0.0.1"}));
        stream
    }

    pub(super) fn close_streams(&mut self) {
        self.streams.close();
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.streams.close();
    }

    /// A new leader begins all checks anew.
    pub(super) fn forget_health(&mut self) {
        self.tasks.values_mut().for_each(|task| task.alive = None);
    }

    pub(super) fn tell(&mut self, kind: &str, mut body: Value) {
        if self.muted {
            return;
        }
        body["eventType"] = kind.into();
        body["timestamp"] = now().into();
        let line = match self.version {
            Version::V0_8 | Version::V0_10 => String::new(),
            _ => format!("event: {kind}\r\n"),
        };
        self.streams.send(format!("{line}data: {body}\r\n\r\n").as_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.streams.send(bytes);
    }

    fn app(&mut self, id: &str) -> Result<&mut App> {
        self.apps.get_mut(id).with_context(|| format!("no app {id}"))
    }

    fn task(&mut self, id: &str) -> Result<&mut Task> {
        self.tasks.get_mut(id).with_context(|| format!("no task {id}"))
    }

    pub(super) fn define(&mut self, id: &str, instances: u32) {
        let version = now();
        let old = self.apps.remove(id);
        let (labels, network) = match old {
            Some(old) => (old.labels, old.network),
            None => (BTreeMap::new(), "container/bridge".to_owned()),
        };
        self.apps.insert(id.to_owned(), App { instances, labels, network, version });
        self.defined(id);
    }

    pub(super) fn label(&mut self, app: &str, key: &str, value: &str) -> Result<()> {
        self.app(app)?.labels.insert(key.to_owned(), value.to_owned());
        self.defined(app);
        Ok(())
    }

    pub(super) fn network(&mut self, app: &str, mode: &str) -> Result<()> {
        self.app(app)?.network = mode.to_owned();
        self.defined(app);
        Ok(())
    }

    /// The events of one PUT, in an order that Marathon has been seen to use.
    fn defined(&mut self, id: &str) {
        self.deployment("deployment_info", id, "ScaleApplication");
        self.tell("group_change_success", json!({"groupId": "/", "version": now()}));
        let definition = self.definition(id);
        self.tell(
            "api_post_event",
            json!({"clientIp": "127.0.0.1", "uri": format!("/v2/apps/{id}"), "appDefinition": definition}),
        );
        self.deployment("deployment_success", id, "ScaleApplication");
    }

    fn deployment(&mut self, kind: &str, app: &str, action: &str) {
        let actions = json!([{"action": action, "app": app}]);
        let steps = match self.version {
            Version::V0_8 | Version::V0_10 => json!([actions]),
            _ => json!([{"actions": actions}]),
        };
        let plan =
            json!({"id": "1c7da656-015a-4be7-8cfb-307c2a73229d", "steps": steps, "version": now()});
        self.tell(kind, json!({"plan": plan, "currentStep": {"actions": actions}}));
    }

    pub(super) fn delete(&mut self, app: &str) -> Result<()> {
        self.app(app)?;
        self.deployment("deployment_info", app, "StopApplication");
        let tasks: Vec<String> =
            self.tasks.iter().filter(|(_, t)| t.app == app).map(|(id, _)| id.clone()).collect();
        for task in tasks {
            self.status(&task, "TASK_KILLED", "")?;
        }
        self.apps.remove(app);
        self.tell("app_terminated_event", json!({"appId": app}));
        self.deployment("deployment_success", app, "StopApplication");
        Ok(())
    }

    pub(super) fn launch(&mut self, app: &str) -> Result<String> {
        self.made += 1;
        let uuid = format!("{:08x}-36b4-11ea-b21c-0242ac110005", self.made);
        let safe = app.trim_start_matches('/').replace('/', "_");
        let (id, instance) = match self.version {
            Version::V0_8 | Version::V0_10 | Version::V1_3 => {
                (format!("{safe}.{uuid}"), String::new())
            }
            Version::V1_4 => (format!("{safe}.{uuid}"), format!("{safe}.marathon-{uuid}")),
            Version::V1_9 => {
                (format!("{safe}.instance-{uuid}._app.1"), format!("{safe}.instance-{uuid}"))
            }
        };
        self.stage(app, id, instance, 1)
    }

    fn stage(
        &mut self,
        app: &str,
        id: String,
        instance: String,
        incarnation: u32,
    ) -> Result<String> {
        let version = self.app(app)?.version.clone();
        let host = format!("node-{:02}", self.made % 3 + 1);
        let task = Task {
            app: app.to_owned(),
            instance,
            incarnation,
            port: 31_000 + u16::try_from(self.made % 1000)?,
            ip: format!("172.17.0.{}", self.made % 250 + 2),
            host,
            state: "TASK_STAGING".to_owned(),
            staged_at: now(),
            started_at: None,
            version,
            alive: None,
        };
        self.tasks.insert(id.clone(), task);
        if self.version <= Version::V1_3 {
            self.update(&id, "TASK_STAGING", "");
        } else {
            let first = if self.version == Version::V1_4 { "Created" } else { "Scheduled" };
            self.condition(&id, first);
            self.condition(&id, "Provisioned");
        }
        Ok(id)
    }

    pub(super) fn status(&mut self, id: &str, status: &str, message: &str) -> Result<()> {
        let task = self.task(id)?;
        task.state = match status {
            // from 1.4 on a list never says so
            "TASK_LOST" => "TASK_UNREACHABLE".to_owned(),
            other => other.to_owned(),
        };
        if status == "TASK_RUNNING" {
            task.started_at.get_or_insert_with(now);
        }
        self.update(id, status, message);
        let condition = match status {
            "TASK_RUNNING" => "Running",
            "TASK_KILLING" => "Killing",
            "TASK_KILLED" => "Killed",
            "TASK_FAILED" => "Failed",
            "TASK_FINISHED" => "Finished",
            "TASK_UNREACHABLE" | "TASK_LOST" => "Unreachable",
            _ => "Unknown",
        };
        self.condition(id, condition);
        let over = ["TASK_KILLED", "TASK_FAILED", "TASK_FINISHED", "TASK_ERROR", "TASK_GONE"];
        if over.contains(&status) {
            self.tasks.remove(id);
        }
        Ok(())
    }

    pub(super) fn replace(&mut self, id: &str) -> Result<String> {
        let task = self.task(id)?.clone();
        if self.version < Version::V1_9 {
            self.status(id, "TASK_FAILED", "Container exited with status 1")?;
            return self.launch(&task.app);
        }
        self.status(id, "TASK_FAILED", "Container exited with status 1")?;
        let next = task.incarnation + 1;
        let id = format!("{}._app.{next}", task.instance);
        self.made += 1;
        self.stage(&task.app, id, task.instance, next)
    }

    pub(super) fn unreachable(&mut self, id: &str, given_up: bool) -> Result<()> {
        let task = self.task(id)?;
        task.state = "TASK_UNREACHABLE".to_owned();
        self.update(id, "TASK_UNREACHABLE", "health check timed out");
        if given_up {
            self.condition(id, "UnreachableInactive");
            self.tasks.remove(id);
        } else {
            self.condition(id, "Unreachable");
        }
        Ok(())
    }

    pub(super) fn check(&mut self, id: &str, alive: bool) -> Result<()> {
        let version = self.version;
        let task = self.task(id)?;
        if task.alive == Some(alive) {
            return Ok(());
        }
        task.alive = Some(alive);
        let task = task.clone();
        let mut event = json!({"appId": task.app, "version": task.version, "alive": alive});
        if version >= Version::V1_4 {
            event["instanceId"] = task.instance.clone().into();
        } else {
            event["taskId"] = id.into();
        }
        self.tell("health_status_changed_event", event);
        if version >= Version::V1_4 {
            self.tell(
                "instance_health_changed_event",
                json!({"instanceId": task.instance, "runSpecId": task.app, "healthy": alive, "runSpecVersion": task.version}),
            );
        }
        Ok(())
    }

    fn update(&mut self, id: &str, status: &str, message: &str) {
        let Some(task) = self.tasks.get(id).cloned() else { return };
        let lost = matches!(status, "TASK_LOST" | "TASK_UNREACHABLE" | "TASK_STAGING");
        let ips =
            if lost { json!([]) } else { json!([{"ipAddress": task.ip, "protocol": "IPv4"}]) };
        let body = json!({"slaveId": "5b1f0a52-S0", "taskId": id, "taskStatus": status, "message": message,
            "appId": task.app, "host": task.host, "ipAddresses": ips, "ports": [task.port], "version": task.version});
        self.tell("status_update_event", body);
    }

    fn condition(&mut self, id: &str, condition: &str) {
        let Some(task) = self.tasks.get(id).cloned() else { return };
        if self.version < Version::V1_4 {
            return;
        }
        let host = if condition == "Scheduled" { Value::Null } else { task.host.into() };
        let body = json!({"instanceId": task.instance, "condition": condition, "runSpecId": task.app,
            "agentId": null, "host": host, "runSpecVersion": task.version});
        self.tell("instance_changed_event", body);
    }
}
