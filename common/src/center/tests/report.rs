use super::play::{Instead, Stage, count, pace};
use crate::api_types::{AgentState, Report};
use crate::center::Pace;
use std::time::Duration;
use tokio::sync::watch;

fn report(note: &str) -> Report {
    Report {
        version: "1".into(),
        address: "127.0.0.1:7001".into(),
        tls: false,
        dc: "dc1".into(),
        state: AgentState::Running,
        note: note.into(),
        facts: serde_json::json!({"complete": true}),
    }
}

#[tokio::test]
async fn a_report_is_whole_when_it_is_new_and_a_digest_while_it_is_not() {
    let stage = Stage::new(pace()).await;
    let (to, reports) = watch::channel(report("a"));
    stage.center.report(reports);
    stage.until("three reports", |play, _| play.reports.len() >= 3).await;
    {
        let play = stage.play();
        assert!(play.reports[0].1.contains("\"a\""), "{:?}", play.reports[0]);
        assert!(
            play.reports[1..]
                .iter()
                .all(|(digest, body)| body.is_empty() && *digest == play.reports[0].0)
        );
    }
    to.send_replace(report("b"));
    stage.until("the change", |play, _| play.reports.iter().any(|r| r.1.contains("\"b\""))).await;
    // it has forgotten us: a new store
    stage.play().known = None;
    stage.until("all of it again", |_, status| count(status, "reports_again", "") == 1).await;
    stage
        .until("taken", |play, _| {
            play.reports.iter().filter(|r| r.1.contains("\"b\"")).count() == 2
        })
        .await;
    stage.until("its count", |_, status| count(status, "reports", "whole") == 3).await;
    stage.end().await;
    let last = stage.play().reports.last().unwrap().1.clone();
    assert!(last.contains("\"stopping\""), "{last}");
}

#[tokio::test]
async fn a_change_is_told_at_once_and_several_together() {
    let stage = Stage::new(Pace {
        every: Duration::from_secs(3_600),
        gather: Duration::from_millis(50),
        ..pace()
    })
    .await;
    let (to, reports) = watch::channel(report("a"));
    stage.center.report(reports);
    stage.until("the first", |play, _| play.reports.len() == 1).await;
    for note in ["b", "c", "d"] {
        to.send_replace(report(note));
        tokio::task::yield_now().await;
    }
    stage.until("the change", |play, _| play.reports.len() > 1).await;
    assert!(stage.play().reports[1].1.contains("\"d\""));
    stage.end().await;
    assert_eq!(stage.play().reports.len(), 3, "and the goodbye");
}

#[tokio::test]
async fn a_centre_that_is_away_hangs_or_refuses_changes_nothing() {
    let mut stage = Stage::new(pace()).await;
    let (to, reports) = watch::channel(report("a"));
    stage.center.report(reports);
    stage.until("the first", |play, _| !play.reports.is_empty()).await;
    for (instead, kind) in [
        (Instead::Status(500, ""), "refused"),
        (Instead::Status(409, "node_claimed"), "refused"),
        (Instead::Hang, "timeout"),
    ] {
        let before = count(&stage.center.status(), "report_errors", kind);
        stage.play().instead = Some(instead);
        stage.until(kind, |_, status| count(status, "report_errors", kind) > before).await;
        let link = stage.center.status().report;
        assert!(link.failing_since.is_some() && link.last_good.is_some(), "{link:?}");
    }
    stage.away().await;
    stage
        .until("refused connections", |_, status| count(status, "report_errors", "connect") > 2)
        .await;
    to.send_replace(report("b"));
    stage.play().instead = None;
    stage.back().await;
    stage.until("the latest", |play, _| play.reports.last().unwrap().1.contains("\"b\"")).await;
    stage.until("well", |_, status| status.report.failing_since.is_none()).await;
    stage.end().await;
}

#[tokio::test]
async fn a_token_is_taken_up_as_soon_as_it_is_there() {
    let stage = Stage::new(pace()).await;
    let file = stage.dir.path().join("token");
    std::fs::remove_file(&file).unwrap();
    let (_to, reports) = watch::channel(report("a"));
    stage.center.report(reports);
    stage.until("no file", |_, status| count(status, "report_errors", "token") > 0).await;
    let told = stage.center.status().report.last_error.unwrap();
    assert!(told.contains("token: No such file") && told.contains("[api] token_file"), "{told}");
    std::fs::write(&file, "\n").unwrap();
    let empty = |told: &str| told.contains("no token in it");
    stage.until("an empty one", |_, s| empty(s.report.last_error.as_deref().unwrap())).await;
    std::fs::write(&file, "qae_wrong").unwrap();
    stage.until("a wrong one", |_, status| count(status, "report_errors", "refused") > 0).await;
    let told = stage.center.status().report.last_error.unwrap();
    assert!(told.ends_with("/agents/dadvisor: 401 token_unknown: said the play"), "{told}");
    std::fs::write(&file, "qae_x\n").unwrap();
    stage.until("the right one", |play, _| !play.reports.is_empty()).await;
    stage.end().await;
}
