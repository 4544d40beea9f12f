use super::*;
use proptest::prelude::*;

/// With nulls, `container.docker.network`, plain task ids.
const OLD: &str = include_str!("../../../../tests/fixtures/marathon/apps_1_4.json");
/// Without nulls, `networks`, incarnations.
const NEW: &str = include_str!("../../../../tests/fixtures/marathon/apps_1_9.json");

#[test]
fn both_dialects_of_networking() {
    for (text, running) in [(OLD, 7), (NEW, 7)] {
        let apps = read_apps(text.as_bytes()).unwrap();
        assert_eq!(apps.len(), 3);
        let tasks: Vec<_> = apps.iter().flat_map(|a| a.tasks.iter().flatten()).collect();
        assert!(tasks.len() >= 8, "{}", tasks.len());
        let state = |s: &str| tasks.iter().filter(|t| t.state.as_deref() == Some(s)).count();
        assert!(state("TASK_RUNNING") >= running, "{}", state("TASK_RUNNING"));
    }
    let web = &read_apps(OLD.as_bytes()).unwrap()[0];
    let docker = web.container.as_ref().unwrap().docker.as_ref().unwrap();
    assert_eq!(docker.network.as_deref(), Some("BRIDGE"));
    assert_eq!(docker.port_mappings[0].container_port, Some(8080));
    assert_eq!(docker.port_mappings[0].host_port, Some(0));
    let web = &read_apps(NEW.as_bytes()).unwrap()[0];
    assert_eq!(web.networks[0].mode.as_deref(), Some("container/bridge"));
    assert_eq!(web.container.as_ref().unwrap().port_mappings[0].name.as_deref(), Some("http"));
    assert_eq!(web.labels["team"], "shop");
    assert_eq!((web.instances, web.health_checks.len()), (Some(4), 1));
}

#[test]
fn what_is_of_another_kind_costs_only_itself() {
    let bent = br#"{"apps":[7,null,{"id":"/a","instances":"many","labels":{"x":1,"y":"z"},
        "container":[],"networks":{},"healthChecks":null,"tasks":[{"id":"a.1","ports":[1,"x",70000,-1,2.5,9],
        "ipAddresses":null,"startedAt":3,"healthCheckResults":[{"alive":"yes"},[]]}, "t"],"new":{"deep":[1]}}]}"#;
    let apps = read_apps(bent).unwrap();
    assert_eq!(apps.len(), 1);
    assert_eq!((apps[0].instances, apps[0].labels.len()), (None, 1));
    assert!(apps[0].container.is_none());
    let tasks = apps[0].tasks.as_ref().unwrap();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].ports, [Some(1), None, None, None, None, Some(9)]);
    assert_eq!((tasks[0].started_at.as_deref(), tasks[0].health_check_results.len()), (None, 1));
}

#[test]
fn what_is_no_list_is_not_an_empty_one() {
    for (text, words) in [
        (r#"{"message":"no leader"}"#, "no \"apps\""),
        (r#"{"apps":null}"#, "no \"apps\""),
        (r#"{"apps":{}}"#, "no \"apps\""),
        ("<html>", "not JSON"),
        (r#"{"apps":[{"id":"/a""#, "not JSON"),
    ] {
        let error = read_apps(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    assert_eq!(read_apps(br#"{"apps":[]}"#).unwrap().len(), 0);
    assert!(read_app(br#"{"app":{"id":"/a"}}"#).unwrap().tasks.is_none());
    assert!(read_tasks(b"{}").is_err());
}

fn event(json: &str) -> Event {
    read_event(json.as_bytes()).unwrap()
}

#[test]
fn events_of_old_and_new() {
    let update = event(
        r#"{"slaveId":"n/a","taskId":"a.1","taskStatus":"TASK_STAGING","message":"","appId":"/a","host":"",
        "ports":[1],"version":"v","eventType":"status_update_event","timestamp":"t"}"#,
    );
    let Event::Task(update) = update else { panic!("{update:?}") };
    assert_eq!((update.task.as_str(), update.host), ("a.1", None));
    let check =
        |of: &str, alive, whole| Event::Check { app: "/a".into(), of: of.into(), alive, whole };
    for (json, wanted) in [
        (
            r#"{"eventType":"health_status_changed_event","appId":"/a","taskId":"a.1","alive":true}"#,
            check("a.1", Some(true), false),
        ),
        (
            r#"{"eventType":"health_status_changed_event","appId":"/a","instanceId":"a.marathon-1","alive":false}"#,
            check("a.marathon-1", Some(false), false),
        ),
        (
            r#"{"eventType":"instance_health_changed_event","runSpecId":"/a","instanceId":"i","healthy":null}"#,
            check("i", None, true),
        ),
        (
            r#"{"eventType":"instance_changed_event","runSpecId":"/a","instanceId":"i","condition":"Scheduled","host":null}"#,
            Event::Instance {
                app: "/a".into(),
                instance: "i".into(),
                condition: "Scheduled".into(),
            },
        ),
        (
            r#"{"eventType":"api_post_event","uri":"/v2/apps//a","appDefinition":{"id":"/a","instances":4}}"#,
            Event::Apps(vec!["/a".into()]),
        ),
        (
            r#"{"eventType":"deployment_info","plan":{"steps":[[{"action":"StartApplication","app":"/b"}],[{"app":"/a"}]]}}"#,
            Event::Apps(vec!["/a".into(), "/b".into()]),
        ),
        (
            r#"{"eventType":"deployment_success","id":"x","plan":{"steps":[{"actions":[{"type":"Scale","app":"/a"}]}],
            "original":{"groups":[{}]}}}"#,
            Event::Apps(vec!["/a".into()]),
        ),
        (
            r#"{"eventType":"deployment_info","plan":{"steps":[{"actions":[{"pod":"/p"}]}]},"currentStep":{"actions":[]}}"#,
            Event::Other,
        ),
        (r#"{"eventType":"deployment_success","id":"x"}"#, Event::All),
        (r#"{"eventType":"group_change_success","groupId":"/g"}"#, Event::Group("/g".into())),
        (r#"{"eventType":"event_stream_attached","remoteAddress":"x"}"#, Event::Attached),
        (r#"{"eventType":"framework_message_event","message":[-1,2]}"#, Event::Other),
        (r#"{"eventType":"status_update_event","appId":"/a"}"#, Event::Apps(vec!["/a".into()])),
        (r#"{"eventType":7}"#, Event::All),
        ("[]", Event::All),
    ] {
        // an event that is no object is bent as well
        let got = read_event(json.as_bytes()).unwrap_or(Event::All);
        assert_eq!(got, wanted, "{json}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop((read_apps(&bytes), read_event(&bytes), read::<Info>(&bytes)));
    }

    #[test]
    fn no_cut_of_an_answer_is_a_list(at in 0..NEW.len() - 2) {
        prop_assert!(read_apps(&NEW.as_bytes()[..at]).is_err());
    }
}
