use super::*;
use crate::access::desk::{SignIn, SignedIn};

async fn code(open: &Open, token: Option<&str>) -> Result<SignIn, Error> {
    let (admin, token) = (open.admin().await, token.map(str::to_owned));
    open.access.make_sign_in(&admin, token, None, Moment::now()).await
}

fn cookie(signed_in: &SignedIn) -> String {
    set_cookie(&signed_in.secret, signed_in.lives, false).split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_opens_one_session() {
    for open in Open::all().await {
        let now = Moment::now();
        let made = code(&open, None).await.unwrap();
        let signed_in = open.access.sign_in(&made.code, HERE, now).await.unwrap();
        assert_eq!(signed_in.lives, Duration::from_secs(12 * 3600));
        let caller = open.access.get(&[("cookie", &cookie(&signed_in))]).await.unwrap();
        assert_eq!((caller.actor.as_str(), caller.role), ("user:admin", Role::Admin));
        assert!(caller.session().is_some() && caller.ends().is_some());
        let again = open.access.sign_in(&made.code, HERE, now).await.unwrap_err();
        assert_eq!(code_of(again), "code_unknown");

        // of many that come with one code one gets in
        let made = code(&open, None).await.unwrap();
        let tries = (0..8).map(|_| open.access.sign_in(&made.code, HERE, now));
        let done = futures_util::future::join_all(tries).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);

        let made = code(&open, None).await.unwrap();
        let late = open.access.sign_in(&made.code, HERE, made.expires).await.unwrap_err();
        assert_eq!(code_of(late), "code_unknown");
    }
}

#[tokio::test]
async fn a_session_ends_by_signing_out_and_with_its_token() {
    for open in Open::all().await {
        let (admin, now) = (open.admin().await, Moment::now());
        open.make(json!({"name": "ada", "role": "viewer", "expires_in": "1h"})).await;
        let made = code(&open, Some("ada")).await.unwrap();
        let first = open.access.sign_in(&made.code, HERE, now).await.unwrap();
        assert_eq!(first.caller.ends(), first.caller.expires, "not longer than its token");
        let first = cookie(&first);
        let caller = open.access.get(&[("cookie", &first)]).await.unwrap();
        assert_eq!(caller.actor, "user:ada");
        let ended = tokio::spawn(open.access.ended(&caller));
        open.access.sign_out(&caller, now).await.unwrap();
        assert_eq!(ended.await.unwrap(), Ended::SessionEnded);
        assert_eq!(open.access.get(&[("cookie", &first)]).await.unwrap_err(), Denied::NoSession);
        assert_eq!(code_of(open.access.sign_out(&admin, now).await.unwrap_err()), "no_session");

        let made = code(&open, Some("ada")).await.unwrap();
        let unused = code(&open, Some("ada")).await.unwrap();
        let second = cookie(&open.access.sign_in(&made.code, HERE, now).await.unwrap());
        open.access.revoke_token(&admin, "ada", IfMatch::default(), now).await.unwrap();
        assert_eq!(open.access.get(&[("cookie", &second)]).await.unwrap_err(), Denied::NoSession);
        let unused = open.access.sign_in(&unused.code, HERE, now).await.unwrap_err();
        assert_eq!(code_of(unused), "code_unknown");
        assert_eq!(code_of(code(&open, Some("ada")).await.unwrap_err()), "not_found");
    }
}

#[tokio::test]
async fn a_cookie_changes_something_only_from_our_own_page() {
    for open in Open::all().await {
        let made = code(&open, None).await.unwrap();
        let signed_in = open.access.sign_in(&made.code, HERE, Moment::now()).await.unwrap();
        let cookie = cookie(&signed_in);
        let delete = async |more: &[(&str, &str)]| {
            let mut headers = vec![("cookie", cookie.as_str()), ("host", "qae:7000")];
            headers.extend(more);
            open.access.caller(&Method::DELETE, &header_map(&headers), HERE).await
        };
        assert!(delete(&[("sec-fetch-site", "same-origin")]).await.is_ok());
        assert!(delete(&[("origin", "http://qae:7000")]).await.is_ok());
        assert_eq!(delete(&[]).await.unwrap_err(), Denied::ForeignPage);
        let foreign = delete(&[("origin", "http://qae:8080")]).await;
        assert_eq!(foreign.unwrap_err(), Denied::ForeignPage);
        // a program's token is sent on purpose
        let bearer = format!("Bearer {}", open.admin.reveal());
        assert!(delete(&[("authorization", &bearer)]).await.is_ok());
        assert!(open.access.get(&[("cookie", &cookie)]).await.is_ok());
    }
}

#[tokio::test]
async fn who_may_sign_in_whom() {
    for open in Open::all().await {
        let now = Moment::now();
        let ada = open.make(viewer("ada")).await;
        let agent = open.make(json!({"name": "n", "role": "node", "node": "h"})).await;
        let caller = open.access.with(&ada.secret).await.unwrap();
        let own = open.access.make_sign_in(&caller, None, None, now).await.unwrap();
        assert_eq!(own.token_name, "ada");
        let other = open.access.make_sign_in(&caller, Some("admin".into()), None, now).await;
        assert_eq!(code_of(other.unwrap_err()), "role_needed");
        assert_eq!(code_of(code(&open, Some("n")).await.unwrap_err()), "role_needed");
        let node = open.access.with(&agent.secret).await.unwrap();
        let refused = open.access.make_sign_in(&node, None, None, now).await.unwrap_err();
        assert_eq!(code_of(refused), "role_needed");

        let pasted = open.access.sign_in(&ada.secret, HERE, now).await.unwrap();
        assert_eq!(pasted.caller.name, "ada");
        let refused = open.access.sign_in(&agent.secret, HERE, now).await.unwrap_err();
        assert_eq!(code_of(refused), "role_needed");
        let session = open.access.sign_in(&pasted.secret, HERE, now).await.unwrap_err();
        assert_eq!(code_of(session), "code_unknown");
    }
}

#[tokio::test]
async fn sessions_and_codes_do_not_pile_up() {
    for open in Open::all().await {
        let now = Moment::now();
        let mut first = None;
        for _ in 0..101 {
            let signed_in = open.access.sign_in(&open.admin, HERE, now).await.unwrap();
            first.get_or_insert(signed_in);
        }
        assert_eq!(open.access.counted()["sessions"], 100);
        for _ in 0..100 {
            code(&open, None).await.unwrap();
        }
        assert_eq!(code_of(code(&open, None).await.unwrap_err()), "too_many_codes");
        open.access.prune(now.after(Duration::from_secs(86_400))).await.unwrap();
        let count = async |table: &str| {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let rows: i64 =
                sqlx::query_scalar(&sql).fetch_one(open.store.store.read()).await.unwrap();
            rows
        };
        assert_eq!((count("sessions").await, count("sign_ins").await), (0, 0));
    }
}
