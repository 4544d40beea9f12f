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
        b.clock = 6;
        let since = b.now().wall.before(std::time::Duration::from_secs(120));
        load::take_over(&b.nodes, since, b.now()).await.unwrap();
        assert_eq!(b.nodes.facts(&NodeName::new("n1")).unwrap().facts().containers.len(), 1);
        // the agent comes to the other process: its digest is known, and nothing is told twice
        assert!(!b.tell(N1, &report(&facts(1, vec![killed.clone()], vec![]))).await);
        killed.oom_kills = 2;
        b.tell(N1, &report(&facts(1, vec![killed], vec![]))).await;
        let kills = b.kinds().await.iter().filter(|k| **k == OomKilled).count();
        assert_eq!(kills, 2);
        // one that nobody hears of any more is silent for whoever has the lease, though later
        a.pass(70).await;
        b.pass(70).await;
        assert!(b.kinds().await.contains(&NodeSilent) || a.kinds().await.contains(&NodeSilent));
        a.t.end().await;
        b.t.end().await;
    }
}
