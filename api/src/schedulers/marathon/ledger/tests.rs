use super::*;
use crate::schedulers::marathon::translate;
use crate::schedulers::marathon::wire::TaskUpdate;
use common::container::Health;
use proptest::prelude::*;
use serde_json::{Value, json};

mod order;

fn at(seconds: u64) -> Moment {
    Moment::from_unix_ms(1_600_000_000_000 + seconds * 1000)
}

fn task(id: &str, state: &str) -> Value {
    let started = (state != "TASK_STAGING").then_some("2020-01-13T15:20:20.917Z");
    json!({"id": id, "host": "h1", "ports": [31000], "state": state, "startedAt": started})
}

fn list(apps: Value) -> Vec<Translated> {
    translate::apps(serde_json::from_value(apps).unwrap(), &mut 0)
}

/// App `/a` with these tasks.
fn app(tasks: &[Value]) -> Vec<Translated> {
    list(json!([{"id": "/a", "instances": 2, "healthChecks": [{}], "tasks": tasks}]))
}

fn status(task: &str, status: &str) -> Event {
    Event::Task(Box::new(TaskUpdate {
        app: "/a".into(),
        task: task.into(),
        status: status.into(),
        message: "because".into(),
        host: Some("h1".into()),
        timestamp: Some("2020-01-13T15:20:30.000Z".into()),
    }))
}

fn check(of: &str, alive: Option<bool>, whole: bool) -> Event {
    Event::Check { app: "/a".into(), of: of.into(), alive, whole }
}

/// A ledger that has listed these tasks of `/a`.
fn ledger(tasks: &[Value]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.asked();
    assert_eq!(ledger.listed(app(tasks), at(0)), Taken::Whole);
    ledger.take_changed();
    ledger
}

fn state(ledger: &Ledger, id: &str) -> Option<InstanceState> {
    ledger.tasks.get(id).map(|known| known.task.state)
}

fn health(ledger: &Ledger, id: &str) -> Health {
    ledger.tasks[id].task.health
}

fn dirty(ledger: &mut Ledger) -> bool {
    !std::mem::take(&mut ledger.dirty).is_clean()
}

#[test]
fn an_event_moves_a_listed_task_forward_and_has_its_app_fetched() {
    let mut l = ledger(&[task("a.1", "TASK_STAGING"), task("a.2", "TASK_RUNNING")]);
    assert!(l.hear(status("a.1", "TASK_RUNNING"), at(1)));
    assert_eq!(state(&l, "a.1"), Some(InstanceState::Running));
    assert!(dirty(&mut l));
    assert_eq!(l.take_changed().tasks, BTreeSet::from(["a.1".to_owned()]));
    // Mesos repeats itself with every check
    assert!(!l.hear(status("a.1", "TASK_RUNNING"), at(1)));
    assert!(!dirty(&mut l) && l.take_changed().is_nothing());
    assert!(l.hear(status("a.2", "TASK_FAILED"), at(2)));
    let ended = &l.tasks(&BTreeSet::from(["a.2".to_owned()]))[0];
    assert_eq!(ended.exit.as_ref().unwrap().reason.as_deref(), Some("TASK_FAILED: because"));
    assert_eq!(ended.ended_at, Moment::parse("2020-01-13T15:20:30Z"));
}

#[test]
fn an_event_never_revives_and_never_undoes_an_end() {
    let mut l = ledger(&[task("a.1", "TASK_RUNNING"), task("a.2", "TASK_RUNNING")]);
    l.hear(status("a.1", "TASK_KILLED"), at(1));
    for said in ["TASK_RUNNING", "TASK_STAGING", "TASK_UNREACHABLE", "TASK_LOST"] {
        dirty(&mut l);
        assert!(l.hear(status("a.1", said), at(2)));
        assert_eq!(state(&l, "a.1"), Some(InstanceState::Ended));
        assert!(dirty(&mut l), "{said}");
        // one that is not listed
        l.hear(status("a.9", said), at(2));
        assert_eq!(state(&l, "a.9"), None);
        assert!(dirty(&mut l), "{said}");
    }
    assert!(
        !l.hear(status("a.9", "TASK_KILLED"), at(3)),
        "the end of what is not listed is no news"
    );
}

#[test]
fn lost_is_out_of_reach_until_the_list_tells() {
    for (listed, wanted) in [
        (Some("TASK_UNREACHABLE"), Some(InstanceState::Unreachable)),
        (Some("TASK_RUNNING"), Some(InstanceState::Running)),
        (None, Some(InstanceState::Ended)),
    ] {
        let mut l = ledger(&[task("a.1", "TASK_RUNNING"), task("a.2", "TASK_RUNNING")]);
        l.hear(status("a.1", "TASK_LOST"), at(1));
        assert_eq!(state(&l, "a.1"), Some(InstanceState::Unreachable));
        assert!(dirty(&mut l));
        l.asked();
        let first = listed.map(|state| task("a.1", state));
        let tasks: Vec<_> = first.into_iter().chain([task("a.2", "TASK_RUNNING")]).collect();
        l.listed_app(app(&tasks).remove(0), at(2));
        assert_eq!(state(&l, "a.1"), wanted);
        if wanted == Some(InstanceState::Ended) {
            let exit = l.tasks["a.1"].task.exit.clone().unwrap();
            assert_eq!(exit.reason.as_deref(), Some("unreachable, given up by Marathon"));
        }
        // and back
        if wanted == Some(InstanceState::Unreachable) {
            l.hear(status("a.1", "TASK_RUNNING"), at(3));
            assert_eq!(state(&l, "a.1"), Some(InstanceState::Running));
            let since = l.tasks["a.1"].task.started_at;
            assert_eq!(since, Moment::parse("2020-01-13T15:20:20.917Z"), "the old start");
        }
    }
}

#[test]
fn a_run_that_is_replaced_under_its_instance() {
    let (one, two) = ("a.instance-u._app.1", "a.instance-u._app.2");
    let mut l = ledger(&[task(one, "TASK_RUNNING"), task("a.2", "TASK_RUNNING")]);
    l.hear(status(one, "TASK_FAILED"), at(1));
    dirty(&mut l);
    l.take_changed();
    let again = |condition: &str| Event::Instance {
        app: "/a".into(),
        instance: "a.instance-u".into(),
        condition: condition.into(),
    };
    assert!(l.hear(again("Provisioned"), at(2)));
    l.asked();
    l.listed_app(app(&[task(two, "TASK_STAGING"), task("a.2", "TASK_RUNNING")]).remove(0), at(3));
    assert_eq!((state(&l, one), state(&l, two)), (None, Some(InstanceState::Staging)));
    assert_eq!(l.tasks[two].task.restarts, 1);
    l.hear(status(two, "TASK_RUNNING"), at(4));
    dirty(&mut l);
    assert!(!l.hear(again("Running"), at(4)), "it agrees");
    // a verdict on the instance is one on its present run
    assert!(l.hear(check("a.instance-u", Some(true), true), at(5)));
    assert_eq!(health(&l, two), Health::Healthy);
    assert!(l.hear(again("Killed"), at(6)), "no status update follows a forced expunge");
    assert!(dirty(&mut l) && state(&l, two) == Some(InstanceState::Running));
}

#[test]
fn events_during_a_list_are_applied_before_and_after_it() {
    let mut l = ledger(&[task("a.1", "TASK_RUNNING"), task("a.2", "TASK_STAGING")]);
    l.asked();
    l.hear(status("a.1", "TASK_KILLED"), at(1));
    l.hear(status("a.2", "TASK_RUNNING"), at(1));
    assert_eq!(state(&l, "a.1"), Some(InstanceState::Ended));
    // the answer was made before
    l.listed(app(&[task("a.1", "TASK_RUNNING"), task("a.2", "TASK_STAGING")]), at(2));
    assert_eq!(state(&l, "a.1"), Some(InstanceState::Ended));
    assert_eq!(state(&l, "a.2"), Some(InstanceState::Running));
    assert!(dirty(&mut l), "and looked at once more");
}

#[test]
fn verdicts() {
    let mut l = ledger(&[task("a.1", "TASK_RUNNING"), task("a.2", "TASK_STAGING")]);
    assert!(l.hear(check("a.1", Some(true), false), at(1)), "by task id, to 1.3");
    assert_eq!(health(&l, "a.1"), Health::Healthy);
    assert!(!l.hear(check("a.marathon-1", Some(true), false), at(1)), "by instance id, the same");
    assert!(l.hear(check("a.marathon-1", Some(false), false), at(2)));
    assert_eq!(health(&l, "a.1"), Health::Unhealthy);
    assert!(!dirty(&mut l));
    for odd in [
        check("a.2", Some(true), false),
        check("a.9", Some(false), false),
        check("a.1", None, true),
    ] {
        assert!(l.hear(odd, at(3)) && dirty(&mut l));
    }
    // of two checks one passes: the list knows the other
    l.apps.values_mut().for_each(|a| a.checks = 2);
    assert!(l.hear(check("a.1", Some(true), false), at(4)) && dirty(&mut l));
    assert_eq!(health(&l, "a.1"), Health::Unhealthy);
    assert!(l.hear(check("a.1", Some(true), true), at(4)), "this one speaks for both");
    assert_eq!(health(&l, "a.1"), Health::Healthy);
}

#[test]
fn a_new_leader_has_no_results_yet_which_is_no_verdict() {
    let mut l = ledger(&[task("a.1", "TASK_RUNNING")]);
    l.hear(check("a.1", Some(false), true), at(1));
    let again = || app(&[task("a.1", "TASK_RUNNING")]);
    for (when, wanted) in [
        (2, Health::Unhealthy),
        (300, Health::Unhealthy),
        (602, Health::Unknown),
        (603, Health::Unknown),
    ] {
        l.asked();
        l.listed(again(), at(when));
        assert_eq!(health(&l, "a.1"), wanted, "{when}");
    }
    // without checks there is nothing to wait for
    l.hear(check("a.1", Some(true), true), at(700));
    l.listed(list(json!([{"id": "/a", "tasks": [task("a.1", "TASK_RUNNING")]}])), at(701));
    assert_eq!(health(&l, "a.1"), Health::Unknown);
}

#[test]
fn most_of_a_cluster_is_not_ended_by_one_list() {
    let tasks: Vec<_> = (0..10).map(|n| task(&format!("a.{n}"), "TASK_RUNNING")).collect();
    let mut l = ledger(&tasks);
    let live = |l: &Ledger| l.counts().1;
    for small in [vec![], app(&tasks[..4])] {
        let taken = l.listed(small, at(10));
        assert!(matches!(taken, Taken::Held { of: 10, .. }), "{taken:?}");
        assert_eq!((live(&l), l.counts().0, l.dirty().all), (10, 1, true));
    }
    // too soon to be a second opinion
    assert!(matches!(l.listed(vec![], at(14)), Taken::Held { .. }));
    assert_eq!(l.listed(app(&tasks), at(15)), Taken::Whole);
    assert_eq!((live(&l), l.held(), l.dirty().is_clean()), (10, None, true));
    // twice, and it is so
    assert!(matches!(l.listed(vec![], at(20)), Taken::Held { missing: 10, of: 10 }));
    assert_eq!(l.listed(vec![], at(25)), Taken::Whole);
    assert_eq!((live(&l), l.counts().0), (0, 0));
    l.listed(vec![], at(26));
    assert_eq!(l.facts(listing()).tasks.len(), 10, "their ends are still to be told");
    assert!(l.take_changed().all);
    l.listed(vec![], at(26));
    assert_eq!(l.facts(listing()).tasks.len(), 0);
}

#[test]
fn what_ended_by_events_is_not_missing() {
    let tasks: Vec<_> = (0..4).map(|n| task(&format!("a.{n}"), "TASK_RUNNING")).collect();
    let mut l = ledger(&tasks);
    for n in 0..4 {
        assert!(l.hear(status(&format!("a.{n}"), "TASK_KILLED"), at(1)));
    }
    assert_eq!(l.listed(app(&[]), at(2)), Taken::Whole);
    // nor does the answer of one app end most of a cluster
    let mut l = ledger(&tasks);
    l.asked();
    l.listed_app(app(&[]).remove(0), at(2));
    assert_eq!((l.counts().1, l.dirty().all), (4, true));
}

#[test]
fn apps_that_are_none_are_asked_for_once() {
    let mut l = ledger(&[task("a.1", "TASK_RUNNING")]);
    let pod = Event::Apps(vec!["/pod".into()]);
    assert!(l.hear(pod.clone(), at(1)));
    l.asked();
    l.no_such_app(&AppId::new("pod"), at(2));
    assert!(!l.hear(pod, at(3)) && l.dirty().is_clean());
    l.no_such_app(&AppId::new("a"), at(4));
    assert!(l.dirty().all, "one that was there is for the list to end");
    assert_eq!(l.counts(), (1, 1));
}

#[test]
fn groups() {
    let apps: Vec<_> = ["/g/a", "/g/b/c", "/ga", "/g"].map(|id| json!({"id": id})).into();
    let mut l = Ledger::default();
    l.listed(list(json!(apps)), at(0));
    l.hear(Event::Group("/g".into()), at(1));
    let wanted = ["g", "g/a", "g/b/c"].map(AppId::new);
    assert_eq!(l.dirty().apps, BTreeSet::from(wanted));
    l.hear(Event::Group("/".into()), at(1));
    assert!(l.dirty().all);
}

#[test]
fn restored_and_untold() {
    let old = ledger(&[task("a.1", "TASK_RUNNING"), task("a.2", "TASK_RUNNING")]);
    let facts = old.facts(listing());
    let mut l = Ledger::restored(facts.apps.clone(), facts.tasks.clone());
    assert_eq!((l.counts(), l.dirty().all), ((1, 2), true));
    assert!(matches!(l.listed(vec![], at(1)), Taken::Held { .. }), "a first list is no exception");
    let (mut changed, all) = (Changed::default(), l.take_changed());
    assert!(all.all && l.take_changed().is_nothing());
    changed.tasks.insert("a.1".into());
    l.untold(changed.clone());
    l.untold(all);
    assert_eq!(l.take_changed(), Changed { all: true, ..changed });
}

fn listing() -> Listing {
    Listing { cluster: "m".into(), dc: "dc1".into(), at: at(0) }
}
