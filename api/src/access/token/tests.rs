use super::*;
use proptest::prelude::*;
use serde_json::json;

fn ask(body: serde_json::Value) -> Result<Token, String> {
    let now = Moment::parse("2026-01-13T10:00:00Z").unwrap();
    let asked: NewToken = serde_json::from_value(body).map_err(|e| e.to_string())?;
    asked.check(now).map_err(|problem| {
        assert_eq!((problem.status, problem.code.as_str()), (422, "invalid_body"));
        problem.detail
    })
}

#[test]
fn what_is_left_out_has_a_meaning() {
    let token = ask(json!({"name": "ci", "role": "viewer"})).unwrap();
    assert_eq!((token.apps, token.topics, token.expires), (all_apps(), None, None));
    let asked = json!({"name": "n", "role": "node", "node": "host-1", "expires_in": "24h"});
    let token = ask(asked).unwrap();
    assert_eq!(token.actor(), "node:host-1");
    assert_eq!(token.topics, Some(vec![Topic::Node("host-1".into()), Topic::Upstreams]));
    let end = Moment::parse("2026-01-14T10:00:00Z").unwrap();
    assert_eq!(token.expires, Some(end));
    assert!(token.expired(end) && !token.expired(token.created));
}

#[test]
fn lists_are_sorted_once() {
    let asked = json!({"name": "x", "role": "viewer", "apps": ["b/**", "a", "b/**"],
        "topics": ["upstreams", "apps", "apps"]});
    let token = ask(asked).unwrap();
    assert_eq!(token.apps, ["a", "b/**"]);
    assert_eq!(token.topics, Some(vec![Topic::Apps, Topic::Upstreams]));
}

#[test]
fn what_makes_no_sense_is_refused_and_named() {
    for (asked, told) in [
        (json!({"name": "a b", "role": "viewer"}), "`name`"),
        (json!({"name": "", "role": "viewer"}), "`name`"),
        (json!({"name": "x".repeat(65), "role": "viewer"}), "`name`"),
        (json!({"name": "x", "role": "root"}), "unknown variant"),
        (json!({"name": "x", "role": "viewer", "scope": 1}), "unknown field `scope`"),
        (json!({"name": "x", "role": "node"}), "`node`"),
        (json!({"name": "x", "role": "node", "node": ""}), "`node`"),
        (json!({"name": "x", "role": "node", "node": "a\nb"}), "`node`"),
        (json!({"name": "x", "role": "node", "node": "a,b"}), "no topic"),
        (json!({"name": "x", "role": "node", "node": "n", "apps": ["a"]}), "`apps`"),
        (json!({"name": "x", "role": "node", "node": "n", "topics": ["all"]}), "`topics`"),
        (json!({"name": "x", "role": "viewer", "node": "n"}), "`node`"),
        (json!({"name": "x", "role": "admin", "apps": ["**"]}), "`apps`"),
        (json!({"name": "x", "role": "viewer", "apps": []}), "`apps`"),
        (json!({"name": "x", "role": "viewer", "apps": [""]}), "`apps`"),
        (json!({"name": "x", "role": "viewer", "topics": []}), "`topics`"),
        (json!({"name": "x", "role": "viewer", "topics": ["everything"]}), "no topic"),
        (json!({"name": "x", "role": "viewer", "expires_in": "soon"}), "duration"),
        (json!({"name": "x", "role": "viewer", "expires_in": "0s"}), "at least"),
        (json!({"name": "x", "role": "viewer", "expires_in": "11years"}), "at most"),
    ] {
        let refused = ask(asked.clone()).unwrap_err();
        assert!(refused.contains(told), "{asked}: {refused}");
    }
}

proptest! {
    #[test]
    fn what_is_let_in_reads_back_from_json(
        name in "[a-z ._/-]{0,70}", node in prop::option::of(".{0,20}"),
        apps in prop::option::of(prop::collection::vec("[a-z*/\\[{]{0,8}", 0..4)),
        role in prop::sample::select(&Role::ALL[..]), expires_in in prop::option::of("[0-9]{1,9}[smhdy]"),
    ) {
        let now = Moment::from_unix_ms(1_000);
        if let Ok(token) = (NewToken { name, role, apps, node, topics: None, expires_in }).check(now) {
            let text = serde_json::to_string(&token).unwrap();
            prop_assert_eq!(serde_json::from_str::<Token>(&text).unwrap(), token.clone());
            prop_assert!(AppGlobs::parse(&token.apps).is_ok());
            prop_assert_eq!(token.role == Role::Node, token.node.is_some());
        }
    }
}
