use super::*;
use common::api_types::Backend;
use serde_json::{Value, json};

fn translated(app_json: Value) -> Translated {
    let listed: wire::App = serde_json::from_value(app_json).unwrap();
    let mut left_out = 0;
    let translated = app(listed, &mut left_out).unwrap();
    assert_eq!(left_out, 0);
    translated
}

fn backend(address: &str, port: u16, inside: Option<u16>, name: Option<&str>) -> Backend {
    Backend { address: address.into(), port, container_port: inside, name: name.map(str::to_owned) }
}

fn backends(mut app: Value, ports: Value) -> Vec<Backend> {
    app["id"] = "/a".into();
    app["tasks"] = json!([{"id": "a.1", "host": "h", "ports": ports, "state": "TASK_RUNNING",
        "ipAddresses": [{"ipAddress": "nonsense"}, {"ipAddress": "10.9.0.4"}]}]);
    translated(app).tasks[0].task.backends.clone()
}

#[test]
fn the_same_cluster_in_both_dialects() {
    for text in [
        include_str!("../../../../tests/fixtures/marathon/apps_1_4.json"),
        include_str!("../../../../tests/fixtures/marathon/apps_1_9.json"),
    ] {
        let mut left_out = 0;
        let apps = apps(wire::read_apps(text.as_bytes()).unwrap(), &mut left_out);
        assert_eq!(left_out, 0);
        let web = apps.iter().find(|a| a.app.id.as_str() == "shop/web").unwrap();
        assert_eq!((web.app.wanted, web.checks, web.tasks.len()), (4, 1, 4));
        assert_eq!(web.app.labels["team"], "shop");
        let health: Vec<_> = web.tasks.iter().map(|t| t.task.health).collect();
        assert_eq!(health.iter().filter(|h| **h == Health::Healthy).count(), 2);
        assert_eq!(health.iter().filter(|h| **h == Health::Unhealthy).count(), 1);
        let first = &web.tasks[0].task;
        assert_eq!(first.state, InstanceState::Running);
        assert_eq!(
            first.backends,
            [backend("node-01.prod.example.com", 31044, Some(8080), Some("http"))]
        );
        assert!(web.tasks[0].instance.starts_with("shop_web."));
        let staging = web.tasks.iter().find(|t| t.task.state == InstanceState::Staging).unwrap();
        assert_eq!((staging.task.health, staging.checked), (Health::Unknown, false));
        // instance ids from the checks and from the task id are the same
        for task in &web.tasks {
            assert_eq!(task.instance, ids::of_task(task.task.id.as_str()).instance);
        }
        let rpc = apps.iter().find(|a| a.app.id.as_str() == "shop/rpc").unwrap();
        assert!(rpc.tasks[0].task.backends[0].container_port.is_none());
        let worker = apps.iter().find(|a| a.app.id.as_str() == "batch/worker").unwrap();
        assert!(worker.tasks[0].task.backends.is_empty());
    }
}

#[test]
fn an_incarnation_counts_as_a_restart() {
    let text = include_str!("../../../../tests/fixtures/marathon/apps_1_9.json");
    let apps = apps(wire::read_apps(text.as_bytes()).unwrap(), &mut 0);
    let restarts: Vec<_> =
        apps.iter().flat_map(|a| &a.tasks).map(|t| t.task.restarts).filter(|n| *n > 0).collect();
    assert_eq!(restarts, [2]);
}

#[test]
fn mappings_without_a_host_port_shift_the_rest() {
    let own = json!({"networks": [{"mode": "container", "name": "x"}], "container": {"portMappings": [
        {"containerPort": 80, "name": "web"},
        {"containerPort": 90, "hostPort": 0, "name": "admin"},
        {"containerPort": 53, "hostPort": 0, "protocol": "udp"},
        {"containerPort": 0, "hostPort": 0, "protocol": "udp,tcp"},
    ]}});
    assert_eq!(
        backends(own.clone(), json!([31001, 31002, 31003])),
        [
            backend("10.9.0.4", 80, None, Some("web")),
            backend("h", 31001, Some(90), Some("admin")),
            backend("h", 31003, None, None),
        ]
    );
    // a task of another definition
    assert_eq!(
        backends(own, json!([31001, 0, 31002, null])),
        [backend("h", 31001, None, None), backend("h", 31002, None, None)]
    );
}

#[test]
fn old_networking() {
    let docker = |network: &str| {
        json!({"container": {"docker": {"network": network, "portMappings": [
        {"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "hostPort": 0}]}},
        "portDefinitions": [{"port": 10004, "name": "x"}]})
    };
    assert_eq!(
        backends(docker("BRIDGE"), json!([1, 2])),
        [backend("h", 1, Some(8080), Some("http")), backend("h", 2, Some(9090), None)]
    );
    assert_eq!(
        backends(docker("USER"), json!([2])),
        [backend("10.9.0.4", 8080, None, Some("http")), backend("h", 2, Some(9090), None)]
    );
    assert_eq!(backends(docker("HOST"), json!([5])), [backend("h", 5, None, Some("x"))]);
    let discovery = json!({"ipAddress": {"discovery": {"ports": [
        {"number": 70, "name": "g", "protocol": "tcp"}, {"number": 71, "protocol": "udp"}]}}});
    assert_eq!(backends(discovery, json!([])), [backend("10.9.0.4", 70, None, Some("g"))]);
    // 0.8: nothing but ports
    assert_eq!(
        backends(json!({"ports": [10004]}), json!([31000])),
        [backend("h", 31000, None, None)]
    );
}

#[test]
fn states() {
    for (status, started, wanted) in [
        (json!("TASK_KILLING"), json!("2020-01-13T15:20:20.917Z"), InstanceState::Stopping),
        (json!(null), json!("2020-01-13T15:20:20.917Z"), InstanceState::Running),
        (json!(null), json!(null), InstanceState::Staging),
        (json!("TASK_NEW"), json!(null), InstanceState::Staging),
        (json!("TASK_UNREACHABLE"), json!(null), InstanceState::Unreachable),
        (json!("TASK_FAILED"), json!(null), InstanceState::Ended),
    ] {
        let app =
            json!({"id": "/a", "tasks": [{"id": "a.1", "state": status, "startedAt": started}]});
        let task = translated(app).tasks[0].task.clone();
        assert_eq!(task.state, wanted, "{status}");
        assert_eq!(task.exit.is_some(), wanted == InstanceState::Ended);
    }
}

#[test]
fn what_is_out_of_bounds_is_counted() {
    let long = "x".repeat(5000);
    let listed = json!([
        {"id": "/"}, {"id": long}, {"id": "/a\n"},
        {"id": "/a", "labels": {"k": long, "ok": "1"}, "tasks": [{"id": ""}, {"id": long}, {"id": "a.1", "host": long}]},
    ]);
    let mut left_out = 0;
    let apps = apps(serde_json::from_value(listed).unwrap(), &mut left_out);
    assert_eq!((apps.len(), left_out), (1, 6));
    assert_eq!((apps[0].tasks.len(), apps[0].tasks[0].task.host.clone()), (1, None));
    assert_eq!(apps[0].app.labels.len(), 1);
    let many = json!({"id": "/a", "labels":
        (0..1000).map(|n| (n.to_string(), json!(""))).collect::<serde_json::Map<_, _>>()});
    let (mut left_out, many) = (0, serde_json::from_value(many).unwrap());
    assert_eq!(app(many, &mut left_out).unwrap().app.labels.len(), MOST_LABELS);
    assert_eq!(left_out, 744);
}
