//! What a token does not reach is not there for it, and a stream ends with the token it was opened with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod served;

use common::container::Health;
use serde_json::json;
use served::{Answer, Home, Served, container, facts};

/// Makes a token; its `authorization` header.
fn token(centre: &Served, asked: &serde_json::Value) -> String {
    let kind = [("content-type", "application/json")];
    let made = centre.ask("POST", "/v1/tokens", &kind, asked.to_string().as_bytes());
    assert_eq!(made.status, 201, "{made:?}");
    format!("Bearer {}", made.json()["token"].as_str().unwrap())
}

fn get(centre: &Served, token: &str, path: &str) -> Answer {
    centre.ask("GET", path, &[("authorization", token)], b"")
}

fn count(answer: &Answer) -> usize {
    answer.json()["items"].as_array().unwrap().len()
}

#[test]
fn a_viewer_of_some_apps_sees_nothing_of_the_others() {
    let home = Home::new();
    let centre = home.serve();
    let two = [container("video/api", 1, Health::Unknown), container("shop", 2, Health::Unknown)];
    assert_eq!(centre.report("n1", &facts(&two)).status, 200);
    assert_eq!(centre.report("n1", &facts(&[])).status, 200);
    let viewer = token(&centre, &json!({"name": "v", "role": "viewer", "apps": ["video/**"]}));

    assert_eq!(count(&get(&centre, &viewer, "/v1/apps")), 1);
    assert_eq!(get(&centre, &viewer, "/v1/apps/shop").problem(), "404 not_found");
    assert_eq!(count(&get(&centre, &viewer, "/v1/instances?state=all")), 1);
    assert_eq!(get(&centre, &viewer, "/v1/instances/020202020202").problem(), "404 not_found");
    assert_eq!(get(&centre, &viewer, "/v1/instances/010101010101").status, 200);
    let events = get(&centre, &viewer, "/v1/events?limit=1000").json();
    assert!(!events.to_string().contains("shop"), "{events}");
    assert_eq!(count(&get(&centre, &viewer, "/v1/events?app=shop")), 0);
    let snapshot = get(&centre, &viewer, "/v1/snapshot").json();
    assert_eq!(snapshot["apps"].as_array().unwrap().len(), 1);
    assert_eq!(count(&get(&centre, &viewer, "/v1/nodes")), 1);
    assert_eq!(get(&centre, &viewer, "/v1/tokens").problem(), "403 role_needed");
}

#[test]
fn a_node_reports_for_itself_and_reads_what_its_agents_need() {
    let home = Home::new();
    let centre = home.serve();
    let one = facts(&[container("a", 1, Health::Unknown)]);
    let agents = token(&centre, &json!({"name": "agents-n1", "role": "node", "node": "n1"}));
    let report = served::report(&one);
    let digest = common::api_types::digest::hash(&report);
    let body = serde_json::to_vec(&report).unwrap();
    let by = [("authorization", agents.as_str())];
    assert_eq!(centre.report_as(&by, "n1", &digest, &body).status, 200);
    assert_eq!(centre.report_as(&by, "n2", &digest, &body).problem(), "403 not_this_node");
    assert_eq!(get(&centre, &agents, "/v1/nodes/n1").status, 200);
    assert_eq!(get(&centre, &agents, "/v1/nodes").problem(), "403 role_needed");
    assert_eq!(get(&centre, &agents, "/v1/apps").problem(), "403 role_needed");
    assert_eq!(get(&centre, &agents, "/v1/events").problem(), "403 role_needed");
    for topics in ["node:n1", "upstreams"] {
        let snapshot = get(&centre, &agents, &format!("/v1/snapshot?topics={topics}"));
        assert_eq!(snapshot.json()["instances"].as_array().unwrap().len(), 1, "{topics}");
    }
    for topics in ["all", "node:n2", "instances:**"] {
        let refused = get(&centre, &agents, &format!("/v1/events?topics={topics}"));
        assert_eq!(refused.problem(), "403 topic_forbidden", "{topics}");
    }
}

#[test]
fn a_stream_ends_with_its_token() {
    let home = Home::new();
    let centre = home.serve();
    let viewer = token(&centre, &json!({"name": "v", "role": "viewer"}));
    let mut reader = centre.follow("topics=all", &[("authorization", &viewer)]);
    reader.expect("heartbeat");
    assert_eq!(centre.ask("DELETE", "/v1/tokens/v", &[], b"").status, 204);
    assert!(reader.expect("closed").data.contains("\"token_revoked\""));
    assert_eq!(reader.next(), None);
    assert_eq!(get(&centre, &viewer, "/v1/apps").problem(), "401 token_unknown");
}
