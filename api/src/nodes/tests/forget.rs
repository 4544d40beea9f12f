use super::lab::*;
use crate::access::audit::{self, By};
use crate::nodes::{ForgetError, rows, version};
use crate::reconcile::tests::lab::{container, facts};
use crate::store::{TestStore, test_stores};
use crate::version::IfMatch;
use axum::http::HeaderMap;
use axum::response::Response;
use common::api_types::EventType::*;
use common::ids::NodeName;

fn admin() -> By {
    By { actor: "user:admin".into(), cause: "scrapped".into(), address: None }
}

async fn forget(lab: &Lab, wanted: &IfMatch) -> Result<(), ForgetError> {
    let now = lab.now().wall;
    lab.nodes.forget(&NodeName::new("n1"), admin(), wanted, now).await.map(|_| ())
}

/// What names the version that is there now.
fn as_it_is(lab: &Lab) -> IfMatch {
    let status = lab.nodes.status(&NodeName::new("n1")).unwrap();
    let response = version(&status).tag(Response::default());
    let mut headers = HeaderMap::new();
    headers.insert("if-match", response.headers()["etag"].clone());
    IfMatch::of(&headers).unwrap()
}

async fn audited(test: &TestStore) -> usize {
    let filter = audit::Filter { action: Some("node_deleted".into()), ..Default::default() };
    audit::list(test.store.read(), &filter, 10).await.unwrap().len()
}

#[tokio::test]
async fn a_silent_node_is_forgotten_by_word_and_comes_back_by_a_report() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        let first = report(&facts(1, vec![container("ab", "web")], vec![]));
        lab.tell(N1, &first).await;
        lab.pass(1).await;
        let any = IfMatch::default();
        assert!(matches!(forget(&lab, &any).await, Err(ForgetError::Reports)), "{}", test.name);
        let looked = as_it_is(&lab);
        lab.pass(5).await;
        lab.tell(N1, &first).await;
        lab.pass(31).await;
        assert!(lab.silent("n1"));
        assert!(matches!(forget(&lab, &looked).await, Err(ForgetError::Changed(_))));
        assert_eq!((audited(&test).await, lab.rows().await), (0, 1), "nothing has happened");

        let before = lab.kinds().await.len();
        forget(&lab, &as_it_is(&lab)).await.unwrap();
        assert_eq!(lab.kinds().await[before..], [InstanceGone, NodeDeleted]);
        let events = lab.events().await;
        assert_eq!(events[before].payload["exit"]["reason"], "node_deleted");
        assert_eq!(
            (events[before + 1].actor.as_str(), &*events[before + 1].cause),
            ("user:admin", "scrapped")
        );
        assert_eq!((audited(&test).await, lab.rows().await), (1, 0));
        assert!(lab.nodes.status(&NodeName::new("n1")).is_none());
        assert!(lab.nodes.facts(&NodeName::new("n1")).is_none());
        assert!(matches!(forget(&lab, &any).await, Err(ForgetError::Unknown)));
        lab.pass(40).await;
        assert_eq!(lab.kinds().await.len(), before + 2, "nobody speaks of it any more");

        assert!(lab.tell(N1, &first).await, "its digest is not known any more");
        assert!(lab.instance("d2/n1/ab0000000000").is_some() && !lab.silent("n1"));
        lab.t.end().await;
    }
}

#[tokio::test]
async fn a_forgotten_node_stays_so_after_a_restart_whatever_is_left_of_it() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        lab.tell(N1, &report(&facts(1, vec![], vec![]))).await;
        lab.pass(31).await;
        let left = rows::load(&test.store).await.unwrap();
        forget(&lab, &IfMatch::default()).await.unwrap();
        // as by a write that was under way
        rows::save(&test.store, &left).await.unwrap();
        let (_test, mut lab) = lab.restart(test).await;
        assert_eq!((left.len(), lab.rows().await), (1, 0), "{}", _test.name);
        let before = lab.kinds().await;
        lab.pass(61).await;
        assert_eq!(lab.kinds().await, before);
        assert!(lab.nodes.statuses().is_empty());
        lab.t.end().await;
    }
}

#[tokio::test]
async fn what_one_process_forgot_the_other_knows_no_more() {
    for test in test_stores().await {
        let Some(other) = test.again().await else { continue };
        let (mut a, mut b) = (Lab::over(&test.store).await, Lab::over(&other).await);
        // whoever has the lease is called a
        crate::centre::eventually(|| a.nodes.inner.lease.held() || b.nodes.inner.lease.held())
            .await;
        if b.nodes.inner.lease.held() {
            std::mem::swap(&mut a, &mut b);
        }
        b.tell(N1, &report(&facts(1, vec![], vec![]))).await;
        b.pass(11).await;
        a.clock = b.clock - 1;
        a.pass(6).await;
        while !a.silent("n1") {
            assert!(a.clock < 100);
            a.pass(1).await;
            b.clock = a.clock;
        }
        let told = async |to: &mut Lab, by: &Lab| {
            assert!(to.t.centre.reached(by.t.centre.head().seq).await);
            to.pass(6).await;
        };
        told(&mut b, &a).await;
        assert!(b.silent("n1"));
        forget(&a, &IfMatch::default()).await.unwrap();
        told(&mut b, &a).await;
        assert!(b.nodes.facts(&NodeName::new("n1")).is_none() && b.nodes.entries().is_empty());
        a.t.end().await;
        b.t.end().await;
    }
}
