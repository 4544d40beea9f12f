use super::*;
use proptest::prelude::*;
use serde_json::json;

const ID: &str = "60ea206fa3b44ad61a2e6cfbe444862437b4027324be3ce104a1eaddbd419e50";

fn print_of(entry: Value) -> u64 {
    listed(entry).unwrap().print
}

#[test]
fn the_version_both_speak() {
    let prefix = |newest: &str, oldest: &str| {
        let json = json!({"Version": "28.2.2", "ApiVersion": newest, "MinAPIVersion": oldest});
        Version::parse(json.to_string().as_bytes()).unwrap().prefix()
    };
    assert_eq!(prefix("1.50", "1.24"), "/v1.44");
    assert_eq!(prefix("1.40", "1.12"), "/v1.40");
    assert_eq!(prefix("1.60", "1.50"), "/v1.50");
    assert_eq!(prefix("", ""), "");
    assert_eq!(prefix("1.40", "x"), "/v1.40");
    assert!(Version::parse(b"[1").is_err());
}

#[test]
fn a_list_entry_is_the_same_until_it_changes() {
    let entry = |status: &str, ports: [u16; 2], name: &str| {
        json!({"Id": ID, "Names": [name], "State": "running", "Status": status, "SizeRw": status.len(),
            "Ports": [{"PrivatePort": ports[0]}, {"PrivatePort": ports[1]}], "Labels": {"a": "b"}})
    };
    let first = print_of(entry("Up 2 seconds", [80, 81], "/a"));
    assert_eq!(first, print_of(entry("Up 3 hours", [81, 80], "/a")));
    assert_ne!(first, print_of(entry("Up 2 seconds", [80, 82], "/a")));
    assert_ne!(first, print_of(entry("Up 2 seconds", [80, 81], "/b")));
    assert_ne!(first, print_of(entry("Up 2 seconds (healthy)", [80, 81], "/a")));
}

#[test]
fn an_entry_says_pause_and_health() {
    let of = |state: &str, status: &str| {
        let entry = listed(json!({"Id": ID, "State": state, "Status": status})).unwrap();
        (entry.runs, entry.paused, entry.health)
    };
    assert_eq!(of("running", "Up 1 second (healthy)"), (true, Some(false), Some(Health::Healthy)));
    assert_eq!(of("running", "Up 1 second (unhealthy)").2, Some(Health::Unhealthy));
    assert_eq!(of("paused", "Up 1 second (Paused)"), (true, Some(true), None));
    assert_eq!(of("", "Up 1 second (health: starting)"), (true, None, None));
    assert!(!of("restarting", "Restarting (1) 3 seconds ago").0);
}

#[test]
fn lists_and_what_is_left_out_of_them() {
    let json = json!([
        {"Id": ID, "Names": ["/mesos-s.609007e6-75a0-4459-a177-658ce1c5118a.executor"]},
        {"Id": "../x"}, null, {"Id": &ID[..12], "Names": null, "Status": 7},
    ]);
    let (listed, left_out) = parse_list(json.to_string().as_bytes()).unwrap();
    assert_eq!(left_out, 2);
    assert_eq!(listed.iter().map(|l| l.executor).collect::<Vec<_>>(), [true, false]);
    assert!(parse_list(b"{}").is_err());
}

#[test]
fn words_for_time() {
    for (status, wanted) in [
        ("Up Less than a second", Some(1)),
        ("Up 1 second", Some(2)),
        ("Up 59 seconds (health: starting)", Some(60)),
        ("Up About a minute (Paused)", Some(120)),
        ("Up 12 minutes", Some(780)),
        ("Up About an hour (healthy)", Some(7200)),
        ("Up 47 hours", Some(172_800)),
        ("Up 2 weeks", Some(1_814_400)),
        ("Up 99999999999999999999 years", None),
        ("Up 18446744073709551615 years", None),
        ("Up for ages", None),
        ("Restarting (1) 3 seconds ago", None),
        ("", None),
    ] {
        assert_eq!(up_at_most(status), wanted, "{status}");
    }
}

fn heard(kind: &str, action: &str, id: &str, attributes: Value) -> Option<Happening> {
    let event = json!({"Type": kind, "Action": action, "Actor": {"ID": id, "Attributes": attributes}, "time": 1});
    let heard = parse_event(event.to_string().as_bytes()).unwrap();
    heard.map(|h| {
        assert_eq!(h.id, ID);
        h.happening
    })
}

#[test]
fn where_the_data_is() {
    let root = |root: Value| {
        let info = json!({"ID": "x", "Containers": 3, "DockerRootDir": root});
        parse_root(info.to_string().as_bytes()).unwrap()
    };
    assert_eq!(root(json!("/data/docker")), Some("/data/docker".into()));
    for none in [json!(""), json!("/"), json!("data"), json!("/a/../etc"), json!(7), json!(null)] {
        assert_eq!(root(none.clone()), None, "{none}");
    }
    assert_eq!(root(json!(format!("/{}", "x/".repeat(3_000)))), None);
    assert_eq!(parse_root(b"{}").unwrap(), None);
    assert!(parse_root(b"<html>").is_err());
}

#[test]
fn events() {
    let on = |action| heard("container", action, ID, json!({"name": "web"}));
    assert_eq!(on("start"), Some(Happening::Started));
    assert_eq!(on("oom"), Some(Happening::Oom));
    assert_eq!(on("destroy"), Some(Happening::Destroyed));
    for action in ["rename", "pause", "unpause", "health_status: unhealthy", "health_status"] {
        assert_eq!(on(action), Some(Happening::Changed));
    }
    assert_eq!(on("update"), Some(Happening::Limits));
    for action in ["exec_start: sh", "kill", "attach", "", "create"] {
        assert_eq!(on(action), None);
    }
    let died = heard("container", "die", ID, json!({"exitCode": "137"}));
    assert_eq!(died, Some(Happening::Died(Some(137))));
    // a label of that name stands in the way
    assert_eq!(
        heard("container", "die", ID, json!({"exitCode": "x"})),
        Some(Happening::Died(None))
    );
    assert_eq!(
        heard("network", "connect", "n1", json!({"container": ID})),
        Some(Happening::Changed)
    );
    assert_eq!(heard("image", "start", ID, json!({})), None);
    assert_eq!(heard("container", "start", "not hex", json!({})), None);
    let executor = json!({"name": "mesos-609007e6-75a0-4459-a177-658ce1c5118a.executor"});
    assert_eq!(heard("container", "start", ID, executor), None);
}

proptest! {
    #[test]
    fn no_bytes_break_them(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "[\\[{}\\]\",:a-zA-Z0-9]{0,80}") {
        for input in [&bytes[..], text.as_bytes()] {
            drop((parse_list(input), parse_event(input), Version::parse(input)));
        }
    }

    #[test]
    fn any_status_is_bounded(status in "Up [0-9]{0,30} [a-z]{0,8}( \\(.{0,9}\\))?") {
        prop_assert!(up_at_most(&status).is_none_or(|s| s > 0));
    }
}
