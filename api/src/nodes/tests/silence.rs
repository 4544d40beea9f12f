use super::lab::*;
use crate::nodes::Shipped;
use crate::nodes::entry::Now;
use crate::reconcile::tests::lab::{container, ended, facts};
use crate::store::test_stores;
use common::api_types::EventType::*;
use common::api_types::Report;
use common::ids::{AppId, NodeName};
use common::moment::Moment;
use std::collections::BTreeMap;

#[tokio::test]
async fn three_missed_reports_are_silence_and_one_ends_it() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        let first = report(&facts(1, vec![container("ab", "web")], vec![]));
        lab.tell(N1, &first).await;
        let log = ("n1", "log-agent", "aa.1.y");
        lab.tell(log, &first).await;
        for _ in 0..4 {
            lab.pass(10).await;
            lab.tell(log, &first).await;
        }
        let silences =
            async |lab: &Lab| lab.kinds().await.iter().filter(|k| **k == NodeSilent).count();
        assert_eq!((silences(&lab).await, lab.silent("n1")), (1, false), "{}", test.name);
        lab.pass(29).await;
        assert_eq!(silences(&lab).await, 1);
        lab.pass(1).await;
        assert_eq!((silences(&lab).await, lab.silent("n1")), (2, true));
        // its instances stay
        assert!(lab.instance("d2/n1/ab0000000000").is_some());
        assert!(!lab.tell(N1, &first).await, "the digest is still known");
        assert!(!lab.silent("n1"));
        assert_eq!(lab.kinds().await.last(), Some(&NodeChanged));
        lab.t.end().await;
    }
}

#[tokio::test]
async fn what_is_shipped_is_summed_over_the_nodes_that_are_not_silent() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        let (one, two) = (("n1", "log-agent", "aa.1.x"), ("n2", "log-agent", "bb.1.x"));
        lab.tell(one, &ships("web", 5)).await;
        lab.tell(two, &ships("web", 7)).await;
        // whatever another agent says is no word on logs
        lab.tell(("n1", "dadvisor", "aa.1.y"), &report(&facts(1, vec![], vec![]))).await;
        let sum = |lag_bytes, nodes: u64| {
            let rates = Some((nodes * 10_000, nodes * 1_000));
            let apps = BTreeMap::from([(AppId::new("web"), Shipped { lag_bytes, rates })]);
            BTreeMap::from([("dc2".to_owned(), apps)])
        };
        assert_eq!(lab.nodes.shipped(), sum(12, 2), "{}", test.name);
        lab.pass(1).await;
        let (_test, mut lab) = lab.restart(test).await;
        assert_eq!(lab.nodes.shipped(), sum(12, 2));
        lab.pass(29).await;
        lab.tell(two, &ships("web", 9)).await;
        lab.pass(2).await;
        assert_eq!(lab.nodes.shipped(), sum(9, 1));
        lab.t.end().await;
    }
}

#[tokio::test]
async fn a_restart_grants_time_and_so_does_sleep() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        let first = report(&facts(1, vec![], vec![]));
        lab.tell(N1, &first).await;
        lab.pass(1).await;
        let (_test, mut lab) = lab.restart(test).await;
        lab.pass(29).await;
        assert!(!lab.silent("n1"));
        // asleep for a minute
        lab.clock += 60;
        lab.pass(29).await;
        assert!(!lab.silent("n1"));
        lab.pass(2).await;
        assert!(lab.silent("n1"));
        // who was silent before a restart is so after it, and is not told again
        let before = lab.kinds().await;
        let (_test, mut lab) = lab.restart(_test).await;
        lab.pass(61).await;
        assert!(lab.silent("n1"));
        assert_eq!(lab.kinds().await, before);
        lab.tell(N1, &first).await;
        assert!(!lab.silent("n1"));
        lab.t.end().await;
    }
}

#[tokio::test]
async fn a_claim_is_shown_while_it_lasts() {
    let test = test_stores().await.remove(0);
    let mut lab = Lab::over(&test.store).await;
    let first = report(&facts(1, vec![], vec![]));
    lab.tell(N1, &first).await;
    let thief = ("n1", "dadvisor", "bb.2000.x");
    for _ in 0..3 {
        lab.pass(5).await;
        lab.tell(N1, &first).await;
        assert_eq!(lab.send(thief, &first, true).await.unwrap_err().code(), "node_claimed");
    }
    let note = |lab: &Lab| {
        let node = lab.nodes.status(&NodeName::new("n1")).unwrap().node;
        node.agents[0].note.clone()
    };
    crate::centre::eventually(|| note(&lab).contains("machine bb reports")).await;
    assert_eq!(lab.kinds().await, [NodeChanged, NodeChanged], "shown once");
    // a new report keeps it in sight
    let second = Report { version: "2".into(), ..first };
    lab.tell(N1, &second).await;
    assert!(note(&lab).contains("machine bb reports"));
    for _ in 0..6 {
        lab.pass(10).await;
        lab.tell(N1, &second).await;
    }
    crate::centre::eventually(|| note(&lab).is_empty()).await;
    lab.t.end().await;
}

#[tokio::test]
async fn apps_that_nobody_runs_are_forgotten_after_a_week() {
    for test in test_stores().await {
        let lab = Lab::over(&test.store).await;
        let gone = ended(container("ab", "job"), 110, 0);
        lab.tell(N1, &report(&facts(1, vec![container("cd", "web")], vec![gone]))).await;
        let known =
            |lab: &Lab, app: &str| lab.t.centre.read(|world| world.app(&AppId::new(app)).is_some());
        // the store notes by its own clock when an end was told
        let now = Now { wall: Moment::now(), ..lab.now() };
        lab.sweep.forget_apps(now).await.unwrap();
        assert!(known(&lab, "job") && known(&lab, "web"));
        let week = std::time::Duration::from_secs(7 * 24 * 3_600);
        lab.sweep.forget_apps(Now { wall: now.wall.after(week), ..now }).await.unwrap();
        assert!(!known(&lab, "job") && known(&lab, "web"), "{}", test.name);
        lab.t.end().await;
    }
}
