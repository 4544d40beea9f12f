use super::lab::*;
use crate::nodes::ReportError;
use crate::reconcile::tests::lab::{at, container, ended, facts, id, listed, listed_app};
use crate::reconcile::{self, ClusterFacts, Listing};
use crate::store::test_stores;
use common::api_types::EventType::*;
use common::api_types::{ContainerFact, DadvisorFacts, Report};
use common::ids::NodeName;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_report_is_judged_once_and_its_digest_is_enough_from_then_on() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        let first = report(&facts(1, vec![container("ab", "web")], vec![]));
        assert!(lab.tell(N1, &first).await);
        assert_eq!(lab.kinds().await, [NodeChanged, AppChanged, InstanceChanged]);
        lab.pass(1).await;
        assert_eq!(lab.rows().await, 1, "{}", test.name);
        let commits = lab.t.centre.counts().commits.load(Ordering::Relaxed);
        for _ in 0..5 {
            lab.pass(5).await;
            assert!(!lab.tell(N1, &first).await);
        }
        assert_eq!(lab.t.centre.counts().commits.load(Ordering::Relaxed), commits);
        assert_eq!(lab.nodes.counts().judged.load(Ordering::Relaxed), 1);
        let node = NodeName::new("n1");
        let status = lab.nodes.status(&node).unwrap();
        assert_eq!((status.instances, status.last_seen), (1, Some(lab.now().wall)));
        assert_eq!(lab.nodes.statuses(), [status]);
        // it listens everywhere: others find it at the node's address
        assert_eq!(lab.nodes.address(&node, "dadvisor").as_deref(), Some("10.0.0.1:7001"));
        assert_eq!(lab.nodes.address(&node, "log-agent"), None);
        assert_eq!(lab.nodes.facts(&node).unwrap().facts().containers.len(), 1);

        // whole, but known: nothing to judge
        lab.send(N1, &first, true).await.unwrap();
        assert_eq!(lab.nodes.counts().judged.load(Ordering::Relaxed), 1);
        let other = Report { version: "1.3".into(), ..first };
        assert!(lab.tell(("n1", "log-agent", "aa.5.y"), &other).await);
        assert_eq!(lab.kinds().await[3..], [NodeChanged]);
        lab.t.end().await;
    }
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_tells_nothing() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        let short = ended(container("cd", "job"), 110, 0);
        let mut killed = container("ab", "web");
        let told = report(&facts(1, vec![killed.clone()], vec![short.clone()]));
        lab.tell(N1, &told).await;
        lab.pass(2).await;
        killed.oom_kills = 2;
        let told = report(&facts(1, vec![killed.clone()], vec![short.clone()]));
        lab.tell(N1, &told).await;
        let before = lab.kinds().await;
        assert_eq!(before.iter().filter(|k| **k == OomKilled).count(), 2);
        let (test, lab) = lab.restart(test).await;
        assert!(!lab.tell(N1, &told).await, "the digest is known: {}", test.name);
        assert_eq!(lab.kinds().await, before);

        // the last report was judged, but not written before the end
        let last = ended(container("ef", "job"), 120, 1);
        killed.oom_kills = 3;
        let told = report(&facts(1, vec![killed.clone()], vec![short, last]));
        lab.tell(N1, &told).await;
        let before = lab.kinds().await;
        let (test, lab) = lab.crash(test).await;
        assert!(lab.tell(N1, &told).await, "comes whole: {}", test.name);
        assert_eq!(lab.kinds().await, before);
        killed.oom_kills = 4;
        lab.tell(N1, &report(&facts(1, vec![killed], vec![]))).await;
        assert_eq!(lab.kinds().await[before.len()..], [OomKilled]);
        lab.t.end().await;
    }
}

#[tokio::test]
async fn reports_are_bounded_and_refusals_are_named() {
    let test = test_stores().await.remove(0);
    let lab = Lab::over(&test.store).await;
    let good = report(&facts(1, vec![], vec![]));
    let code = async |who, report: &Report| match lab.send(who, report, true).await {
        Ok(()) => "taken",
        Err(error) => error.code(),
    };
    let long = "x".repeat(256);
    for name in ["", "a/b", "a,b", "a b", "a\nb", &long] {
        assert_eq!(code((name, "dadvisor", "aa.1.x"), &good).await, "bad_node", "{name:?}");
    }
    assert_eq!(code(("n1", "Agent", "aa.1.x"), &good).await, "bad_agent");
    assert_eq!(code(("n1", "dadvisor", "x"), &good).await, "bad_run");
    let wrong = Report { facts: serde_json::json!({"containers": 7}), ..good.clone() };
    assert_eq!(code(N1, &wrong).await, "invalid_body");
    let wrong = Report { dc: String::new(), ..good.clone() };
    assert_eq!(code(N1, &wrong).await, "invalid_body");
    let many = (0..10_001).map(|n| container(&format!("{n:x}"), "a")).collect();
    assert_eq!(code(N1, &report(&facts(1, many, vec![]))).await, "invalid_body");
    assert_eq!(lab.send(N1, &good, false).await.unwrap_err().code(), "digest_unknown");
    let noisy = Report { note: format!("a\u{1b}[2J{}", "b".repeat(5_000)), ..good };
    assert_eq!(code(N1, &noisy).await, "taken");
    let note = lab.nodes.status(&NodeName::new("n1")).unwrap().node.agents[0].note.clone();
    assert_eq!((note.len(), note.starts_with("a [2Jb")), (1_000, true));
    lab.t.end().await;
}

#[tokio::test]
async fn many_reports_of_one_node_at_once_end_in_the_last_state() {
    let test = test_stores().await.remove(0);
    let lab = Lab::over(&test.store).await;
    let reports: Vec<Report> = (0..20)
        .map(|n| {
            let image = format!("web:{n}");
            report(&facts(1, vec![ContainerFact { image, ..container("ab", "web") }], vec![]))
        })
        .collect();
    let sent = reports.iter().map(|report| lab.send(N1, report, true));
    for taken in futures_util::future::join_all(sent).await {
        taken.unwrap();
    }
    lab.send(N1, &reports[7], true).await.unwrap();
    assert_eq!(lab.instance("d2/n1/ab0000000000").unwrap().image.as_deref(), Some("web:7"));
    lab.t.end().await;
}

#[tokio::test]
async fn what_could_not_be_stored_comes_again() {
    let test = test_stores().await.remove(0);
    let lab = Lab::over(&test.store).await;
    let first = report(&facts(1, vec![container("ab", "web")], vec![]));
    lab.tell(N1, &first).await;
    let store = lab.t.centre.store();
    let sql = "CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END";
    let mut writing = store.begin().await.unwrap();
    sqlx::query(sql).execute(writing.connection()).await.unwrap();
    writing.commit().await.unwrap();
    let second = report(&facts(1, vec![], vec![]));
    let error = lab.send(N1, &second, true).await.unwrap_err();
    assert!(matches!(error, ReportError::Centre(_)), "{error}");
    let mut writing = store.begin().await.unwrap();
    sqlx::query("DROP TRIGGER no").execute(writing.connection()).await.unwrap();
    writing.commit().await.unwrap();
    // neither the one that failed nor the one before is known by its digest now
    for again in [&first, &second] {
        assert!(lab.tell(N1, again).await);
    }
    assert_eq!(lab.kinds().await, [NodeChanged, AppChanged, InstanceChanged, InstanceGone]);
    lab.t.end().await;
}

#[tokio::test]
async fn other_clusters_have_everything_judged_again() {
    let test = test_stores().await.remove(0);
    let lab = Lab::over(&test.store).await;
    let first = report(&facts(1, vec![container("ab", "web")], vec![]));
    lab.tell(N1, &first).await;
    let (_test, mut lab) = lab.restart(test).await;
    // a third process, without the cluster d2
    lab.nodes = crate::nodes::Nodes::new(lab.t.centre.clone(), Default::default(), &lab.t.tasks);
    crate::nodes::load::load(&lab.nodes).await.unwrap();
    assert!(lab.instance("d2/n1/ab0000000000").is_none());
    assert!(lab.tell(N1, &first).await);
    assert!(lab.instance("local/n1/ab0000000000").is_some());
    lab.t.end().await;
}

#[tokio::test]
async fn a_scheduler_meets_what_nodes_said_before() {
    let test = test_stores().await.remove(0);
    let lab = Lab::over(&test.store).await;
    let mut of_task = container("ab", "web");
    of_task.task = Some("web.1".into());
    let seen = Report { dc: "dc1".into(), ..report(&facts(1, vec![of_task], vec![])) };
    lab.tell(N1, &seen).await;
    let listing = Listing { cluster: "m1".into(), dc: "dc1".into(), at: at(5) };
    let told = ClusterFacts {
        listing,
        apps: vec![listed_app("web", 1)],
        tasks: vec![listed("web.1", "web", "10.0.0.1")],
    };
    let nodes = lab.nodes.clone();
    let origin = crate::centre::Origin { actor: "cluster:m1".into(), cause: "test".into() };
    let decide = move |world: &crate::world::World| {
        nodes.with_view(|view| reconcile::cluster(world, &told, view))
    };
    lab.t.centre.change(origin, decide).await.unwrap();
    let instance = lab.instance("m1/web.1").unwrap();
    assert_eq!((instance.container, instance.node), (Some(id("ab")), Some(NodeName::new("n1"))));
    let nothing = Report { dc: "dc1".into(), ..report(&DadvisorFacts::default()) };
    lab.tell(N1, &nothing).await;
    assert_eq!(lab.instance("m1/web.1").unwrap().container, Some(id("ab")), "not a whole list");
    lab.t.end().await;
}

#[tokio::test]
async fn a_fleet_that_has_nothing_new_to_say_is_heard_in_no_time() {
    let test = test_stores().await.remove(0);
    let mut lab = Lab::over(&test.store).await;
    let names: Vec<String> = (0..500).map(|n| format!("host-{n}")).collect();
    let first = report(&facts(1, vec![container("ab", "web")], vec![]));
    for name in &names {
        lab.send((name, "dadvisor", "aa.1.x"), &first, true).await.unwrap();
    }
    lab.pass(2).await;
    let commits = lab.t.centre.counts().commits.load(Ordering::Relaxed);
    let digest = common::api_types::digest::hash(&first);
    let start = std::time::Instant::now();
    for name in names.iter().cycle().take(10_000) {
        let node = NodeName::new(name.as_str());
        lab.nodes.report(&node, "dadvisor", "aa.1.x", &digest, None).await.unwrap();
    }
    let each = start.elapsed() / 10_000;
    assert!(each < std::time::Duration::from_micros(500), "{each:?}");
    assert_eq!(lab.t.centre.counts().commits.load(Ordering::Relaxed), commits);
    lab.t.end().await;
}
