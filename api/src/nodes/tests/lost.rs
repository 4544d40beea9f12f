//! Lines that will never be shipped: each loss told once, of its instance, whatever is repeated or restarted.

use super::lab::*;
use crate::nodes::{ReportError, load};
use crate::reconcile::tests::lab::{at, container, ended, facts};
use crate::store::test_stores;
use common::api_types::EventType::*;
use common::api_types::{Event, Instance, LOST, LogAgentFacts, LogGap, LogLossFact, Lost, Report};
use common::ids::{AppId, InstanceId, NodeName};

const LOG1: (&str, &str, &str) = ("n1", "log-agent", "aa.1000.y");

fn account(app: &str, instance: &str, since: u64, reasons: &[(&str, u64, u64)]) -> LogLossFact {
    let reasons = reasons
        .iter()
        .map(|(reason, gaps, bytes)| ((*reason).to_owned(), Lost { gaps: *gaps, bytes: *bytes }));
    LogLossFact {
        app: AppId::new(app),
        instance: InstanceId::new(instance),
        since: at(since),
        at: at(since + 1),
        file: "app.log.3".into(),
        reasons: reasons.collect(),
    }
}

fn says(losses: &[LogLossFact]) -> Report {
    let facts = LogAgentFacts { losses: losses.to_vec(), ..LogAgentFacts::default() };
    Report { facts: serde_json::to_value(&facts).unwrap(), ..report(&Default::default()) }
}

async fn told(lab: &Lab) -> Vec<(Event, LogGap)> {
    let gaps = lab.events().await.into_iter().filter(|e| e.kind == LogGap);
    gaps.map(|e| (e.clone(), serde_json::from_value(e.payload[LOST].clone()).unwrap())).collect()
}

/// A container's instance, by its id.
fn short(id: &str) -> String {
    container(id, "web").instance.to_string()
}

#[tokio::test]
async fn a_loss_is_told_once_and_only_what_is_more_is_told_again() {
    for test in test_stores().await {
        let mut lab = Lab::over(&test.store).await;
        lab.tell(N1, &report(&facts(1, vec![container("ab", "web")], vec![]))).await;
        // nothing lost: nothing told
        lab.tell(LOG1, &says(&[])).await;
        let id = short("ab");
        assert!(told(&lab).await.is_empty(), "{}", test.name);
        let first = says(&[account("web", &id, 5, &[("quota", 1, 100)])]);
        assert!(lab.tell(LOG1, &first).await);
        let gaps = told(&lab).await;
        let (event, gap) = &gaps[0];
        assert_eq!((gaps.len(), event.subject.as_str()), (1, "d2/n1/ab0000000000"));
        assert_eq!((gap.gaps, gap.bytes, gap.account.file.as_str()), (1, 100, "app.log.3"));
        assert_eq!((event.actor.as_str(), &*event.cause), ("node:n1", "report of log-agent"));
        let instance: Instance = serde_json::from_value(event.payload.clone()).unwrap();
        assert_eq!((instance.app.as_str(), instance.node), ("web", Some(NodeName::new("n1"))));

        // the same again, and the same account of a younger process
        lab.tell(LOG1, &first).await;
        lab.send(LOG1, &first, true).await.unwrap();
        let younger = ("n1", "log-agent", "aa.2000.y");
        lab.send(younger, &first, true).await.unwrap();
        assert_eq!(told(&lab).await.len(), 1);
        let more = account("web", &id, 5, &[("quota", 3, 250), ("truncated", 1, 7)]);
        lab.tell(younger, &says(&[more])).await;
        // an account that vanished and one that began anew
        lab.tell(younger, &says(&[])).await;
        lab.tell(younger, &says(&[account("web", &id, 90, &[("quota", 1, 9)])])).await;
        let bytes: Vec<u64> = told(&lab).await.iter().map(|(_, gap)| gap.bytes).collect();
        assert_eq!(bytes, [100, 157, 9]);
        lab.pass(1).await;

        // a restart, in order or not, repeats nothing and misses nothing
        let (test, lab) = lab.restart(test).await;
        let last = says(&[account("web", &id, 90, &[("quota", 2, 20)])]);
        lab.tell(younger, &last).await;
        let before = told(&lab).await.len();
        let (test, lab) = lab.crash(test).await;
        lab.tell(younger, &last).await;
        assert_eq!(told(&lab).await.len(), before, "{}", test.name);
        lab.tell(younger, &says(&[account("web", &id, 90, &[("quota", 3, 21)])])).await;
        let gaps = told(&lab).await;
        assert_eq!((gaps.len(), gaps[before].1.bytes), (before + 1, 1));
        lab.t.end().await;
    }
}

#[tokio::test]
async fn a_loss_of_an_instance_that_ended_or_is_known_to_nobody_is_told_too() {
    for test in test_stores().await {
        let lab = Lab::over(&test.store).await;
        lab.tell(N1, &report(&facts(1, vec![container("ab", "web")], vec![]))).await;
        let gone = ended(container("ab", "web"), 120, 3);
        lab.tell(N1, &report(&facts(1, vec![], vec![gone]))).await;
        let losses = [
            account("web", &short("ab"), 5, &[("quota", 1, 1)]),
            account("lonely", "x", 5, &[("volume_gone", 2, 2)]),
        ];
        lab.tell(LOG1, &says(&losses)).await;
        let gaps = told(&lab).await;
        let about: Vec<_> = gaps.iter().map(|(e, _)| e.subject.as_str()).collect();
        assert_eq!(about, ["d2/n1/x", "d2/n1/ab0000000000"], "{}", test.name);
        assert_eq!(gaps[1].0.payload["exit"]["code"], 3, "as it was when it ended");
        lab.tell(LOG1, &says(&[losses[1].clone(), losses[0].clone()])).await;
        assert_eq!(told(&lab).await.len(), 2);
        lab.t.end().await;
    }
}

#[tokio::test]
async fn accounts_are_bounded_and_other_agents_have_none() {
    let test = test_stores().await.remove(0);
    let lab = Lab::over(&test.store).await;
    let one = account("web", "a", 5, &[("quota", 1, 1)]);
    lab.tell(("n1", "other", "aa.1000.z"), &says(std::slice::from_ref(&one))).await;
    assert!(told(&lab).await.is_empty());
    let many = says(&vec![one; 1_001]);
    let error = lab.send(LOG1, &many, true).await.unwrap_err();
    assert!(matches!(error, ReportError::Report { field: "facts.losses", .. }), "{error}");
    let wrong = Report { facts: serde_json::json!({"losses": [7]}), ..many };
    assert_eq!(lab.send(LOG1, &wrong, true).await.unwrap_err().code(), "invalid_body");
    lab.t.end().await;
}

#[tokio::test]
async fn what_one_process_told_the_other_does_not_tell_again() {
    for test in test_stores().await {
        let Some(other) = test.again().await else { continue };
        let (mut a, mut b) = (Lab::over(&test.store).await, Lab::over(&other).await);
        let first = says(&[account("web", "a", 5, &[("quota", 1, 10)])]);
        a.tell(LOG1, &first).await;
        // before and after its row is here
        b.send(LOG1, &first, true).await.unwrap();
        a.pass(1).await;
        b.clock = 6;
        let since = b.now().wall.before(std::time::Duration::from_secs(120));
        load::take_over(&b.nodes, since, b.now()).await.unwrap();
        b.tell(LOG1, &says(&[account("web", "a", 5, &[("quota", 2, 15)])])).await;
        let bytes: Vec<u64> = told(&b).await.iter().map(|(_, gap)| gap.bytes).collect();
        assert_eq!(bytes, [10, 5], "{}", test.name);
        a.t.end().await;
        b.t.end().await;
    }
}
