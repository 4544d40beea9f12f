//! Events in any order, twice, late or never: what the lists say is what remains.

use super::*;

const STATES: [&str; 8] = [
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_UNREACHABLE",
    "TASK_LOST",
    "TASK_KILLED",
    "TASK_NEW",
];

fn any_event() -> impl Strategy<Value = Event> {
    let id = (0..6u8).prop_map(|n| format!("a.{n}"));
    prop_oneof![
        6 => (id.clone(), prop::sample::select(&STATES[..])).prop_map(|(id, s)| status(&id, s)),
        2 => (id, any::<Option<bool>>(), any::<bool>()).prop_map(|(id, alive, whole)| check(&id, alive, whole)),
        1 => (0..6u8, prop::sample::select(vec!["Running", "Killed", "Provisioned"])).prop_map(|(n, condition)| {
            Event::Instance { app: "/a".into(), instance: format!("a.marathon-{n}"), condition: condition.into() }
        }),
        1 => prop::sample::select(vec![
            Event::All, Event::Other, Event::Group("/".into()), Event::Apps(vec!["/b".into()]),
        ]),
    ]
}

/// The tasks of `/a` at one time, live ones only.
fn any_list() -> impl Strategy<Value = Vec<Value>> {
    let states = prop::collection::vec(prop::option::weighted(0.7, 0..5usize), 6);
    states.prop_map(|states| {
        let listed = states.into_iter().enumerate();
        listed.filter_map(|(n, s)| Some(task(&format!("a.{n}"), STATES[s?]))).collect()
    })
}

#[derive(Debug, Clone)]
enum Doing {
    Hear(Event),
    Ask,
    List(Vec<Value>),
    App(Vec<Value>),
    Fail,
    None,
}

fn any_doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        8 => any_event().prop_map(Doing::Hear),
        2 => Just(Doing::Ask),
        1 => any_list().prop_map(Doing::List),
        1 => any_list().prop_map(Doing::App),
        1 => Just(Doing::Fail),
        1 => Just(Doing::None),
    ]
}

fn run(ledger: &mut Ledger, doings: Vec<Doing>) {
    for (n, doing) in (0..).zip(doings) {
        match doing {
            Doing::Hear(event) => {
                ledger.hear(event, at(n));
            }
            Doing::Ask => ledger.asked(),
            Doing::List(tasks) => drop(ledger.listed(app(&tasks), at(n))),
            Doing::App(tasks) => ledger.listed_app(app(&tasks).remove(0), at(n)),
            Doing::Fail => ledger.failed(),
            Doing::None => ledger.no_such_app(&AppId::new("a"), at(n)),
        }
    }
}

/// Live tasks with their states.
fn live(ledger: &Ledger) -> BTreeMap<String, InstanceState> {
    let tasks = ledger.tasks.iter().filter(|(_, known)| known.is_live());
    tasks.map(|(id, known)| (id.clone(), known.task.state)).collect()
}

fn wanted(list: &[Value]) -> BTreeMap<String, InstanceState> {
    let listed = app(list).remove(0).tasks.into_iter();
    listed.map(|t| (t.task.id.as_str().to_owned(), t.task.state)).collect()
}

/// Indices that name something gone, or miss something, make wrong answers later.
fn indices_are_right(ledger: &Ledger) {
    let by_app: usize = ledger.by_app.values().map(BTreeSet::len).sum();
    let by_instance: usize = ledger.by_instance.values().map(BTreeSet::len).sum();
    assert_eq!((by_app, by_instance), (ledger.tasks.len(), ledger.tasks.len()));
    for (id, known) in &ledger.tasks {
        assert!(ledger.by_app[&known.task.app].contains(id));
        assert!(ledger.by_instance[&known.instance].contains(id));
    }
}

proptest! {
    #[test]
    fn the_last_list_is_what_remains(
        before in prop::collection::vec(any_doing(), 0..60),
        last in any_list(),
    ) {
        let mut ledger = Ledger::default();
        run(&mut ledger, before);
        // no events after it; asked twice, since a great loss wants a second list
        for when in [1000, 1010] {
            ledger.asked();
            ledger.listed(app(&last), at(when));
        }
        prop_assert_eq!(live(&ledger), wanted(&last));
        prop_assert!(ledger.dirty().is_clean());
        indices_are_right(&ledger);
    }

    #[test]
    fn whatever_is_heard_until_nothing_is_dirty_is_what_is_listed(
        first in any_list(),
        truth in any_list(),
        heard in prop::collection::vec(any_event(), 0..40),
    ) {
        // a Marathon that has come to rest, and events of its past in any order, doubled, some of them lost
        let mut ledger = Ledger::default();
        ledger.listed(app(&first), at(0));
        let moved = first != truth;
        for event in heard {
            ledger.hear(event, at(1));
        }
        // one hint that something moved is enough, and the periodic list is one
        if moved {
            ledger.doubt();
        }
        for when in (10..).step_by(10).take(4) {
            if ledger.dirty().is_clean() {
                break;
            }
            ledger.asked();
            if ledger.dirty().all {
                ledger.listed(app(&truth), at(when));
            } else if ledger.dirty().apps.contains(&AppId::new("a")) {
                ledger.listed_app(app(&truth).remove(0), at(when));
            } else {
                let other = ledger.dirty().apps.first().cloned().unwrap();
                ledger.no_such_app(&other, at(when));
            }
        }
        prop_assert!(ledger.dirty().is_clean());
        prop_assert_eq!(live(&ledger), wanted(&truth));
    }

    #[test]
    fn an_end_stays_one_until_a_list(
        list in any_list(),
        events in prop::collection::vec(any_event(), 0..40),
    ) {
        let mut ledger = Ledger::default();
        ledger.listed(app(&list), at(0));
        let listed = wanted(&list);
        let mut ended = BTreeSet::new();
        for event in events {
            ledger.hear(event, at(1));
            let now = live(&ledger);
            prop_assert!(now.keys().all(|id| listed.contains_key(id)), "never revived");
            ended.extend(listed.keys().filter(|id| !now.contains_key(*id)).cloned());
            prop_assert!(ended.iter().all(|id| !now.contains_key(id)), "never undone");
        }
    }
}
