use super::*;
pub(super) use crate::access::audit::loaded;
use crate::access::audit::{Action, By, Change, Entry, Filter, KEPT, list, write};

async fn rows(open: &Open, filter: Filter) -> Vec<Entry> {
    list(open.store.store.read(), &filter, 100).await.unwrap()
}

#[tokio::test]
async fn every_change_leaves_a_row_and_no_secret() {
    for open in Open::all().await {
        let now = Moment::now();
        let made = open.make(viewer("x")).await;
        let bearer = format!("Bearer {}", open.admin.reveal());
        let headers = header_map(&[("authorization", &bearer), ("qae-cause", "left the team")]);
        let admin = open.access.caller(&Method::DELETE, &headers, HERE).await.unwrap();
        let code = open.access.make_sign_in(&admin, Some("x".into()), None, now).await.unwrap();
        let signed_in = open.access.sign_in(&code.code, HERE, now).await.unwrap();
        open.access.sign_out(&signed_in.caller, now).await.unwrap();
        open.access.rotate_key(&admin, None, IfMatch::default(), now).await.unwrap();
        open.access.revoke_token(&admin, "x", IfMatch::default(), now).await.unwrap();

        let all = rows(&open, Filter::default()).await;
        let told: Vec<_> =
            all.iter().map(|row| (row.action.as_str(), row.actor.as_str())).collect();
        assert_eq!(
            told,
            [
                ("token_deleted", "user:admin"),
                ("key_rotated", "user:admin"),
                ("session_ended", "user:x"),
                ("session_created", "user:x"),
                ("sign_in_created", "user:admin"),
                ("token_created", "user:admin"),
                ("key_rotated", "api"),
                ("token_created", "api"),
            ]
        );
        let deleted = &all[0];
        assert_eq!((deleted.subject.as_str(), deleted.cause.as_str()), ("x", "left the team"));
        assert_eq!(deleted.address.as_deref(), Some("127.0.0.1"));
        assert_eq!(deleted.before.as_ref().unwrap()["role"], "viewer");
        assert_eq!((&deleted.after, &all[5].before), (&None, &None));
        assert_eq!(all[5].after.as_ref().unwrap()["name"], "x");
        let text = serde_json::to_string(&all).unwrap();
        for secret in [&made.secret, &code.code, &signed_in.secret, &open.admin] {
            assert!(!text.contains(secret.reveal()) && !text.contains(&secret.hash().hex()));
        }
    }
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_none() {
    for open in Open::all().await {
        let (admin, now) = (open.admin().await, Moment::now());
        let before = rows(&open, Filter::default()).await.len();
        open.access.revoke_token(&admin, "admin", IfMatch::default(), now).await.unwrap_err();
        open.access.revoke_token(&admin, "nobody", IfMatch::default(), now).await.unwrap_err();
        assert_eq!(rows(&open, Filter::default()).await.len(), before);
    }
}

#[tokio::test]
async fn rows_are_found_and_kept_90_days() {
    for open in Open::all().await {
        // not long ago: the housekeeping that began with `open` would take older rows away
        let start = Moment::now();
        let store = &open.store.store;
        for n in 0..10_u64 {
            let by = By { actor: format!("user:{}", n % 2), cause: String::new(), address: None };
            let at = start.after(Duration::from_secs(n));
            let wrote = store.write(move |c| {
                Box::pin(async move {
                    let action = Action::TicketCreated;
                    let change = Change { action, subject: "it's; --", before: None, after: None };
                    write(c, &by, change, at).await
                })
            });
            wrote.await.unwrap();
        }
        let of = |actor: &str| Filter { actor: Some(actor.into()), ..Filter::default() };
        assert_eq!(rows(&open, of("user:1")).await.len(), 5);
        let subject = Filter { subject: Some("it's; --".into()), ..of("user:1") };
        let found = rows(&open, subject.clone()).await;
        assert!(found.is_sorted_by(|a, b| a.id > b.id));
        let older = Filter { before_id: Some(found[1].id), ..subject };
        assert_eq!(rows(&open, older).await, found[2..]);
        let (since, until) =
            (start.after(Duration::from_secs(2)), start.after(Duration::from_secs(4)));
        let window = Filter { since: Some(since), until: Some(until), ..Filter::default() };
        assert_eq!(rows(&open, window).await.len(), 2);
        let none = Filter { action: Some("token_created".into()), ..of("user:1") };
        assert!(rows(&open, none).await.is_empty());
        assert!(rows(&open, of("a\0b")).await.is_empty());

        open.access.prune(start.after(KEPT + Duration::from_secs(5))).await.unwrap();
        assert_eq!(rows(&open, of("user:1")).await.len(), 3, "the sixth and later");
    }
}
