use super::*;
use crate::centre::{TestCentre, app_named, decided, eventually, put};
use crate::change::Change;
use crate::scope::AppGlobs;
use crate::store::test_stores;
use crate::testing::{changes, instance, node};
use crate::world::World;
use common::api_types::{Entity, Event, Topic};
use futures_util::StreamExt;
use proptest::prelude::*;
use std::pin::Pin;

type Reading = Pin<Box<dyn Stream<Item = Frame> + Send>>;

fn scope(topics: &str) -> Scope {
    Scope::new(&Topic::parse_list(topics).unwrap(), &AppGlobs::all())
}

async fn follow(bus: &Bus, topics: &str, seq: u64) -> Result<Reading, Gone> {
    let after = Cursor { epoch: bus.inner.centre.epoch().to_owned(), seq };
    let stream = bus.subscribe(scope(topics), after).await?;
    let mut stream: Reading = Box::pin(stream);
    assert_eq!(stream.next().await.unwrap(), retry());
    Ok(stream)
}

/// The next frame's event type and data; it has to come.
async fn next(stream: &mut Reading) -> (String, serde_json::Value) {
    let frame = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    let frame = String::from_utf8(frame.unwrap().unwrap().to_vec()).unwrap();
    let line = |key: &str| {
        let line = frame.lines().find_map(|l| l.strip_prefix(key).map(str::to_owned));
        line.unwrap_or_default()
    };
    assert!(frame.ends_with("\n\n"));
    (line("event: "), serde_json::from_str(&line("data: ")).unwrap())
}

/// Reads until the heartbeat that says that all up to `head` was told.
async fn until(stream: &mut Reading, head: u64) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match next(stream).await {
            (kind, data) if kind == "heartbeat" => {
                let cursor = Cursor::parse(data["cursor"].as_str().unwrap()).unwrap();
                if cursor.seq >= head {
                    return events;
                }
            }
            (kind, data) => {
                assert_ne!(kind, "closed", "{data}");
                events.push(serde_json::from_value(data).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn readers_get_their_scope_from_their_cursor_on() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let bus = Bus::new(t.centre.clone());
        let on = |key, app, node| {
            Change::Put(Entity::Instance(Box::new(instance(key, app, Some(node)))))
        };
        put(&t.centre, vec![app_named("a"), on("c/1", "a", "n1"), on("c/2", "b", "n2")]).await;
        let mut all = follow(&bus, "all", 1).await.unwrap();
        let mut n1 = follow(&bus, "node:n1", 0).await.unwrap();
        assert_eq!(next(&mut all).await.1["seq"], 2);
        assert_eq!(next(&mut all).await.1["seq"], 3);
        assert_eq!(next(&mut n1).await.1["subject"], "c/1");
        let (kind, data) = next(&mut n1).await;
        let head = t.centre.head().to_string();
        assert_eq!((kind.as_str(), data["cursor"].as_str()), ("heartbeat", Some(head.as_str())));
        assert_eq!(next(&mut all).await.0, "heartbeat");
        let came = tokio::spawn(async move { next(&mut n1).await });
        put(&t.centre, vec![on("c/3", "b", "n2"), Change::Put(Entity::Node(node("n1", &[])))])
            .await;
        assert_eq!(came.await.unwrap().0, "node_changed", "{}", test.name);
        assert_eq!(next(&mut all).await.1["seq"], 4);
        assert_eq!(next(&mut all).await.1["seq"], 5);
        let waits = tokio::spawn(async move { next(&mut all).await });
        t.end().await;
        let (kind, data) = waits.await.unwrap();
        assert_eq!((kind.as_str(), &data["code"]), ("closed", &"shutdown".into()));
        assert_eq!(bus.counts().readers.load(Ordering::Relaxed), 0, "{}", test.name);
    }
}

#[tokio::test]
async fn a_cursor_that_cannot_be_followed_is_refused_by_name() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let bus = Bus::new(t.centre.clone());
        put(&t.centre, (0..30).map(|n| app_named(&format!("a{n}"))).collect()).await;
        let refused = |gone: Result<Reading, Gone>| gone.err().unwrap().code();
        assert_eq!(refused(follow(&bus, "all", 31).await), "cursor_ahead");
        let other = Cursor { epoch: "other".into(), seq: 0 };
        assert_eq!(bus.gone(&other).await.unwrap().code(), "epoch_changed");
        // as after a restart that finds only the last ones
        t.centre.forget_before(21).await;
        assert_eq!(t.centre.oldest(), 21);
        assert_eq!(refused(follow(&bus, "all", 19).await), "cursor_too_old");
        let mut stream = follow(&bus, "all", 20).await.unwrap();
        assert_eq!(until(&mut stream, 30).await.len(), 10, "{}", test.name);
        t.end().await;
    }
}

#[tokio::test]
async fn old_events_come_from_the_store_in_shared_pieces() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        for part in 0..10 {
            let apps = (0..100).map(|n| app_named(&format!("a{part}.{n}")));
            put(&t.centre, apps.collect()).await;
        }
        t.centre.forget_memory();
        let bus = Bus::new(t.centre.clone());
        let read = |from: u64| {
            let bus = bus.clone();
            tokio::spawn(async move {
                let mut stream = follow(&bus, "all", from).await.unwrap();
                let seqs = until(&mut stream, 1000).await.iter().map(|e| e.seq).collect::<Vec<_>>();
                assert!(seqs.into_iter().eq(from + 1..=1000), "from {from}");
            })
        };
        for reader in (0..20).map(|n| read(n * 37)).collect::<Vec<_>>() {
            reader.await.unwrap();
        }
        assert_eq!(bus.counts().slow.load(Ordering::Relaxed), 0, "{}", test.name);
        t.end().await;
    }
}

#[tokio::test]
async fn a_reader_far_behind_what_memory_holds_is_closed_and_may_come_again() {
    let test = test_stores().await.remove(0);
    let t = TestCentre::over(&test.store).await;
    let bus = Bus::with(t.centre.clone(), Duration::ZERO);
    let mut stream = follow(&bus, "all", 0).await.unwrap();
    assert_eq!(next(&mut stream).await.0, "heartbeat");
    put(&t.centre, vec![app_named("a"), app_named("b")]).await;
    t.centre.forget_memory();
    let (kind, data) = next(&mut stream).await;
    assert_eq!((kind.as_str(), &data["code"]), ("closed", &"slow_reader".into()));
    assert!(stream.next().await.is_none());
    assert_eq!(bus.counts().slow.load(Ordering::Relaxed), 1);
    let mut stream = follow(&bus, "all", 0).await.unwrap();
    assert_eq!(until(&mut stream, 2).await.len(), 2);
    t.end().await;
}

#[tokio::test]
async fn feeds_go_with_their_last_reader() {
    let test = test_stores().await.remove(0);
    let t = TestCentre::over(&test.store).await;
    let bus = Bus::new(t.centre.clone());
    let one = follow(&bus, "node:a", 0).await.unwrap();
    let two = follow(&bus, "node:a", 0).await.unwrap();
    let three = follow(&bus, "node:b", 0).await.unwrap();
    assert_eq!(bus.counts().feeds.load(Ordering::Relaxed), 2);
    assert_eq!(bus.counts().readers.load(Ordering::Relaxed), 3);
    drop((one, two, three));
    put(&t.centre, vec![app_named("a")]).await;
    eventually(|| bus.counts().feeds.load(Ordering::Relaxed) == 0).await;
    t.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any changes, a reader of any scope that goes away and comes back at any place: it sees each event in scope once, in order, and
    /// a copy made of a part of the world and the events is that part of the world.
    #[test]
    fn each_event_in_scope_once_whatever_the_breaks(
        batches in prop::collection::vec(changes(12), 1..8),
        topics in "(all|apps|upstreams|node:n[0-2]|instances:(a/\\*|b))",
        breaks in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        forget in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = crate::store::sqlite().await;
            let t = TestCentre::over(&store.store).await;
            let bus = Bus::new(t.centre.clone());
            let mut written = Vec::new();
            for batch in &batches {
                written.extend(put(&t.centre, batch.clone()).await);
                if forget {
                    t.centre.forget_memory();
                }
            }
            let mut model = World::new(Cursor { epoch: "e".into(), seq: 0 });
            let flat: Vec<_> = batches.concat();
            assert_eq!(decided(&mut model, &flat).len(), written.len());
            let head = written.len() as u64;
            assert_eq!(t.centre.head().seq, head);
            let wanted: Vec<_> = written.iter().filter(|e| scope(&topics).event(e)).map(|e| e.seq).collect();

            let (mut place, mut seen) = (0, Vec::new());
            for stop in breaks {
                let mut stream = follow(&bus, &topics, place).await.unwrap();
                for _ in 0..stop.index(8) {
                    let (kind, data) = next(&mut stream).await;
                    if kind == "heartbeat" {
                        break;
                    }
                    place = data["seq"].as_u64().unwrap();
                    seen.push(place);
                }
            }
            let mut stream = follow(&bus, &topics, place).await.unwrap();
            seen.extend(until(&mut stream, head).await.iter().map(|e| e.seq));
            assert_eq!(seen, wanted);
            t.end().await;
        });
    }
}
