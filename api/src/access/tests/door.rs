use super::*;
use std::net::Ipv4Addr;

#[tokio::test]
async fn a_token_lets_in_what_it_grants() {
    for open in Open::all().await {
        let asked = json!({"name": "ci", "role": "viewer", "apps": ["video/**"]});
        let made = open.make(asked).await;
        let caller = open.access.with(&made.secret).await.unwrap();
        assert_eq!((caller.actor.as_str(), caller.role), ("user:ci", Role::Viewer));
        assert!(caller.sees(&common::ids::AppId::new("video/api")));
        assert!(!caller.sees(&common::ids::AppId::new("shop")));
        let bearer = format!("bearer {}", made.secret.reveal());
        let headers = [("authorization", bearer.as_str()), ("qae-cause", "pour voir où")];
        assert_eq!(open.access.get(&headers).await.unwrap().cause(), "pour voir où");
    }
}

#[tokio::test]
async fn whoever_brings_nothing_good_is_told_what_is_wrong() {
    for open in Open::all().await {
        let unknown = format!("Bearer {}", Secret::random(Kind::Token).unwrap().reveal());
        let session = format!("Bearer {}", Secret::random(Kind::Session).unwrap().reveal());
        let good = format!("Bearer {}", open.admin.reveal());
        for (headers, wanted) in [
            (&[][..], Denied::Missing),
            (&[("cookie", "a=b")], Denied::Missing),
            (&[("authorization", "Basic YTpi")], Denied::Malformed),
            (&[("authorization", session.as_str())], Denied::Malformed),
            (&[("authorization", good.as_str()), ("authorization", &good)], Denied::Malformed),
            (&[("authorization", unknown.as_str())], Denied::UnknownToken),
            (&[("cookie", "qae_session=x")], Denied::NoSession),
            (&[("authorization", good.as_str()), ("qae-cause", "a\tb")], Denied::BadCause),
            (
                &[("authorization", good.as_str()), ("qae-cause", &"x".repeat(201))],
                Denied::BadCause,
            ),
        ] {
            assert_eq!(open.access.get(headers).await.unwrap_err(), wanted, "{headers:?}");
            let count = format!("denied_{}", wanted.code());
            assert!(open.access.counted()[count.as_str()] > 0, "{count}");
        }
    }
}

#[tokio::test]
async fn failed_tries_are_slowed_and_a_right_token_is_let_in_all_the_same() {
    for open in Open::all().await {
        let stranger = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));
        let try_one = async |secret: &Secret, from| {
            let bearer = format!("Bearer {}", secret.reveal());
            let headers = header_map(&[("authorization", &bearer)]);
            open.access.caller(&Method::GET, &headers, from).await
        };
        let wrong = Secret::random(Kind::Token).unwrap();
        let mut unknown = 0;
        let slowed = loop {
            match try_one(&wrong, stranger).await.unwrap_err() {
                Denied::UnknownToken => unknown += 1,
                other => break other,
            }
        };
        assert_eq!(unknown, 11);
        assert!(slowed.retry_after().is_some_and(|wait| wait <= Duration::from_secs(1)));
        let other_house = try_one(&wrong, HERE).await.unwrap_err();
        assert_eq!(other_house, Denied::UnknownToken);
        assert!(try_one(&open.admin, stranger).await.is_ok());
        assert_eq!(open.access.counted()["slowed_addresses"], 2);
    }
}

#[tokio::test]
async fn an_expired_token_is_told_so_and_its_streams_end() {
    for open in Open::all().await {
        let made = open.make(json!({"name": "x", "role": "viewer", "expires_in": "1s"})).await;
        let caller = open.access.with(&made.secret).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(5), open.access.ended(&caller)).await;
        assert_eq!(ended.unwrap(), Ended::TokenExpired);
        assert_eq!(open.access.with(&made.secret).await.unwrap_err(), Denied::ExpiredToken);
    }
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing_at_once_and_its_streams_end() {
    for open in Open::all().await {
        let made = open.make(viewer("x")).await;
        let caller = open.access.with(&made.secret).await.unwrap();
        let ended = tokio::spawn(open.access.ended(&caller));
        let admin = open.admin().await;
        let others = open.access.ended(&admin);
        open.access.revoke_token(&admin, "x", IfMatch::default(), Moment::now()).await.unwrap();
        assert_eq!(open.access.with(&made.secret).await.unwrap_err(), Denied::UnknownToken);
        let ended = tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
        assert_eq!(ended.unwrap(), Ended::TokenRevoked);
        let waited = tokio::time::timeout(Duration::from_millis(50), others).await;
        assert!(waited.is_err(), "nobody else's stream ends");
    }
}

#[tokio::test]
async fn another_process_sees_new_tokens_at_once_and_revoked_ones_soon() {
    for open in Open::all().await {
        let Some(store) = open.store.again().await else { continue };
        let other = Access::open(store, open.dir.path(), &open.tasks, open.stop.clone());
        let other = other.await.unwrap();
        let made = open.make(viewer("x")).await;
        let caller = other.with(&made.secret).await.unwrap();
        let admin = open.admin().await;
        open.access.revoke_token(&admin, "x", IfMatch::default(), Moment::now()).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(5), other.ended(&caller)).await;
        assert_eq!(ended.unwrap(), Ended::TokenRevoked);
        assert_eq!(other.with(&made.secret).await.unwrap_err(), Denied::UnknownToken);
    }
}

#[tokio::test]
async fn requests_ask_the_store_nothing() {
    for open in Open::all().await {
        let made = open.make(json!({"name": "n", "role": "node", "node": "host-1"})).await;
        // without its store it goes on letting in, and out
        open.store.store.close().await;
        for _ in 0..1_000 {
            open.access.with(&made.secret).await.unwrap();
        }
        let unknown = Secret::random(Kind::Token).unwrap();
        assert_eq!(open.access.with(&unknown).await.unwrap_err(), Denied::UnknownToken);
        assert!(lock(&open.access.inner.asking).is_failing());
    }
}
