//! Two processes over one store.

use super::lab::*;
use crate::nodes::load;
use crate::reconcile::tests::lab::{container, facts};
use crate::store::test_stores;
use common::api_types::EventType::*;
use common::ids::NodeName;

#[tokio::test]
async fn what_one_process_was_told_the_other_knows() {
    for test in test_stores().await {
        let Some(other) = test.again().await else { continue };
        let (mut a, mut b) = (Lab::over(&test.store).await, Lab::over(&other).await);
        let mut killed = container("ab", "web");
        killed.oom_kills = 1;
        let first = report(&facts(1, vec![container("ab", "web")], vec![]));
        a.tell(N1, &first).await;
        a.tell(N1, &report(&facts(1, vec![killed.clone()], vec![]))).await;
        a.pass(1).await;
        a.tell(("n1", "log-agent", "aa.1.y"), &ships("web", 5)).await;
        a.pass(1).await;
        b.clock = 6;
        let since = b.now().wall.before(std::time::Duration::from_secs(120));
        load::take_over(&b.nodes, since, b.now()).await.unwrap();
        assert_eq!(b.nodes.shipped(), a.nodes.shipped());
        assert_eq!(b.nodes.facts(&NodeName::new("n1")).unwrap().facts().containers.len(), 1);
        // the agent comes to the other process: its digest is known, and nothing is told twice
        assert!(!b.tell(N1, &report(&facts(1, vec![killed.clone()], vec![]))).await);
        killed.oom_kills = 2;
        b.tell(N1, &report(&facts(1, vec![killed], vec![]))).await;
        let kills = b.kinds().await.iter().filter(|k| **k == OomKilled).count();
        assert_eq!(kills, 2);
        a.t.end().await;
        b.t.end().await;
    }
}

#[tokio::test]
async fn one_process_calls_silent_who_reported_to_another() {
    for test in test_stores().await {
        let Some(other) = test.again().await else { continue };
        let (mut a, mut b) = (Lab::over(&test.store).await, Lab::over(&other).await);
        // whoever has the lease is called a
        crate::centre::eventually(|| a.nodes.inner.lease.held() || b.nodes.inner.lease.held())
            .await;
        if b.nodes.inner.lease.held() {
            std::mem::swap(&mut a, &mut b);
        }
        let first = report(&facts(1, vec![], vec![]));
        let mut told = 0;
        for round in 0..2 {
            b.tell(N1, &first).await;
            b.pass(11).await;
            // what the other one was told is known here, too
            assert!(a.t.centre.reached(b.t.centre.head().seq).await);
            a.clock = b.clock - 1;
            a.pass(6).await;
            assert!(!a.silent("n1"));
            let reported = a.clock;
            while !a.silent("n1") {
                assert!(a.clock < reported + 70);
                a.pass(1).await;
                b.clock = a.clock;
            }
            told += 1;
            let silences = a.kinds().await.iter().filter(|k| **k == NodeSilent).count();
            assert_eq!(silences, told, "round {round}");
            let seq = a.t.centre.head().seq;
            assert!(b.t.centre.reached(seq).await);
            b.pass(6).await;
        }
        assert!(!b.tell(N1, &first).await);
        assert!(!b.silent("n1"), "it is back, whoever called it silent");
        a.t.end().await;
        b.t.end().await;
    }
}
