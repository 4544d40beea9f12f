use super::super::history::{self, After, Which};
use super::super::timeline;
use crate::centre::{TestCentre, app_named, put};
use crate::change::Change;
use crate::store::test_stores;
use crate::testing::instance;
use common::api_types::{Entity, EventType, Instance, InstanceState};

fn on(key: &str, app: &str, node: &str) -> Change {
    Change::Put(Entity::Instance(Box::new(instance(key, app, Some(node)))))
}

fn end(key: &str) -> Change {
    Change::Forget(Entity::Instance(Box::new(instance(key, "x", None))))
}

#[tokio::test]
async fn the_timeline_is_newest_first_and_filtered() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        put(&t.centre, vec![app_named("a"), on("c/1", "a", "n1"), on("c/2", "b", "n1")]).await;
        put(&t.centre, vec![end("c/1"), on("c/2", "b", "n2")]).await;
        let asked = timeline::Asked { limit: 10, ..Default::default() };
        let of = |asked: timeline::Asked| {
            let (store, epoch) = (&test.store, t.centre.epoch());
            async move { timeline::timeline(store, epoch, &asked, |_| true).await.unwrap() }
        };
        let seqs = |found: timeline::Found<common::api_types::Event, u64>| {
            found.items.iter().map(|e| e.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs(of(asked.clone()).await), [6, 5, 4, 3, 2, 1], "{}", test.name);
        let some = |text: &str| Some(text.to_owned());
        let a = asked.clone();
        for (asked, wanted) in [
            (timeline::Asked { app: some("a"), ..a.clone() }, vec![4, 2, 1]),
            (timeline::Asked { node: some("n1"), ..a.clone() }, vec![5, 4, 3, 2]),
            (timeline::Asked { subject: some("c/2"), ..a.clone() }, vec![6, 5, 3]),
            (timeline::Asked { kinds: vec![EventType::InstanceGone], ..a.clone() }, vec![5, 4]),
            (timeline::Asked { actor: some("node:other"), ..a.clone() }, vec![]),
            (timeline::Asked { actor: some("\0"), ..a.clone() }, vec![]),
            (timeline::Asked { since: Some(common::moment::Moment::LAST), ..a.clone() }, vec![]),
            (timeline::Asked { before: Some(3), ..a.clone() }, vec![2, 1]),
        ] {
            assert_eq!(seqs(of(asked.clone()).await), wanted, "{} {asked:?}", test.name);
        }
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let found = of(timeline::Asked { before, limit: 2, ..asked.clone() }).await;
            before = found.next;
            seen.extend(seqs(found));
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
        t.end().await;
    }
}

#[tokio::test]
async fn a_page_is_found_among_many_that_are_not_seen() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        put(&t.centre, (0..6000).map(|n| app_named(&format!("a{n}"))).collect()).await;
        let (mut seen, mut pages, mut before) = (Vec::new(), 0, None);
        loop {
            let asked = timeline::Asked { before, limit: 2, ..Default::default() };
            let sees = |e: &common::api_types::Event| e.seq % 1500 == 0;
            let found =
                timeline::timeline(&test.store, t.centre.epoch(), &asked, sees).await.unwrap();
            seen.extend(found.items.iter().map(|e| e.seq));
            pages += 1;
            before = found.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, [6000, 4500, 3000, 1500]);
        assert!(pages < 6, "{pages}");
        t.end().await;
    }
}

#[tokio::test]
async fn ended_instances_are_kept_behind_those_that_live() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let all: Vec<_> = (0..6).map(|n| on(&format!("c/{n}"), "a", "n1")).collect();
        put(&t.centre, all).await;
        put(&t.centre, vec![end("c/2"), end("c/1"), end("c/4")]).await;
        // the key is used again, and ends again
        put(&t.centre, vec![on("c/2", "b", "n2")]).await;
        put(&t.centre, vec![end("c/2"), on("c/1", "a", "n1")]).await;
        let of = |asked: history::Asked| {
            let store = &test.store;
            async move { history::history(store, &asked, |_| true).await.unwrap() }
        };
        let shown = |instances: &[Instance]| {
            let one = |i: &Instance| match i.state {
                InstanceState::Ended => format!("-{}", &i.key[2..]),
                _ => i.key[2..].to_owned(),
            };
            instances.iter().map(one).collect::<Vec<_>>().join(" ")
        };
        let asked = history::Asked { limit: 100, ..Default::default() };
        let some = |text: &str| Some(text.to_owned());
        let a = asked.clone();
        for (asked, wanted) in [
            (a.clone(), "0 1 3 5 -2 -4 -1 -2"),
            (history::Asked { state: Which::Live, ..a.clone() }, "0 1 3 5"),
            (
                history::Asked { state: Which::State(InstanceState::Ended), ..a.clone() },
                "-2 -4 -1 -2",
            ),
            (history::Asked { state: Which::State(InstanceState::Staging), ..a.clone() }, ""),
            (history::Asked { app: some("b"), ..a.clone() }, "-2"),
            (history::Asked { node: some("n1"), ..a.clone() }, "0 1 3 5 -4 -1 -2"),
            (history::Asked { named: some("c/1"), ..a.clone() }, "1 -1"),
            (history::Asked { named: some("5"), ..a.clone() }, "5"),
        ] {
            assert_eq!(shown(&of(asked.clone()).await.items), wanted, "{} {asked:?}", test.name);
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let found = of(history::Asked { after: after.take(), limit: 3, ..a.clone() }).await;
            seen.extend(found.items);
            let Some(next) = found.next else { break };
            after = Some(After::parse(&next.to_string()).unwrap());
        }
        assert_eq!(shown(&seen), "0 1 3 5 -2 -4 -1 -2");
        t.end().await;
    }
}
