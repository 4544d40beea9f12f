use super::play::{Instead, LONGEST, Stage, app, client, count, pace};
use crate::api_types::Topic;
use crate::center::{Follower, Pace};
use std::time::Duration;

/// Until the copy has this app with this owner.
async fn has(follower: &mut Follower, id: &str, owner: &str) {
    let wanted = |replica: &Option<std::sync::Arc<super::super::replica::Replica>>| {
        let app = replica.as_ref().and_then(|r| r.apps().get(id));
        app.is_some_and(|app| app.owner.as_deref() == Some(owner))
    };
    let found = tokio::time::timeout(LONGEST, follower.replica.wait_for(wanted)).await;
    assert!(found.is_ok_and(|f| f.is_ok()), "{id} of {owner}");
}

#[tokio::test]
async fn a_scope_is_followed_over_every_kind_of_break() {
    let mut stage = Stage::new(pace()).await;
    stage.play().apps = vec![app("a", "ada")];
    let mut follower = stage.center.follow(&[Topic::Apps]);
    has(&mut follower, "a", "ada").await;
    stage.until("a stream", |play, _| play.streams.len() == 1).await;
    stage.play().change(app("a", "bob"));
    has(&mut follower, "a", "bob").await;

    // closed with a reason: goes on from where it was
    stage.play().say("event: closed\ndata: {\"code\":\"slow_reader\",\"detail\":\"too slow\"}\n\n");
    stage.until("a second stream", |play, _| play.after.len() == 2).await;
    assert_eq!(stage.play().after, ["e1:1", "e1:2"]);
    let told = stage.center.status().follow.last_error.unwrap();
    assert_eq!(told, "the centre ended the stream: slow_reader: too slow");

    // an event that nobody can read is not passed over
    stage.until("it", |play, _| play.streams.len() == 1).await;
    stage.play().say("event: app_changed\ndata: {garbage\n\n");
    stage.until("a snapshot", |play, _| play.snapshots == 2 && play.after.len() == 3).await;

    // too old a cursor: a snapshot at once
    stage.away().await;
    {
        let mut play = stage.play();
        play.change_unheard(app("b", "cyd"));
        play.oldest = 3;
    }
    stage.back().await;
    has(&mut follower, "b", "cyd").await;
    assert_eq!(count(&stage.center.status(), "gone", ""), 1);

    // refused for a while
    stage.play().instead = Some(Instead::Status(503, "busy"));
    stage.play().streams.clear();
    stage.until("refusals", |_, status| count(status, "follow_errors", "refused") > 1).await;
    stage.play().instead = None;
    stage.until("streams again", |play, _| play.streams.len() == 1).await;
    stage.play().change(app("b", "dan"));
    has(&mut follower, "b", "dan").await;
    stage.end().await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_given_up() {
    let stage = Stage::new(Pace { silence: Duration::from_millis(150), ..pace() }).await;
    let follower = stage.center.follow(&[Topic::Apps]);
    stage.until("two streams", |play, _| play.after.len() >= 2).await;
    assert!(count(&stage.center.status(), "follow_errors", "timeout") >= 1);
    assert!(follower.replica.borrow().is_some());
    stage.end().await;
}

#[tokio::test]
async fn a_lost_event_is_found_by_the_digest() {
    let stage = Stage::new(Pace { compare: Duration::from_millis(100), ..pace() }).await;
    stage.play().apps = vec![app("a", "ada")];
    let mut follower = stage.center.follow(&[Topic::Apps]);
    stage.until("a comparison", |_, status| count(status, "compared", "") > 1).await;
    assert_eq!(count(&stage.center.status(), "differed", ""), 0);
    drop(stage.play().change_unheard(app("a", "bob")));
    stage.play().change(app("b", "cyd"));
    has(&mut follower, "b", "cyd").await;
    has(&mut follower, "a", "bob").await;
    assert_eq!(count(&stage.center.status(), "differed", ""), 1);
    // ahead of us, but on the way: no difference
    let late = stage.play().change_unheard(app("c", "dan"));
    let before = count(&stage.center.status(), "compared", "");
    stage.until("asked", |play, _| play.snapshots > 2).await;
    stage.play().say(&late);
    stage.play().beat();
    has(&mut follower, "c", "dan").await;
    stage.until("compared", |_, status| count(status, "compared", "") > before).await;
    assert_eq!(count(&stage.center.status(), "differed", ""), 1);
    stage.end().await;
}

#[tokio::test]
async fn the_copy_on_disk_stands_in_for_a_centre_that_is_away() {
    let mut stage = Stage::new(pace()).await;
    stage.play().apps = vec![app("a", "ada")];
    let mut follower = stage.center.follow(&[Topic::Apps]);
    has(&mut follower, "a", "ada").await;
    stage.end().await;
    stage.away().await;
    let dir = stage.dir.path().to_owned();
    let (center, tasks, stop) = client(stage.address, dir.clone(), pace());
    let mut follower = center.follow(&[Topic::Apps]);
    assert!(follower.replica.borrow().is_some(), "at once");
    stage.back().await;
    stage.until("goes on from it", |play, _| play.streams.len() == 1).await;
    let (snapshots, after) = {
        let play = stage.play();
        (play.snapshots, play.after.last().unwrap().clone())
    };
    assert_eq!((snapshots, after.as_str()), (1, "e1:1"));
    stage.play().change(app("a", "bob"));
    has(&mut follower, "a", "bob").await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;

    // damaged, it is not used
    let copy = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path());
    let copy = copy.filter(|p| p.extension().is_some_and(|e| e == "json")).collect::<Vec<_>>();
    let text = std::fs::read_to_string(&copy[0]).unwrap();
    assert!(text.contains("\"bob\"") && copy.len() == 1, "{text}");
    for damaged in [text.replace("bob", "eve"), text[..40].to_owned(), String::new()] {
        std::fs::write(&copy[0], damaged).unwrap();
        let (center, _tasks, stop) = client(stage.address, dir.clone(), pace());
        let follower = center.follow(&[Topic::Apps]);
        assert!(follower.replica.borrow().is_none());
        assert_eq!(count(&center.status(), "copy_errors", ""), 1);
        stop.cancel();
    }
}

#[tokio::test]
async fn a_snapshot_that_is_not_what_it_says_is_not_taken() {
    let stage = Stage::new(pace()).await;
    stage.play().digest = Some("sha256:00".into());
    let follower = stage.center.follow(&[Topic::Apps]);
    stage.until("refused", |_, status| count(status, "follow_errors", "answer") > 1).await;
    assert!(follower.replica.borrow().is_none());
    stage.play().digest = None;
    stage.until("taken", |_, status| count(status, "snapshots", "") == 1).await;
    stage.end().await;
}
