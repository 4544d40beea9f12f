use super::*;
use crate::render::instances::tests::instance;
use common::api_types::{Exit, InstanceState};
use common::moment::Moment;
use proptest::prelude::*;
use serde_json::{Value, json};

fn event(kind: EventType, payload: Value) -> Event {
    Event {
        epoch: "e".into(),
        seq: 7,
        time: Moment::parse("2026-01-13T15:20:20.9Z").unwrap(),
        kind,
        subject: "local/n1/a1".into(),
        actor: "node:n1".into(),
        cause: "report".into(),
        payload,
    }
}

fn shown(kind: EventType, payload: impl serde::Serialize) -> String {
    line(&event(kind, serde_json::to_value(payload).unwrap()), Paint(false))
}

#[test]
fn instances_come_change_and_go() {
    let mut web = instance("a1", InstanceState::Running);
    assert_eq!(
        shown(EventType::InstanceChanged, &web),
        "2026-01-13 15:20:20Z  instance_changed  shop/web a1  running on n1  (node:n1: report)"
    );
    web.health = Health::Unhealthy;
    assert!(shown(EventType::HealthChanged, &web).contains("shop/web a1  unhealthy on n1  ("));
    web.restarts = 2;
    web.exit = Some(Exit { code: Some(1), ..Exit::default() });
    assert!(
        shown(EventType::InstanceChanged, &web)
            .contains("unhealthy on n1, 2 restarts, last exit 1")
    );
    assert!(shown(EventType::InstanceGone, &web).contains("ended on n1, exit 1"));
    assert!(shown(EventType::OomKilled, &web).contains("oom_killed        shop/web a1  a process"));
}

#[test]
fn lost_lines_say_how_much_where_and_why() {
    let web = instance("a1", InstanceState::Running);
    let mut payload = serde_json::to_value(&web).unwrap();
    assert!(shown(EventType::LogGap, &payload).contains("a1  lines of its logs are lost  ("));
    payload["lost"] = json!({"gaps": 1, "bytes": 2048, "reasons": {"quota": {"gaps": 1, "bytes": 2048}},
        "account": {"app": "shop/web", "instance": "a1", "since": "2026-01-13T15:20:20Z",
            "at": "2026-01-13T15:20:20Z", "file": "app.log.3", "reasons": {}}});
    assert!(
        shown(EventType::LogGap, &payload)
            .contains("log_gap           shop/web a1  2.0K bytes lost in app.log.3 (quota)  ("),
        "{}",
        shown(EventType::LogGap, &payload)
    );
    payload["lost"]["gaps"] = json!(3);
    payload["lost"]["reasons"]["truncated"] = json!({"gaps": 2, "bytes": 0});
    let many = shown(EventType::LogGap, &payload);
    assert!(
        many.contains("bytes lost in 3 gaps, the last in app.log.3 (quota, truncated)"),
        "{many}"
    );
}

#[test]
fn apps_and_nodes() {
    let app = json!({"id": "shop/web", "dcs": [
        {"dc": "dc1", "cluster": "m", "wanted": 3}, {"dc": "dc2", "cluster": "d", "wanted": null}]});
    assert!(shown(EventType::AppChanged, &app).contains("shop/web  dc1/m wants 3, in dc2/d"));
    assert!(shown(EventType::AppDeleted, &app).contains("shop/web  deleted"));
    let node = json!({"name": "n1", "dc": "dc1", "agents": [
        {"name": "dadvisor", "version": "0.1.0", "address": "", "silent": true, "note": "gone"}]});
    assert!(shown(EventType::NodeSilent, &node).contains("n1  dadvisor 0.1.0 silent (gone)"));
    assert!(shown(EventType::NodeDeleted, &node).contains("n1  deleted"));
}

#[test]
fn what_is_not_understood_is_still_told() {
    assert!(shown(EventType::Other, json!(7)).contains("other             local/n1/a1  ("));
    assert!(shown(EventType::InstanceChanged, json!({})).contains("local/n1/a1"));
}

proptest! {
    #[test]
    fn one_line_whatever_names_and_causes_say(name in any::<String>(), cause in any::<String>()) {
        let mut web = instance(&name, InstanceState::Running);
        web.app = common::ids::AppId::new(cause.as_str());
        let mut told = event(EventType::InstanceChanged, serde_json::to_value(&web).unwrap());
        told.cause = cause;
        told.actor = name;
        let text = line(&told, Paint(false));
        prop_assert!(!text.contains(common::printable::acts), "{:?}", text);
    }
}
