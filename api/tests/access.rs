//! Who may what, over real HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod served;

use common::api_types::HEADER_DIGEST;
use common::api_types::digest::hash;
use common::container::Health::Healthy;
use common::moment::Moment;
use common::ticket::{Keys, PublicKeys, Right, verify};
use serde_json::{Value, json};
use served::{Answer, Home, Served, container, facts, report};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Asks with this token.
fn as_with(served: &Served, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    served.ask(method, path, &[("authorization", &bearer), JSON], body.as_bytes())
}

/// A POST as the admin.
fn post(served: &Served, path: &str, body: Value) -> Answer {
    served.ask("POST", path, &[JSON], body.to_string().as_bytes())
}

/// A token's secret.
fn make(served: &Served, asked: Value) -> String {
    let made = post(served, "/v1/tokens", asked);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    made.json()["token"].as_str().unwrap().to_owned()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[test]
fn nobody_gets_in_without_a_good_token() {
    let home = Home::new();
    let served = home.serve();
    let ask = |headers: &[(&str, &str)]| served.ask("GET", "/v1/apps", headers, b"");
    let wrong = format!("Bearer qae_{}", "A".repeat(43));
    for (authorization, code) in [
        ("", "401 token_malformed"),
        ("Basic YTpi", "401 token_malformed"),
        ("Bearer qae_short", "401 token_malformed"),
        (wrong.as_str(), "401 token_unknown"),
    ] {
        let answer = ask(&[("authorization", authorization)]);
        assert_eq!(answer.problem(), code, "{authorization}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    let brief = make(&served, json!({"name": "brief", "expires_in": "1s"}));
    served::eventually("its end", || {
        let answer = as_with(&served, &brief, "GET", "/v1/me", Value::Null);
        (answer.status != 200).then(|| assert_eq!(answer.problem(), "401 token_expired"))
    });
    for _ in 0..20 {
        ask(&[("authorization", &wrong)]);
    }
    let slowed = ask(&[("authorization", &wrong)]);
    assert_eq!(slowed.problem(), "429 too_many_failures");
    assert!(slowed.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(served.get("/v1/me").status, 200, "a right token is let in all the same");
}

#[test]
fn a_viewer_cannot_tell_a_foreign_app_from_none() {
    let home = Home::new();
    let served = home.serve();
    served
        .report("h1", &facts(&[container("shop/web", 1, Healthy), container("bank", 2, Healthy)]));
    let viewer = make(&served, json!({"name": "v", "role": "viewer", "apps": ["shop/**"]}));
    let ask = |method, path: &str, body| as_with(&served, &viewer, method, path, body);
    let foreign = text(&served.items("/v1/instances?app=bank")[0], "key").to_owned();
    assert_eq!(ask("GET", "/v1/apps", Value::Null).json()["items"].as_array().unwrap().len(), 1);
    let same = |foreign: Answer, none: Answer, name: &str| {
        assert_eq!((foreign.status, none.status), (404, 404), "{foreign:?}");
        let detail = |answer: &Answer| text(&answer.json(), "detail").to_owned();
        assert_eq!(detail(&foreign).replace(name, "none"), detail(&none));
    };
    let of = |body| ask("POST", "/v1/tickets", body);
    same(of(json!({"app": "bank"})), of(json!({"app": "none"})), "bank");
    same(of(json!({"instance": foreign})), of(json!({"instance": "none"})), &foreign);
    for (method, path, body) in [
        ("GET", "/v1/tokens", Value::Null),
        ("POST", "/v1/tokens", json!({"name": "x", "role": "admin"})),
        ("DELETE", "/v1/tokens/admin", Value::Null),
        ("GET", "/v1/audit", Value::Null),
        ("POST", "/v1/keys", Value::Null),
        ("POST", "/v1/sign-ins", json!({"token_name": "admin"})),
    ] {
        assert_eq!(ask(method, path, body).problem(), "403 role_needed", "{method} {path}");
    }
}

#[test]
fn a_nodes_token_reports_for_its_node_and_no_more() {
    let home = Home::new();
    let served = home.serve();
    let node = make(&served, json!({"name": "n1", "node": "h1"}));
    let bearer = format!("Bearer {node}");
    let put = |name: &str| {
        let report = report(&facts(&[container("shop/web", 1, Healthy)]));
        let body = serde_json::to_vec(&report).unwrap();
        served.report_as(&[("authorization", &bearer)], name, &hash(&report), &body)
    };
    assert_eq!(put("h1").status, 200);
    assert_eq!(put("h2").problem(), "403 not_this_node");
    let ask = |method, path, body| as_with(&served, &node, method, path, body);
    for (path, code) in [
        ("/v1/snapshot?topics=all", "403 topic_forbidden"),
        ("/v1/snapshot?topics=node:h2", "403 topic_forbidden"),
        ("/v1/events?topics=instances:**", "403 topic_forbidden"),
        ("/v1/apps", "403 role_needed"),
        ("/v1/tokens", "403 role_needed"),
    ] {
        assert_eq!(ask("GET", path, Value::Null).problem(), code, "{path}");
    }
    for path in ["/v1/snapshot?topics=node:h1", "/v1/snapshot?topics=upstreams", "/v1/keys"] {
        assert_eq!(ask("GET", path, Value::Null).status, 200, "{path}");
    }
    let me = ask("GET", "/v1/me", Value::Null).json();
    assert_eq!((text(&me, "actor"), text(&me, "node")), ("node:h1", "h1"));
    for (path, body) in [("/v1/tickets", json!({"app": "shop/web"})), ("/v1/sign-ins", json!({}))] {
        assert_eq!(ask("POST", path, body).problem(), "403 role_needed", "{path}");
    }
    let session = post(&served, "/v1/sessions", json!({"token": node}));
    assert_eq!(session.problem(), "403 role_needed");
}

#[test]
fn a_browser_signs_in_by_link_and_out() {
    let home = Home::new();
    let served = home.serve();
    let made = post(&served, "/v1/sign-ins", json!({})).json();
    let link = format!("http://{}/#signin={}", served.address, text(&made, "code"));
    assert_eq!(text(&made, "url"), link);
    let start = |body: Value| {
        served.ask_without_token("POST", "/v1/sessions", &[JSON], body.to_string().as_bytes())
    };
    let answer = start(json!({"code": text(&made, "code")}));
    assert_eq!((answer.status, text(&answer.json(), "name")), (200, "admin"));
    let set = answer.header("set-cookie").unwrap().to_owned();
    for part in ["qae_session=qaes_", "; HttpOnly", "; SameSite=Strict", "; Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"), "not over plain HTTP, where it would never come back");
    let again = start(json!({"code": text(&made, "code")}));
    assert_eq!(again.problem(), "401 code_unknown");
    for body in [json!({}), json!({"code": "a", "token": "b"}), json!({"kode": "x"})] {
        assert_eq!(start(body).problem(), "422 invalid_body");
    }

    let cookie = set.split(';').next().unwrap();
    let by_cookie = |method, path: &str, more: &[(&str, &str)]| {
        served.ask_without_token(method, path, &[&[("cookie", cookie)], more].concat(), b"")
    };
    assert_eq!(by_cookie("GET", "/v1/me", &[]).json()["session"], true);
    let own = format!("http://{}", served.address);
    let out = "/v1/sessions/current";
    for more in [
        &[][..],
        &[("origin", "http://evil.example")],
        &[("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(by_cookie("DELETE", out, more).problem(), "403 foreign_page", "{more:?}");
    }
    let answer = by_cookie("DELETE", out, &[("origin", &own)]);
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(by_cookie("GET", "/v1/me", &[]).problem(), "401 session_ended");
    assert_eq!(served.ask("DELETE", out, &[], b"").problem(), "409 no_session");
}

#[test]
fn tokens_are_made_once_listed_and_revoked() {
    let home = Home::new();
    let served = home.serve();
    let make_once = |name: &str| {
        let headers = [JSON, ("idempotency-key", "k1"), ("qae-cause", "for ci")];
        served.ask("POST", "/v1/tokens", &headers, json!({"name": name}).to_string().as_bytes())
    };
    let made = make_once("ci").json();
    assert_eq!((text(&made, "name"), text(&made, "role")), ("ci", "viewer"));
    let again = make_once("ci");
    assert_eq!(again.problem(), "409 already_done");
    assert!(!String::from_utf8(again.body).unwrap().contains(text(&made, "token")));
    assert_eq!(make_once("other").problem(), "422 idempotency_key_reused");
    assert_eq!(post(&served, "/v1/tokens", json!({"name": "ci"})).problem(), "409 name_taken");
    let unknown = post(&served, "/v1/tokens", json!({"name": "x", "scope": "all"}));
    assert_eq!(unknown.problem(), "422 invalid_body");
    assert!(text(&unknown.json(), "detail").contains("scope"));

    let page = served.get("/v1/tokens?limit=1").json();
    assert_eq!(text(&page["items"][0], "name"), "admin");
    let rest = served.items(&format!("/v1/tokens?limit=1&cursor={}", text(&page, "next")));
    assert_eq!(text(&rest[0], "name"), "ci");
    assert!(rest[0].get("token").is_none() && rest[0].get("hash").is_none(), "{rest:?}");
    assert_eq!(served.get("/v1/tokens/ci").json()["apps"], json!(["**"]));

    let mut reader = {
        let bearer = format!("Bearer {}", text(&made, "token"));
        served.follow("topics=all", &[("authorization", &bearer)])
    };
    reader.expect("heartbeat");
    assert_eq!(served.ask("DELETE", "/v1/tokens/ci", &[], b"").status, 204);
    let closed: Value = serde_json::from_str(&reader.expect("closed").data).unwrap();
    assert_eq!(text(&closed, "code"), "token_revoked");
    let gone = as_with(&served, text(&made, "token"), "GET", "/v1/me", Value::Null);
    assert_eq!(gone.problem(), "401 token_unknown");
    assert_eq!(served.ask("DELETE", "/v1/tokens/ci", &[], b"").problem(), "404 not_found");
    assert_eq!(served.ask("DELETE", "/v1/tokens/a%00b", &[], b"").problem(), "404 not_found");
    assert_eq!(served.ask("DELETE", "/v1/tokens/admin", &[], b"").problem(), "409 last_admin");

    let audit = served.items("/v1/audit?subject=ci");
    let actions: Vec<_> = audit.iter().map(|row| text(row, "action")).collect();
    assert_eq!(actions, ["token_deleted", "token_created"]);
    assert_eq!(text(&audit[1], "cause"), "for ci");
    assert_eq!(text(&audit[1], "address"), "127.0.0.1");
    assert_eq!((&audit[1]["before"], text(&audit[0]["before"], "name")), (&Value::Null, "ci"));
    let page = served.get("/v1/audit?limit=1&action=token_created&since=-1h").json();
    assert_eq!(text(&page["items"][0], "subject"), "ci");
    let next = format!("/v1/audit?limit=1&action=token_created&cursor={}", text(&page, "next"));
    assert_eq!(text(&served.items(&next)[0], "subject"), "admin");
    assert_eq!(served.get("/v1/audit?cursor=x").problem(), "400 bad_query");
    assert!(served.items("/v1/audit?actor=a%00b").is_empty());
}

#[test]
fn tickets_open_the_logs_of_what_the_caller_sees() {
    let home = Home::new();
    let served = home.serve();
    served
        .report("h1", &facts(&[container("shop/web", 1, Healthy), container("bank", 2, Healthy)]));
    served.report("h2", &facts(&[container("shop/web", 3, Healthy)]));
    let mut agent = report(&facts(&[]));
    (agent.address, agent.facts) = ("h1:7002".into(), json!({}));
    let digest = hash(&agent);
    let headers = [(HEADER_DIGEST, digest.as_str()), ("qae-run", "h1.1700000000000.r1"), JSON];
    let body = serde_json::to_vec(&agent).unwrap();
    let path = "/v1/nodes/h1/agents/log-agent";
    assert_eq!(served.ask("PUT", path, &headers, &body).status, 200);

    let viewer = make(&served, json!({"name": "v", "apps": ["shop/**"], "expires_in": "5m"}));
    let ask = |body| as_with(&served, &viewer, "POST", "/v1/tickets", body);
    let answer = ask(json!({"app": "shop/web", "file": "*.log", "rights": ["read"]}));
    assert_eq!(answer.status, 201, "{answer:?}");
    let made = answer.json();
    let keys: PublicKeys = serde_json::from_value(served.get("/v1/keys").json()).unwrap();
    let keys = Keys::new(&keys.keys).unwrap();
    let ticket = verify(text(&made, "ticket"), &keys, Moment::now()).unwrap();
    assert_eq!((ticket.user.as_str(), ticket.files.as_str()), ("user:v", "*.log"));
    assert_eq!(ticket.instances.len(), 2);
    let end = Moment::parse(text(&made, "expires")).unwrap();
    assert!(end.since(Moment::now()).as_secs() <= 300, "not longer than the token");
    for door in made["instances"].as_array().unwrap() {
        let own = verify(text(door, "ticket"), &keys, Moment::now()).unwrap();
        assert_eq!(own.instances, [text(door, "key")]);
        assert!(!own.allows(text(door, "key"), "a.log", Right::Download));
        if text(door, "node") == "h1" {
            assert_eq!(text(door, "address"), "http://h1:7002");
            let url = format!("http://h1:7002/#ticket={}", text(door, "ticket"));
            assert!(text(door, "url").starts_with(&url), "{door}");
        } else {
            assert!(door["url"].is_null() && text(door, "why").contains("h2"), "{door}");
        }
    }
    let key = text(&made["instances"][0], "key");
    assert_eq!(ask(json!({"instance": key})).json()["instances"].as_array().unwrap().len(), 1);
    for (body, code) in [
        (json!({}), "422 invalid_body"),
        (json!({"app": "a", "instance": "b"}), "422 invalid_body"),
        (json!({"app": "shop/web", "rights": []}), "422 invalid_body"),
        (json!({"app": "shop/web", "rights": ["write"]}), "422 invalid_body"),
        (json!({"app": "shop/web", "file": ""}), "422 invalid_body"),
        (json!({"app": "shop/web", "expires_in": "13h"}), "422 invalid_body"),
        (json!({"app": "bank"}), "404 not_found"),
    ] {
        assert_eq!(ask(body.clone()).problem(), code, "{body}");
    }
    let audit = served.items("/v1/audit?action=ticket_created&subject=shop%2Fweb");
    assert_eq!(text(&audit[0], "actor"), "user:v");
    assert_eq!(audit[0]["after"]["instances"].as_array().unwrap().len(), 2);
    assert!(!audit[0].to_string().contains("qtk1."));

    let rotated = post(&served, "/v1/keys", Value::Null);
    assert_eq!((rotated.status, rotated.json()["keys"].as_array().unwrap().len()), (201, 2));
    let new: PublicKeys = serde_json::from_value(rotated.json()).unwrap();
    verify(text(&made, "ticket"), &Keys::new(&new.keys).unwrap(), Moment::now()).unwrap();
}

#[test]
fn access_survives_a_restart() {
    let home = Home::new();
    let served = home.serve();
    let token = make(&served, json!({"name": "ci"}));
    let keys = served.get("/v1/keys").json();
    served.end();
    let served = home.serve();
    assert_eq!(as_with(&served, &token, "GET", "/v1/me", Value::Null).status, 200);
    assert_eq!(served.get("/v1/keys").json(), keys);
}

#[test]
fn a_change_is_made_only_to_what_it_is_meant_for() {
    let home = Home::new();
    let served = home.serve();
    let tag = |answer: Answer| answer.header("etag").unwrap().to_owned();
    let delete = |path: &str, tag: &str| served.ask("DELETE", path, &[("if-match", tag)], b"");
    let made = tag(post(&served, "/v1/tokens", json!({"name": "ci"})));
    assert_eq!(tag(served.get("/v1/tokens/ci")), made);
    let stale = "412 precondition_failed";
    assert_eq!(delete("/v1/tokens/ci", "\"other\"").problem(), stale);
    assert_eq!(delete("/v1/tokens/ci", &format!("W/{made}")).problem(), stale);
    assert_eq!(delete("/v1/tokens/ci", "ci").problem(), "400 bad_if_match");
    assert_eq!(delete("/v1/tokens/none", "*").problem(), "404 not_found");
    assert_eq!(served.get("/v1/tokens/ci").status, 200, "nothing has happened");
    assert_eq!(delete("/v1/tokens/ci", &format!("\"other\", {made}")).status, 204);
    // another one of the same name
    let again = tag(post(&served, "/v1/tokens", json!({"name": "ci"})));
    assert_ne!(again, made);
    assert_eq!(delete("/v1/tokens/ci", &made).problem(), stale);
    assert_eq!(delete("/v1/tokens/ci", "*").status, 204);

    let rotate = |tag: &str| served.ask("POST", "/v1/keys", &[JSON, ("if-match", tag)], b"");
    let keys = tag(served.get("/v1/keys"));
    let rotated = rotate(&keys);
    assert_eq!(rotated.status, 201, "{rotated:?}");
    assert_eq!(tag(rotated), tag(served.get("/v1/keys")));
    assert_eq!(rotate(&keys).problem(), stale, "somebody else was faster");
    assert_eq!(served.get("/v1/keys").json()["keys"].as_array().unwrap().len(), 2);
    assert_eq!(served.items("/v1/audit?action=key_rotated").len(), 2);

    // where nothing has a version nothing is changed
    for (method, path) in [("POST", "/v1/tokens"), ("DELETE", "/v1/sessions/current")] {
        let answer = served.ask(method, path, &[JSON, ("if-match", "*")], b"{\"name\": \"x\"}");
        assert_eq!(answer.problem(), stale, "{method} {path}");
    }
    assert_eq!(served.get("/v1/tokens/x").status, 404);
    assert_eq!(served.ask("GET", "/v1/tokens/admin", &[("if-match", "\"a\"")], b"").status, 200);
}
