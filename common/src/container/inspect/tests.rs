use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const MESOS: &str = include_str!("../../../tests/fixtures/docker_inspect_mesos_task.json");
const PLAIN: &str = include_str!("../../../tests/fixtures/docker_inspect_plain.json");
const ID: &str = "60ea206fa3b44ad61a2e6cfbe444862437b4027324be3ce104a1eaddbd419e50";

fn read(json: &Value) -> Inspected {
    from_inspect(json.to_string().as_bytes(), &Rules::default()).unwrap()
}

#[test]
fn a_marathon_task() {
    let rules = Rules { log_path: "/var/log/app/".to_owned() };
    let got = from_inspect(MESOS.as_bytes(), &rules).unwrap();
    assert!(got.left_out.is_empty(), "{:?}", got.left_out);
    let c = got.container;
    assert_eq!(c.id, ID);
    assert_eq!(c.name, "mesos-609007e6-75a0-4459-a177-658ce1c5118a");
    assert_eq!(c.app.as_str(), "shop/web");
    assert_eq!(
        c.instance.as_str(),
        "shop_web.instance-32d2c410-3618-11ea-b21c-0242ac110005._app.1"
    );
    assert_eq!((c.state, c.health, c.pid), (State::Running, Health::Unknown, Some(18344)));
    assert_eq!(c.started_at_ms, Some(1_578_928_820_917));
    assert_eq!(c.image, "registry.example.com/shop/web:2.14.0");
    assert!(c.image_id.starts_with("sha256:83d2"));
    assert_eq!((c.restarts, c.network, c.cgroup_parent), (0, Network::Own, None));
    assert_eq!(c.addresses, ["172.17.0.4".parse::<IpAddr>().unwrap()]);
    let port = Port {
        address: "0.0.0.0".parse().unwrap(),
        port: 31044,
        container_port: 8080,
        protocol: "tcp".to_owned(),
    };
    assert_eq!(c.ports, [port]);
    let logs = LogVolume {
        source: "/var/lib/app-logs/shop_web".to_owned(),
        target: "/var/log/app".to_owned(),
    };
    assert_eq!(c.log_volumes, [logs]);
    assert_eq!(c.json_log, Some(format!("/var/lib/docker/containers/{ID}/{ID}-json.log")));
    assert!(c.labels.is_empty());
}

#[test]
fn a_compose_container() {
    let c = from_inspect(PLAIN.as_bytes(), &Rules::default()).unwrap().container;
    assert_eq!((c.app.as_str(), c.instance.as_str()), ("billing/api", "4fd88b678eca"));
    assert_eq!(c.name, "billing_api_1");
    assert_eq!(c.addresses, ["172.19.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(
        c.ports.iter().map(|p| (p.port, p.container_port)).collect::<Vec<_>>(),
        [(8081, 3000)]
    );
    assert!(c.log_volumes.is_empty());
}

#[test]
fn the_logs_label_names_several_volumes_and_says_what_is_missing() {
    let got = read(&json!({
        "Id": ID,
        "Config": {"Labels": {"qae.logs": "/a/, /b,/none,/tmpfs,/a", "qae.metrics": "http://:1/m", "x": "y"}},
        "Mounts": [
            {"Source": "/h/a", "Destination": "/a"}, {"Source": "/h/b", "Destination": "/b"},
            {"Source": "", "Destination": "/tmpfs"}, {"Source": "/h/q", "Destination": "/qae/logs"},
        ],
    }));
    let found: Vec<_> = got.container.log_volumes.iter().map(|v| v.source.as_str()).collect();
    assert_eq!(found, ["/h/a", "/h/b"]);
    assert_eq!(got.left_out.len(), 2, "{:?}", got.left_out);
    assert_eq!(got.container.labels.len(), 2);
}

#[test]
fn what_lies_in_the_sandbox_of_a_task() {
    let run = "609007e6-75a0-4459-a177-658ce1c5118a";
    let sandbox = format!("/m/slaves/s-S0/frameworks/f/executors/t.1/runs/{run}");
    let logs = |label: &str| {
        let got = read(&json!({
            "Id": ID,
            "Config": {"Labels": {"qae.logs": label}},
            "Mounts": [
                {"Source": sandbox, "Destination": "/mnt/mesos/sandbox"},
                {"Source": format!("{sandbox}/mounted"), "Destination": "/mnt/mesos/sandbox/x"},
            ],
        }));
        let strip =
            |v: &LogVolume| (v.source.strip_prefix(&sandbox).unwrap().to_owned(), v.target.clone());
        got.container.log_volumes.iter().map(strip).collect::<Vec<_>>()
    };
    let is = |source: &str, target: &str| (source.to_owned(), target.to_owned());
    assert_eq!(logs("."), [is("", "/mnt/mesos/sandbox")]);
    assert_eq!(
        logs("/mnt/mesos/sandbox/,logs/app"),
        [is("", "/mnt/mesos/sandbox"), is("/logs/app", "/mnt/mesos/sandbox/logs/app")]
    );
    assert_eq!(logs("/mnt/mesos/sandbox/x"), [is("/mounted", "/mnt/mesos/sandbox/x")]);
    assert!(logs("../x,/qae/logs").is_empty());
}

#[test]
fn only_json_file_keeps_a_log_that_is_read() {
    let log = |driver: &str, path: &str| {
        let config = json!({"LogConfig": {"Type": driver, "Config": {}}});
        read(&json!({"Id": ID, "LogPath": path, "HostConfig": config})).container.json_log
    };
    assert_eq!(log("json-file", "/d/x-json.log").as_deref(), Some("/d/x-json.log"));
    for (driver, path) in
        [("local", "/d/x"), ("journald", ""), ("json-file", ""), ("json-file", "x")]
    {
        assert_eq!(log(driver, path), None);
    }
}

#[test]
fn states_networks_health_and_ends() {
    let state = |state: Value| read(&json!({"Id": ID, "State": state}));
    assert_eq!(state(json!({"Running": true, "Paused": true})).container.state, State::Paused);
    assert_eq!(
        state(json!({"Running": true, "Restarting": true})).container.state,
        State::Restarting
    );
    assert_eq!(state(json!({"Status": "created"})).container.state, State::Created);
    assert_eq!(state(json!({"Status": "dead"})).container.state, State::Exited);
    let sick =
        state(json!({"Running": true, "Status": "new-word", "Health": {"Status": "unhealthy"}}));
    assert_eq!((sick.container.state, sick.container.health), (State::Running, Health::Unhealthy));
    let ended = state(json!({"ExitCode": 137, "OOMKilled": true, "Pid": 0}));
    assert_eq!((ended.exit_code, ended.oom_killed, ended.container.pid), (137, true, None));
    for (mode, wanted) in [
        ("host", Network::Host),
        ("none", Network::None),
        ("container:abc", Network::Container("abc".to_owned())),
        ("default", Network::Own),
        ("billing_default", Network::Own),
    ] {
        let got =
            read(&json!({"Id": ID, "HostConfig": {"NetworkMode": mode, "CgroupParent": "/jobs"}}));
        assert_eq!(got.container.network, wanted);
        assert_eq!(got.container.cgroup_parent.as_deref(), Some("/jobs"));
    }
}

#[test]
fn nothing_but_an_id_is_a_container_and_null_is_missing() {
    let nulls = json!({
        "Id": ID, "Name": null, "Image": null, "RestartCount": null, "State": null, "HostConfig": null,
        "Config": {"Labels": null, "Env": null, "Image": null}, "Mounts": null,
        "NetworkSettings": {"Ports": {"80/tcp": null}, "Networks": null},
    });
    assert_eq!(read(&nulls), read(&json!({"Id": ID})));
    assert_eq!(read(&nulls).container.app.as_str(), "docker/60ea206fa3b4");
    for bad in ["", "[]", "null", r#"{"Id":"../../etc"}"#, r#"{"Id":7}"#, "{"] {
        assert!(from_inspect(bad.as_bytes(), &Rules::default()).is_err(), "{bad}");
    }
}

#[test]
fn what_is_too_much_is_left_out_and_said() {
    let labels: Value = (0..200).map(|i| (format!("qae.l{i}"), Value::from("v"))).collect();
    let bindings: Vec<Value> =
        (1..=400).map(|p| json!({"HostIp": "", "HostPort": p.to_string()})).collect();
    let got = read(&json!({
        "Id": ID, "Name": format!("/{}", "é".repeat(4_000)),
        "Config": {"Labels": labels, "Env": ["x".repeat(1_000_000)]},
        "NetworkSettings": {"Ports": {"80/tcp": bindings, "x": [{}], "9/udp": [{"HostIp": "bad", "HostPort": "1"}]}},
    }));
    assert_eq!(got.container.labels.len(), MAX_LABELS);
    assert_eq!(got.container.ports.len(), MAX_PORTS);
    assert!(got.container.name.len() <= MAX_TEXT);
    assert_eq!(got.left_out.len(), 2, "{:?}", got.left_out);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let mut json =
        format!(r#"{{"Id":"{ID}","Config":{{"Labels":{{"qae.app":"a?b"}}}}}}"#).into_bytes();
    let at = json.iter().position(|b| *b == b'?').unwrap();
    json[at] = 0xff;
    let got = from_inspect(&json, &Rules::default()).unwrap().container;
    assert_eq!(got.app.as_str(), "a\u{fffd}b");
    assert!(got.app.component().starts_with("a___b-"));
}

/// Any JSON, with the names that are looked for among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}|[0-9]{1,6}/tcp|2020-01-01T00:00:00Z".prop_map(Value::from),
    ];
    let key = "Id|Name|State|Config|Labels|Env|Mounts|NetworkSettings|Ports|Networks|HostPort|Pid|[a-z./]{0,6}";
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..8)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_with_an_id_is_a_container(mut json in any_json()) {
        if let Value::Object(fields) = &mut json {
            fields.insert("Id".to_owned(), ID.into());
            let got = from_inspect(json.to_string().as_bytes(), &Rules::default());
            prop_assert!(got.is_ok_and(|g| g.container.id == ID && !g.container.app.as_str().is_empty()));
        }
    }

    #[test]
    fn any_bytes_break_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..7000) {
        prop_assert!(from_inspect(&bytes, &Rules::default()).is_err());
        let part = &MESOS.as_bytes()[..cut.min(MESOS.len() - 2)];
        prop_assert!(from_inspect(part, &Rules::default()).is_err());
    }

    #[test]
    fn any_names_and_labels(name in ".{0,50}", key in "qae\\..{0,20}", value in ".{0,100}") {
        let got = read(&json!({"Id": ID, "Name": name, "Config": {"Labels": {key.clone(): value.clone()}}}));
        prop_assert_eq!(got.container.labels.get(&key), Some(&value));
        let component = got.container.app.component();
        prop_assert!(component.len() <= crate::ids::MAX_COMPONENT);
    }
}
