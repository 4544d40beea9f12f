use super::*;
use crate::container::from_inspect;
use proptest::prelude::*;
use serde_json::{Value, json};

const STATE: &[u8] = include_bytes!("../../../tests/fixtures/mesos_slave_state.json");
const CONTAINERS: &[u8] = include_bytes!("../../../tests/fixtures/mesos_slave_containers.json");
const WEB: &str = "609007e6-75a0-4459-a177-658ce1c5118a";
const UCR: &str = "19ca0947-3df0-43ea-9c4b-24e62ece24e0";

fn both() -> Names {
    let rules = Rules { log_path: "/var/log/app".to_owned() };
    let mut names = Names::from_state(STATE, &rules).unwrap();
    names.add_containers(CONTAINERS).unwrap();
    names
}

fn pair(names: &Names, id: &str) -> Option<(String, String)> {
    names.get(id).map(|t| (t.app.to_string(), t.instance.to_string()))
}

fn is(app: &str, instance: &str) -> Option<(String, String)> {
    Some((app.to_owned(), instance.to_owned()))
}

#[test]
fn every_container_of_the_fixtures() {
    let names = both();
    for (id, app, instance) in [
        (WEB, "shop/web", "shop_web.instance-32d2c410-3618-11ea-b21c-0242ac110005._app.1"),
        (
            "8cb20eb0-bc80-42db-a8e6-5316001e183e",
            "shop/rpc",
            "shop_rpc.instance-003f4b80-3380-11ea-b21c-0242ac110005._app.1",
        ),
        (
            "6d95e71d-54ae-48af-a687-29bae92657f2",
            "batch/worker",
            "batch_worker.instance-b95e07d0-32dd-11ea-b21c-0242ac110005._app.3",
        ),
        (
            "6b3cbb9a-f4e8-4c91-8a68-ba40a63c92a6",
            "chronos/nightly-report",
            "ct:1578996000000:0:nightly-report:",
        ),
        (UCR, "ingest", "ingest.8d0f3c1a-36b2-11ea-9a55-0242ac110007"),
    ] {
        assert_eq!(pair(&names, id), is(app, instance), "{id}");
    }
    // it has ended
    assert_eq!(names.get("fc28a6f5-c5f1-4281-a271-5e1a06c6bccc"), None);
    let web = names.get(WEB).unwrap();
    assert_eq!(web.image, "registry.example.com/shop/web:2.14.0");
    assert_eq!(web.started_at_ms, Some(1_578_929_001_370));
    assert_eq!(web.log_volumes[0].source, "/var/lib/app-logs/shop_web");
    assert!(web.sandbox.as_deref().is_some_and(|s| s.ends_with(WEB)), "{web:?}");
    let rpc = names.get("8cb20eb0-bc80-42db-a8e6-5316001e183e").unwrap();
    let sandbox = rpc.sandbox.as_deref().unwrap();
    assert_eq!(rpc.log_volumes[0].source, format!("{sandbox}/applogs"));
    let ucr = names.get(UCR).unwrap();
    assert_eq!((ucr.pid, &ucr.network), (Some(20411), &Network::Host));
    assert_eq!(ucr.addresses, ["10.20.1.11".parse::<IpAddr>().unwrap()]);
}

#[test]
fn either_answer_alone_names_them() {
    let mut names = Names::default();
    names.add_containers(CONTAINERS).unwrap();
    assert_eq!(pair(&names, WEB), pair(&both(), WEB));
    assert_eq!(pair(&names, UCR), pair(&both(), UCR));
    let names = Names::from_state(STATE, &Rules::default()).unwrap();
    assert_eq!(pair(&names, UCR), pair(&both(), UCR));
}

#[test]
fn pods_and_labels() {
    let (top, nested) =
        ("11111111-75a0-4459-a177-658ce1c5118a", "22222222-75a0-4459-a177-658ce1c5118a");
    let task = |id: &str, container: &str| {
        json!({"id": id, "statuses": [{"state": "TASK_RUNNING", "healthy": false, "container_status":
            {"container_id": {"value": container, "parent": {"value": top}}, "network_infos": [{"name": "cni"}]}}]})
    };
    let pod = "grp_pod.instance-32d2c410-3618-11ea-b21c-0242ac110005";
    let mut state = json!({"frameworks": [{"executors": [{"id": pod, "container": top, "directory": "/s", "tasks":
        [task(&format!("{pod}.web"), nested), task(&format!("{pod}.log"), "not-an-id")]}]}]});
    let names = Names::from_state(state.to_string().as_bytes(), &Rules::default()).unwrap();
    assert_eq!(pair(&names, top), is("grp/pod", pod));
    assert_eq!(pair(&names, nested), is("grp/pod", &format!("{pod}.web")));
    assert_eq!(
        names.get(nested).map(|t| (t.health, t.network.clone())),
        Some((Health::Unhealthy, Network::Own))
    );
    assert_eq!(names.len(), 2);
    let executor = &mut state["frameworks"][0]["executors"][0];
    executor["tasks"] = json!([{"id": "x.1",
        "labels": [{"key": "qae.app", "value": "a/b"}, {"key": "qae.logs", "value": "/l"}, {"key": "team", "value": "t"}],
        "container": {"volumes": [{"container_path": "/l/", "host_path": "../../etc"}]}}]);
    let names = Names::from_state(state.to_string().as_bytes(), &Rules::default()).unwrap();
    assert_eq!(pair(&names, top), is("a/b", "x.1"));
    assert_eq!(names.get(top).map(|t| (t.labels.len(), t.log_volumes.len())), Some((2, 0)));
}

#[test]
fn logs_in_the_sandbox_are_asked_for_by_label() {
    let logs = |label: &str| {
        let state = json!({"frameworks": [{"executors": [{"id": "x.1", "container": WEB, "directory": "/s", "tasks":
            [{"id": "x.1", "labels": [{"key": "qae.logs", "value": label}], "container": {"type": "MESOS"}}]}]}]});
        let names = Names::from_state(state.to_string().as_bytes(), &Rules::default()).unwrap();
        let task = names.get(WEB).unwrap();
        assert!(!task.docker);
        task.log_volumes.iter().map(|v| format!("{} {}", v.source, v.target)).collect::<Vec<_>>()
    };
    assert_eq!(logs("."), ["/s /mnt/mesos/sandbox"]);
    assert_eq!(logs("/mnt/mesos/sandbox"), ["/s /mnt/mesos/sandbox"]);
    assert_eq!(logs("logs"), ["/s/logs /mnt/mesos/sandbox/logs"]);
    assert!(logs("../x,/etc").is_empty());
}

#[test]
fn a_docker_container_that_only_the_agent_can_name() {
    let named = |labels: Value, env: Value, name: &str| {
        let json =
            json!({"Id": "a".repeat(64), "Name": name, "Config": {"Labels": labels, "Env": env}});
        from_inspect(json.to_string().as_bytes(), &Rules::default()).unwrap().container
    };
    let name = format!("/mesos-5b1f0a52-7d0e-4b0e-9f0c-2f6f6f0f3a10-S0.{WEB}");
    let unnamed = named(json!({}), json!([]), &name);
    assert_eq!(Names::wanted_by(&unnamed), Some(WEB));
    let renamed = both().rename(&unnamed).unwrap();
    assert_eq!(Some((renamed.app.to_string(), renamed.instance.to_string())), pair(&both(), WEB));
    let kept = both().rename(&named(json!({"qae.instance": "i"}), json!([]), &name)).unwrap();
    assert_eq!((kept.app.as_str(), kept.instance.as_str()), ("shop/web", "i"));
    for other in [
        named(json!({}), json!(["MESOS_TASK_ID=t.1"]), &name),
        named(json!({"qae.app": "x"}), json!([]), &name),
        named(json!({}), json!([]), "/web"),
        named(json!({}), json!([]), "/mesos-709007e6-75a0-4459-a177-658ce1c5118a"),
    ] {
        assert_eq!(both().rename(&other), None, "{other:?}");
    }
}

proptest! {
    #[test]
    fn cut_answers_are_errors_and_no_bytes_break_it(cut in 1usize..31_000, bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(Names::from_state(&STATE[..cut.min(STATE.len() - 3)], &Rules::default()).is_err());
        prop_assert!(Names::default().add_containers(&CONTAINERS[..cut.min(CONTAINERS.len() - 3)]).is_err());
        drop(Names::from_state(&bytes, &Rules::default()));
    }

    #[test]
    fn wrong_types_cost_only_themselves(key in "frameworks|executors|tasks|statuses|labels|container|timestamp|volumes|id", value in "null|7|\"x\"|\\[\\]|\\{\\}|\\[1\\]|true") {
        // one key's values replaced everywhere
        let mut state: Value = serde_json::from_slice(STATE).unwrap();
        replace(&mut state, &key, &serde_json::from_str(&value).unwrap());
        prop_assert!(Names::from_state(state.to_string().as_bytes(), &Rules::default()).is_ok());
    }
}

fn replace(at: &mut Value, key: &str, new: &Value) {
    match at {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == key { value.clone_from(new) } else { replace(value, key, new) }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| replace(v, key, new)),
        _ => {}
    }
}
