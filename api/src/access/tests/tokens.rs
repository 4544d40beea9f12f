use super::*;

#[tokio::test]
async fn tokens_are_listed_without_secrets() {
    for open in Open::all().await {
        for name in ["b", "B", "a.1"] {
            open.make(viewer(name)).await;
        }
        let admin = open.admin().await;
        let tokens = open.access.tokens(&admin).await.unwrap();
        let names: Vec<_> = tokens.iter().map(|token| token.name.as_str()).collect();
        assert_eq!(names, ["B", "a.1", "admin", "b"], "{}", open.store.name);
        let text = serde_json::to_string(&tokens).unwrap();
        assert!(!text.contains("qae_") && !text.contains(&open.admin.hash().hex()), "{text}");
        assert_eq!(open.access.token(&admin, "b").await.unwrap().role, Role::Viewer);
        let missing = open.access.token(&admin, "c").await.unwrap_err();
        assert_eq!(code_of(missing), "not_found");
    }
}

#[tokio::test]
async fn only_hashes_are_stored() {
    for open in Open::all().await {
        let made = open.make(viewer("x")).await;
        let sql = "SELECT hash FROM tokens WHERE name = 'x'";
        let hash: String =
            sqlx::query_scalar(sql).fetch_one(open.store.store.read()).await.unwrap();
        assert_eq!(hash, made.secret.hash().hex());
    }
}

#[tokio::test]
async fn only_admins_handle_tokens() {
    for open in Open::all().await {
        let now = Moment::now();
        for asked in [
            viewer("v"),
            json!({"name": "o", "role": "operator"}),
            json!({"name": "n", "role": "node", "node": "h"}),
        ] {
            let made = open.make(asked).await;
            let caller = open.access.with(&made.secret).await.unwrap();
            let refused = open.access.make_token(&caller, asked_for(viewer("x")), None, now).await;
            assert_eq!(code_of(refused.unwrap_err()), "role_needed");
            let refused = open.access.revoke_token(&caller, "admin", IfMatch::default(), now).await;
            assert_eq!(code_of(refused.unwrap_err()), "role_needed");
            assert_eq!(code_of(open.access.tokens(&caller).await.unwrap_err()), "role_needed");
            let refused = open.access.rotate_key(&caller, None, IfMatch::default(), now).await;
            assert_eq!(code_of(refused.unwrap_err()), "role_needed");
        }
    }
}

#[tokio::test]
async fn a_name_is_taken_once_and_free_again_afterwards() {
    for open in Open::all().await {
        let (admin, now) = (open.admin().await, Moment::now());
        open.make(viewer("x")).await;
        let again = open.access.make_token(&admin, asked_for(viewer("x")), None, now).await;
        assert_eq!(code_of(again.unwrap_err()), "name_taken");
        open.access.revoke_token(&admin, "x", IfMatch::default(), now).await.unwrap();
        for gone in ["x", "", "a\0b"] {
            let gone =
                open.access.revoke_token(&admin, gone, IfMatch::default(), now).await.unwrap_err();
            assert_eq!(code_of(gone), "not_found");
        }
        open.make(viewer("x")).await;
    }
}

#[tokio::test]
async fn the_last_admin_stays() {
    for open in Open::all().await {
        let (admin, now) = (open.admin().await, Moment::now());
        let refused =
            open.access.revoke_token(&admin, "admin", IfMatch::default(), now).await.unwrap_err();
        assert_eq!(code_of(refused), "last_admin");
        // one that has expired is nobody to fall back on
        let brief = open.make(json!({"name": "brief", "role": "admin", "expires_in": "1s"})).await;
        let later = brief.token.expires.unwrap();
        let refused =
            open.access.revoke_token(&admin, "admin", IfMatch::default(), later).await.unwrap_err();
        assert_eq!(code_of(refused), "last_admin");
        open.access.revoke_token(&admin, "brief", IfMatch::default(), later).await.unwrap();

        // of two that revoke each other at once, one stays
        let second = open.make(json!({"name": "second", "role": "admin"})).await;
        let second = open.access.with(&second.secret).await.unwrap();
        let (one, two) = tokio::join!(
            open.access.revoke_token(&admin, "second", IfMatch::default(), now),
            open.access.revoke_token(&second, "admin", IfMatch::default(), now),
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    }
}

#[tokio::test]
async fn two_processes_do_not_revoke_the_last_two_admins() {
    for open in Open::all().await {
        let Some(store) = open.store.again().await else { continue };
        let other = Access::open(store, open.dir.path(), &open.tasks, open.stop.clone());
        let other = other.await.unwrap();
        let (admin, now) = (open.admin().await, Moment::now());
        for round in 0..10 {
            let name = format!("second-{round}");
            open.make(json!({"name": name, "role": "admin"})).await;
            let (one, two) = tokio::join!(
                open.access.revoke_token(&admin, &name, IfMatch::default(), now),
                other.revoke_token(&admin, "admin", IfMatch::default(), now),
            );
            assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
            if two.is_ok() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_token() {
    for open in Open::all().await {
        let (admin, now) = (open.admin().await, Moment::now());
        let key = |text: &str| OnceKey::of(&header_map(&[("idempotency-key", text)])).unwrap();
        let make = async |name: &str, key| {
            open.access.make_token(&admin, asked_for(viewer(name)), key, now).await.map_err(code_of)
        };
        make("x", key("k1")).await.unwrap();
        assert_eq!(make("x", key("k1")).await.unwrap_err(), "already_done");
        assert_eq!(make("y", key("k1")).await.unwrap_err(), "idempotency_key_reused");
        make("y", key("k2")).await.unwrap();
        // what was refused took no key
        assert_eq!(make("y", key("k3")).await.unwrap_err(), "name_taken");
        make("z", key("k3")).await.unwrap();
        let tomorrow = now.after(Duration::from_secs(86_400));
        let later = open.access.make_token(&admin, asked_for(viewer("w")), key("k1"), tomorrow);
        later.await.unwrap();
        assert_eq!(open.access.tokens(&admin).await.unwrap().len(), 5);
        open.access.prune(tomorrow.after(Duration::from_secs(1))).await.unwrap();
        let sql = "SELECT key FROM idempotency ORDER BY key";
        let kept: Vec<String> =
            sqlx::query_scalar(sql).fetch_all(open.store.store.read()).await.unwrap();
        assert_eq!(kept, ["k1"], "the others are a day old");
    }
}

#[tokio::test]
async fn last_used_is_written_at_most_once_a_minute() {
    for open in Open::all().await {
        let made = open.make(viewer("x")).await;
        let stored = async || {
            let sql = "SELECT last_used FROM tokens WHERE name = 'x'";
            let row: Option<i64> =
                sqlx::query_scalar(sql).fetch_one(open.store.store.read()).await.unwrap();
            row
        };
        open.stop.cancel();
        open.tasks.close();
        open.tasks.wait().await;
        assert_eq!(stored().await, None);
        open.access.with(&made.secret).await.unwrap();
        open.access.write_used(Moment::now()).await.unwrap();
        let first = stored().await.unwrap();
        open.access.with(&made.secret).await.unwrap();
        open.access.write_used(Moment::now()).await.unwrap();
        assert_eq!(stored().await, Some(first));
        let admin = open.admin().await;
        let shown = open.access.token(&admin, "x").await.unwrap().last_used.unwrap();
        assert!(shown >= super::audit::loaded(first));
    }
}
