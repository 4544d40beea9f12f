mod crash;
mod shared;

use super::draft::Draft;
use super::*;
use crate::store::{TestStore, test_stores};
use crate::testing::{app, changes, instance, node};
use common::api_types::{Entity, EventType, InstanceState};
use common::moment::Moment;
use proptest::prelude::*;

/// The events of changes, one decision after the other, taken into the world.
pub(crate) fn decided(world: &mut World, changes: &[Change]) -> Vec<Arc<Event>> {
    let mut draft = Draft::new(world.clone(), Moment::from_unix_ms(0));
    let origin = Origin { actor: "api".into(), cause: String::new() };
    let events = changes
        .iter()
        .flat_map(|c| draft.take(&origin, vec![c.clone()], Moment::from_unix_ms(1)))
        .collect();
    *world = draft.world;
    events
}

/// A centre over a store, with what stops it.
pub(crate) struct TestCentre {
    pub(crate) centre: Centre,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl TestCentre {
    pub(crate) async fn over(store: &Store) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let opened = Centre::open(store.clone(), Settings::default(), &tasks, stop.clone()).await;
        Self { centre: opened.unwrap(), stop, tasks }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Centre {
    /// As if so much had happened since that memory holds nothing of it.
    pub(crate) fn forget_memory(&self) {
        self.inner.recent.replace(Vec::new(), self.head().seq);
    }

    /// Keeps only events from this one on.
    pub(crate) async fn forget_before(&self, oldest: u64) {
        let keep_events = self.head().seq + 1 - oldest;
        let settings = Settings { keep_events, ..Settings::default() };
        retention::clear(self, &settings, Moment::now()).await.unwrap();
        self.forget_memory();
    }
}

pub(crate) fn origin() -> Origin {
    Origin { actor: "node:n".into(), cause: "test".into() }
}

pub(crate) async fn put(centre: &Centre, changes: Vec<Change>) -> Vec<Arc<Event>> {
    centre.change(origin(), move |_| changes.clone()).await.unwrap()
}

pub(crate) fn app_named(id: &str) -> Change {
    Change::Put(Entity::App(app(id)))
}

fn put_instance(key: &str, app: &str, node: Option<&str>) -> Change {
    Change::Put(Entity::Instance(Box::new(instance(key, app, node))))
}

async fn reopened(test: TestStore, old: TestCentre) -> (TestStore, TestCentre) {
    old.end().await;
    let test = test.reopen().await;
    let new = TestCentre::over(&test.store).await;
    (test, new)
}

#[tokio::test]
async fn an_answered_change_is_there_after_a_restart() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let first = vec![
            app_named("a"),
            Change::Put(Entity::Node(node("n", &[false]))),
            put_instance("c/1", "a", Some("n")),
            put_instance("c/2", "a", None),
        ];
        let events = put(&t.centre, first.clone()).await;
        assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(put(&t.centre, first).await, [], "{}", test.name);
        let gone = Change::Forget(Entity::Instance(Box::new(instance("c/2", "a", None))));
        assert_eq!(put(&t.centre, vec![gone]).await[0].kind, EventType::InstanceGone);
        let before = t.centre.read(World::clone);
        let told = t.centre.told_after(0, 100).await.unwrap();
        let (test, t) = reopened(test, t).await;
        assert_eq!(t.centre.read(World::clone), before, "{}", test.name);
        assert_eq!(t.centre.told_after(0, 100).await.unwrap(), told, "{}", test.name);
        let events = t.centre.events_after(2, 2).await.unwrap();
        assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(put(&t.centre, vec![app_named("b")]).await[0].seq, 6, "{}", test.name);
        t.end().await;
    }
}

#[tokio::test]
async fn decisions_follow_each_other_in_one_transaction() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let count = |centre: &Centre| centre.read(|w| w.apps().count());
        let add = |_| {
            let centre = t.centre.clone();
            let next = |w: &World| vec![app_named(&format!("app{}", w.apps().count()))];
            tokio::spawn(async move { centre.change(origin(), next).await })
        };
        for answer in (0..300).map(add).collect::<Vec<_>>() {
            assert_eq!(answer.await.unwrap().unwrap().len(), 1);
        }
        assert_eq!(count(&t.centre), 300, "{}", test.name);
        let commits = t.centre.counts().commits.load(Ordering::Relaxed);
        assert!(commits < 150, "{commits} transactions for 300 changes");
        t.end().await;
    }
}

#[tokio::test]
async fn an_instance_that_moves_ends_where_it_was() {
    let mut world = World::new(Cursor { epoch: "e".into(), seq: 0 });
    let kinds = |events: Vec<Arc<Event>>| events.iter().map(|e| e.kind).collect::<Vec<_>>();
    use EventType::{InstanceChanged as Changed, InstanceGone as Gone};
    let steps = [
        (put_instance("c/1", "a", None), vec![Changed]),
        (put_instance("c/1", "a", Some("n1")), vec![Changed]),
        (put_instance("c/1", "a", Some("n2")), vec![Gone, Changed]),
        (put_instance("c/1", "b", Some("n2")), vec![Gone, Changed]),
        (put_instance("c/1", "b", None), vec![Gone, Changed]),
    ];
    for (change, wanted) in steps {
        assert_eq!(kinds(decided(&mut world, &[change])), wanted);
    }
    // an end is told to those who know it, whoever is said to run it now
    let end = Change::Forget(Entity::Instance(Box::new(instance("c/1", "other", Some("n9")))));
    let events = decided(&mut world, std::slice::from_ref(&end));
    let told: common::api_types::Instance =
        serde_json::from_value(events[0].payload.clone()).unwrap();
    assert_eq!((told.app.as_str(), told.state), ("b", InstanceState::Ended));
    assert!(told.ended_at.is_some());
    assert_eq!(decided(&mut world, &[end]), []);
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_and_counted() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let long = "x".repeat(2000);
        let odd = vec![app_named("a\0b"), app_named(&long), put_instance("c/1", &long, None)];
        assert_eq!(put(&t.centre, odd).await, []);
        let labels = [("k".to_owned(), "nul \0".to_owned())].into();
        let app = common::api_types::AppSpec { labels, ..app("good") };
        let origin = Origin { actor: "user:\0".into(), cause: "\0".into() };
        let put = Change::Put(Entity::App(app));
        let events = t.centre.change(origin, move |_| vec![put.clone()]).await.unwrap();
        assert_eq!(events.len(), 1, "{}", test.name);
        assert_eq!(t.centre.counts().refused.load(Ordering::Relaxed), 3, "{}", test.name);
        let before = t.centre.read(World::clone);
        let (_test, t) = reopened(test, t).await;
        assert_eq!(t.centre.read(World::clone), before);
        t.end().await;
    }
}

async fn pages(store: &Store, most: i64) {
    let limit = format!("PRAGMA max_page_count = {most}");
    let mut writing = store.begin().await.unwrap();
    sqlx::query(&limit).fetch_all(writing.connection()).await.unwrap();
    writing.rollback().await;
}

#[tokio::test]
async fn a_full_disk_changes_nothing_and_passes() {
    let test = test_stores().await.remove(0);
    let t = TestCentre::over(&test.store).await;
    put(&t.centre, vec![app_named("a")]).await;
    // SQLite lowers it to what the file has
    pages(&test.store, 1).await;
    let many: Vec<_> = (0..2000).map(|n| app_named(&format!("app{n}"))).collect();
    let wanted = many.clone();
    let full = t.centre.change(origin(), move |_| many.clone()).await.unwrap_err();
    assert!(full.to_string().contains("full"), "{full}");
    assert!(t.centre.healthy().unwrap_err().contains("full"));
    assert_eq!(t.centre.head().seq, 1);
    assert_eq!(t.centre.read(|w| w.apps().count()), 1);
    pages(&test.store, 1_000_000).await;
    assert_eq!(put(&t.centre, wanted).await.len(), 2000);
    assert_eq!(t.centre.healthy(), Ok(()));
    let (test, t) = reopened(test, t).await;
    assert_eq!(t.centre.read(|w| w.apps().count()), 2001);
    t.end().await;
    drop(test);
}

#[tokio::test]
async fn a_store_that_went_back_is_not_written_and_gets_another_epoch() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let epoch = t.centre.epoch().to_owned();
        put(&t.centre, vec![app_named("a"), app_named("b")]).await;
        let mut writing = test.store.begin().await.unwrap();
        store::entities::set_head(writing.connection(), 1).await.unwrap();
        writing.commit().await.unwrap();
        let refused = t.centre.change(origin(), |_| vec![app_named("c")]).await;
        assert!(matches!(refused, Err(Error::Replaced)), "{}", test.name);
        assert!(t.centre.healthy().unwrap_err().contains("restart"));
        let (_test, t) = reopened(test, t).await;
        assert_ne!(t.centre.epoch(), epoch);
        t.end().await;
    }
}

#[tokio::test]
async fn what_is_old_or_too_much_goes() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        put(&t.centre, (0..9).map(|n| put_instance(&format!("c/{n}"), "a", None)).collect()).await;
        let end = |n| {
            let gone = instance(&format!("c/{n}"), "a", None);
            Change::Forget(Entity::Instance(Box::new(gone)))
        };
        put(&t.centre, (0..6).map(end).collect()).await;
        let ended = async || {
            let state = store::history::Which::State(InstanceState::Ended);
            let asked = store::history::Asked { state, limit: 100, ..Default::default() };
            let found = store::history::history(&test.store, &asked, |_| true).await.unwrap();
            found.items.iter().map(|i| i.key.clone()).collect::<Vec<_>>().join(" ")
        };
        let (now, keep) = (Moment::now(), Settings { keep_ended: 4, ..Settings::default() });
        retention::clear(&t.centre, &keep, now).await.unwrap();
        assert_eq!((ended().await.as_str(), t.centre.oldest()), ("c/5 c/4 c/3 c/2", 1));
        let week = now.after(Duration::from_secs(8 * 24 * 3600));
        retention::clear(&t.centre, &keep, week).await.unwrap();
        assert_eq!((ended().await.as_str(), t.centre.oldest()), ("", 16), "{}", test.name);
        assert_eq!(t.centre.events_after(15, 9).await.unwrap(), []);
        assert!(matches!(t.centre.events_after(3, 9).await, Err(Error::TooOld { oldest: 16 })));
        let before = t.centre.read(World::clone);
        let (_test, t) = reopened(test, t).await;
        assert_eq!((t.centre.read(World::clone), t.centre.oldest()), (before, 16));
        assert_eq!(put(&t.centre, vec![app_named("a")]).await[0].seq, 16);
        t.end().await;
    }
}

#[tokio::test]
async fn a_store_that_works_again_is_noticed_without_a_change() {
    let test = test_stores().await.remove(0);
    let t = TestCentre::over(&test.store).await;
    pages(&test.store, 1).await;
    let many: Vec<_> = (0..2000).map(|n| app_named(&format!("app{n}"))).collect();
    t.centre.change(origin(), move |_| many.clone()).await.unwrap_err();
    pages(&test.store, 1_000_000).await;
    eventually(|| t.centre.healthy().is_ok()).await;
    t.end().await;
}

/// Waits for a condition, at most 10 s.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(tokio::time::Instant::now() < end, "it did not come true in 10 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the changes: numbers without a gap, and the events alone make the same world, again and again.
    #[test]
    fn events_make_the_world(changes in changes(60)) {
        let mut world = World::new(Cursor { epoch: "e".into(), seq: 0 });
        let mut copy = world.clone();
        let events = decided(&mut world, &changes);
        prop_assert!(events.iter().map(|e| e.seq).eq(1..=events.len() as u64));
        for event in &events {
            copy.apply(event);
            copy.apply(event);
        }
        prop_assert_eq!(copy, world);
    }

    /// A world that adopts another in what was touched is that other.
    #[test]
    fn adopting_is_copying(first in changes(20), second in changes(20)) {
        let mut draft = Draft::new(World::new(Cursor { epoch: "e".into(), seq: 0 }), Moment::from_unix_ms(0));
        draft.take(&origin(), first, Moment::from_unix_ms(1));
        let old = draft.world.clone();
        draft.settled();
        draft.take(&origin(), second, Moment::from_unix_ms(2));
        let new = draft.world.clone();
        let touched = draft.settled();
        let keys = || touched.iter().map(|(kind, key)| (*kind, key.as_str()));
        let mut forth = old.clone();
        forth.adopt(&new, keys());
        prop_assert_eq!(&forth, &new);
        forth.adopt(&old, keys());
        prop_assert_eq!(&forth, &old);
    }
}
