//! What the played Marathon answers, in its version's dialect.

use super::Version;
use super::cluster::{App, Cluster, Task};
use serde_json::{Map, Value, json};

impl Cluster {
    /// `GET /v2/info`.
    pub(super) fn info(&self, server: usize) -> Value {
        let leader = self.leader.map(|n| self.addresses[n].clone());
        json!({"name": "marathon", "version": self.version.name(), "elected": self.leader == Some(server),
            "leader": leader, "frameworkId": "5b1f0a52-7d0e-4b0e-9f0c-2f6f6f0f3a10-0000",
            "marathon_config": {"hostname": "m1"}, "http_config": {"http_port": 8080}})
    }

    /// `GET /v2/apps`.
    pub(super) fn list(&self, embed: bool) -> Value {
        let apps: Vec<Value> = self.apps.keys().map(|id| self.listed(id, embed)).collect();
        json!({ "apps": apps })
    }

    /// An app with its extras.
    pub(super) fn listed(&self, id: &str, embed: bool) -> Value {
        let mut app = self.definition(id);
        let tasks: Vec<(&String, &Task)> = self.tasks.iter().filter(|(_, t)| t.app == id).collect();
        let count = |what: &dyn Fn(&Task) -> bool| tasks.iter().filter(|(_, t)| what(t)).count();
        app["tasksStaged"] = count(&|t| t.started_at.is_none()).into();
        app["tasksRunning"] = count(&|t| t.started_at.is_some()).into();
        app["tasksHealthy"] = count(&|t| t.alive == Some(true)).into();
        app["tasksUnhealthy"] = count(&|t| t.alive == Some(false)).into();
        app["deployments"] = json!([]);
        if embed && self.version > Version::V0_8 {
            app["tasks"] = tasks.iter().map(|(id, task)| self.task_json(id, task)).collect();
        }
        app
    }

    /// `GET /v2/tasks`.
    pub(super) fn tasks_json(&self) -> Value {
        let tasks: Vec<Value> = self.tasks.iter().map(|(id, t)| self.task_json(id, t)).collect();
        json!({ "tasks": tasks })
    }

    pub(super) fn definition(&self, id: &str) -> Value {
        let Some(app) = self.apps.get(id) else { return json!({ "id": id }) };
        let mut out = json!({"id": id, "instances": app.instances, "cpus": 0.5, "mem": 512, "disk": 0,
            "labels": app.labels, "env": {"A": "b"}, "constraints": [["hostname", "GROUP_BY"]],
            "healthChecks": [{"protocol": "HTTP", "path": "/health", "portIndex": 0, "intervalSeconds": 10}],
            "upgradeStrategy": {"minimumHealthCapacity": 0.75, "maximumOverCapacity": 0.5},
            "version": app.version});
        let docker = json!({"image": "registry.example.com/shop/web:2.14.0", "privileged": false, "parameters": []});
        out["container"] = json!({"type": "DOCKER", "volumes": [], "docker": docker});
        let port = json!({"containerPort": 8080, "hostPort": 0, "protocol": "tcp", "name": "http", "labels": {}});
        if self.version == Version::V1_9 {
            new_networking(&mut out, app, port);
        } else {
            old_networking(&mut out, app, port);
        }
        if self.version > Version::V0_10 {
            out["versionInfo"] =
                json!({"lastScalingAt": app.version, "lastConfigChangeAt": app.version});
        }
        out
    }

    fn task_json(&self, id: &str, task: &Task) -> Value {
        let mut out = Map::new();
        let mut set = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        set("id", id.into());
        set("appId", task.app.clone().into());
        set("host", task.host.clone().into());
        // a mapping without a host port takes none
        let own = self.apps.get(&task.app).is_some_and(|app| app.network == "container");
        let ports =
            if own && self.version == Version::V1_9 { json!([]) } else { json!([task.port]) };
        set("ports", ports);
        set("servicePorts", json!([10004]));
        set("stagedAt", task.staged_at.clone().into());
        set("version", task.version.clone().into());
        if task.started_at.is_some() || self.version < Version::V1_9 {
            set("startedAt", task.started_at.clone().into());
        }
        if self.version > Version::V0_10 {
            set("slaveId", "5b1f0a52-S0".into());
            set("ipAddresses", json!([{"ipAddress": task.ip, "protocol": "IPv4"}]));
        }
        if self.version >= Version::V1_3 {
            set("state", task.state.clone().into());
        }
        let result = task.alive.map(|alive| {
            let mut result = json!({"alive": alive, "consecutiveFailures": u8::from(!alive)});
            if self.version >= Version::V1_4 {
                result["instanceId"] = task.instance.clone().into();
            } else {
                result["taskId"] = id.into();
                result["lastFailure"] = Value::Null;
            }
            result
        });
        if result.is_some() || self.version == Version::V1_9 {
            set("healthCheckResults", result.into_iter().collect());
        }
        Value::Object(out)
    }
}

fn new_networking(out: &mut Value, app: &App, mut port: Value) {
    out["networks"] = json!([{ "mode": app.network }]);
    match app.network.as_str() {
        "host" => {
            out["portDefinitions"] =
                json!([{"port": 10004, "protocol": "tcp", "name": "http", "labels": {}}]);
        }
        mode => {
            if mode == "container" {
                port.as_object_mut().and_then(|p| p.remove("hostPort"));
            }
            out["container"]["portMappings"] = json!([port]);
        }
    }
}

fn old_networking(out: &mut Value, app: &App, port: Value) {
    let network = match app.network.as_str() {
        "host" => "HOST",
        "container" => "USER",
        _ => "BRIDGE",
    };
    out["container"]["docker"]["network"] = network.into();
    if network != "HOST" {
        out["container"]["docker"]["portMappings"] = json!([port]);
    }
    out["ports"] = json!([10004]);
    for absent in ["cmd", "args", "user", "ipAddress", "residency"] {
        out[absent] = Value::Null;
    }
}
