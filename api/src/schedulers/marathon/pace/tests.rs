use super::*;
use std::collections::BTreeSet;

const SECOND: Duration = Duration::from_secs(1);

fn dirty(apps: &[&str]) -> Dirty {
    Dirty { all: false, apps: apps.iter().map(|a| AppId::new(*a)).collect() }
}

/// A pace that has listed at `now`, which took a second.
fn listed(now: Instant) -> Pace {
    let mut pace = Pace::new(EVERY);
    assert_eq!(pace.due(now, &Dirty::default(), false), Due::List);
    pace.listed(now - SECOND, now);
    pace
}

#[test]
fn a_list_at_once_and_every_minute() {
    let now = Instant::now();
    let mut pace = listed(now);
    assert_eq!(pace.due(now, &Dirty::default(), false), Due::At(now + EVERY));
    assert_eq!(pace.due(now + EVERY, &Dirty::default(), false), Due::List);
}

#[test]
fn a_few_apps_one_by_one_each_once_a_second() {
    let now = Instant::now();
    let mut pace = listed(now);
    let two = dirty(&["a", "b"]);
    assert_eq!(pace.due(now, &two, false), Due::At(now + SETTLE));
    assert_eq!(pace.due(now + SETTLE, &two, false), Due::App(AppId::new("a")));
    let then = now + SECOND;
    pace.listed_app(AppId::new("a"), then);
    assert_eq!(pace.due(then, &two, false), Due::App(AppId::new("b")));
    pace.listed_app(AppId::new("b"), then);
    assert_eq!(pace.due(then, &dirty(&["a"]), false), Due::At(then + SECOND));
    // what is never clean does not put off the list
    assert_eq!(pace.due(now + EVERY + SECOND * 2, &dirty(&["a"]), false), Due::List);
}

#[test]
fn many_apps_by_a_list_that_marathon_can_bear() {
    let now = Instant::now();
    let mut pace = listed(now);
    let many = Dirty { all: false, apps: (0..17).map(|n| AppId::new(n.to_string())).collect() };
    assert_eq!(pace.due(now + SECOND, &many, false), Due::At(now + SECOND * 10));
    let all = Dirty { all: true, apps: BTreeSet::new() };
    assert_eq!(pace.due(now + SECOND, &all, false), Due::At(now + SECOND * 10));
    assert_eq!(pace.due(now + SECOND * 10, &all, false), Due::List);
    pace.listed(now + SECOND * 10, now + SECOND * 10);
    let then = now + SECOND * 10;
    assert_eq!(pace.due(then, &all, false), Due::At(then + SECOND));
    // a list that took minutes
    pace.listed(then, then + SECOND * 100);
    assert_eq!(pace.due(then + SECOND * 100, &all, false), Due::At(then + SECOND * 130));
}

#[test]
fn a_second_opinion() {
    let now = Instant::now();
    let mut pace = listed(now);
    let all = Dirty { all: true, apps: BTreeSet::new() };
    assert_eq!(pace.due(now, &all, true), Due::At(now + CONFIRM_AFTER));
    assert_eq!(pace.due(now + CONFIRM_AFTER, &all, true), Due::List);
}

#[test]
fn failures_wait() {
    let now = Instant::now();
    let mut pace = Pace::new(POLL);
    let mut waits = Vec::new();
    for _ in 0..8 {
        pace.failed(now, u32::MAX);
        let Due::At(when) = pace.due(now, &Dirty::default(), false) else { panic!() };
        assert_eq!(pace.due(when, &Dirty::default(), false), Due::List);
        waits.push((when - now).as_secs());
    }
    assert_eq!((waits, pace.failures()), (vec![2, 4, 8, 16, 32, 60, 60, 60], 8));
    pace.failed(now, 0);
    assert_eq!(pace.due(now, &Dirty::default(), false), Due::At(now + SECOND));
    pace.listed(now, now);
    assert_eq!(
        (pace.due(now, &Dirty::default(), false), pace.failures()),
        (Due::At(now + POLL), 0)
    );
}
