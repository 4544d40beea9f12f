use super::*;
use crate::centre::{TestCentre, app_named, put};
use crate::change::Change;
use crate::scope::AppGlobs;
use crate::store::{sqlite, test_stores};
use crate::testing::{changes, instance, node};
use crate::world::World;
use common::api_types::{Entity, Snapshot, Topic};
use proptest::prelude::*;
use std::io::Read;

fn scope(topics: &str) -> Scope {
    Scope::new(&Topic::parse_list(topics).unwrap(), &AppGlobs::all())
}

fn unpacked(rendered: &Rendered) -> Snapshot {
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(&rendered.gzip[..]).read_to_end(&mut json).unwrap();
    assert_eq!(json, rendered.json);
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test]
async fn one_rendering_serves_until_its_scope_changes() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let snapshots = Snapshots::new(t.centre.clone());
        let on =
            |key, node| Change::Put(Entity::Instance(Box::new(instance(key, "a", Some(node)))));
        put(&t.centre, vec![app_named("a"), on("c/1", "n1"), on("c/2", "n2")]).await;
        put(&t.centre, vec![Change::Put(Entity::Node(node("n1", &[])))]).await;
        let first = snapshots.get(&scope("node:n1")).await.unwrap();
        let snapshot = unpacked(&first);
        assert_eq!(
            (snapshot.cursor.clone(), snapshot.digest.clone()),
            (t.centre.head(), first.digest.clone())
        );
        assert_eq!(snapshot.topics, ["node:n1"]);
        let sizes = (snapshot.apps.len(), snapshot.instances.len(), snapshot.nodes.len());
        assert_eq!(sizes, (0, 1, 1), "{}", test.name);
        put(&t.centre, vec![on("c/3", "n2")]).await;
        let again = snapshots.get(&scope("node:n1")).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        put(&t.centre, vec![on("c/3", "n1")]).await;
        let third = snapshots.get(&scope("node:n1")).await.unwrap();
        assert_eq!(unpacked(&third).instances.len(), 2);
        assert_eq!(snapshots.counts().renders.load(Ordering::Relaxed), 2);
        assert_eq!(snapshots.counts().shared.load(Ordering::Relaxed), 1);
        t.end().await;
    }
}

#[tokio::test]
async fn a_herd_costs_a_rendering_or_two() {
    let test = sqlite().await;
    let t = TestCentre::over(&test.store).await;
    let snapshots = Snapshots::new(t.centre.clone());
    put(&t.centre, (0..500).map(|n| app_named(&format!("a{n}"))).collect()).await;
    let ask = |_| {
        let snapshots = snapshots.clone();
        tokio::spawn(async move { snapshots.get(&scope("all")).await.unwrap().cursor.seq })
    };
    for asked in (0..1000).map(ask).collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), 500);
    }
    assert_eq!(snapshots.counts().renders.load(Ordering::Relaxed), 1);
    for n in 0..100 {
        snapshots.get(&scope(&format!("node:n{n}"))).await.unwrap();
    }
    assert_eq!(snapshots.kept().scopes.len(), KEPT);
    t.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// A snapshot taken at any place and the events in scope after it are the world in scope, by digest.
    #[test]
    fn snapshot_and_events_are_the_world(
        before in changes(30), after in changes(30),
        topics in "(all|apps|upstreams|node:n[0-2]|instances:(a/\\*|b))",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let test = sqlite().await;
            let t = TestCentre::over(&test.store).await;
            let snapshots = Snapshots::new(t.centre.clone());
            put(&t.centre, before).await;
            let snapshot = unpacked(&snapshots.get(&scope(&topics)).await.unwrap());
            let mut copy = World::new(snapshot.cursor.clone());
            snapshot.apps.into_iter().for_each(|a| copy.put(Entity::App(a)));
            snapshot.nodes.into_iter().for_each(|n| copy.put(Entity::Node(n)));
            snapshot.instances.into_iter().for_each(|i| copy.put(Entity::Instance(Box::new(i))));
            for event in put(&t.centre, after).await {
                if scope(&topics).event(&event) {
                    copy.apply(&event);
                }
            }
            let now = unpacked(&snapshots.get(&scope(&topics)).await.unwrap());
            let mut digest = Digest::default();
            copy.apps().for_each(|a| digest.put(Kind::App, a.id.as_str(), &**a));
            copy.instances().for_each(|i| digest.put(Kind::Instance, &i.key, &**i));
            copy.nodes().for_each(|n| digest.put(Kind::Node, n.name.as_str(), &**n));
            assert_eq!(digest.value(), now.digest);
            t.end().await;
        });
    }
}
