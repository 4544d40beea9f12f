//! A node reports, and everybody sees it: lists, the bus, snapshots, the timeline; over real HTTP.

mod served;

use common::api_types::digest::{Digest, hash};
use common::api_types::{Event, Kind, Snapshot};
use common::container::Health;
use serde_json::json;
use served::{Home, container, facts, report};
use std::time::Duration;

#[test]
fn what_a_node_reports_is_listed() {
    let home = Home::new();
    let centre = home.serve();
    let two =
        facts(&[container("video/api", 1, Health::Healthy), container("shop", 2, Health::Unknown)]);
    let taken = centre.report("n1", &two);
    assert_eq!(taken.status, 200, "{taken:?}");
    assert_eq!(taken.json()["every_seconds"], 10);

    let apps = centre.items("/v1/apps");
    let ids: Vec<_> = apps.iter().map(|app| app["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["shop", "video/api"]);
    assert_eq!(apps[1]["dcs"][0]["healthy"], 1);
    assert_eq!(centre.items("/v1/apps?q=VIDEO").len(), 1);
    assert_eq!(centre.get("/v1/apps/video%2Fapi").json()["dcs"][0]["running"], 1);
    assert_eq!(centre.get("/v1/apps/video%2Fapi2").problem(), "404 not_found");

    let instances = centre.items("/v1/instances?node=n1");
    assert_eq!(instances.len(), 2);
    assert_eq!(centre.items("/v1/instances?app=shop&state=running").len(), 1);
    assert_eq!(centre.items("/v1/instances?app=shop&state=staging").len(), 0);
    let key = "local%2Fn1%2F010101010101";
    assert_eq!(centre.get(&format!("/v1/instances/{key}")).json()["app"], "video/api");
    assert_eq!(centre.get("/v1/instances/010101010101").json()["node"], "n1");

    let node = centre.get("/v1/nodes/n1").json();
    assert_eq!((&node["instances"], &node["silent"]), (&json!(2), &json!(false)));
    assert_eq!(node["agents"][0]["name"], "dadvisor");
    let clusters = centre.items("/v1/clusters");
    assert_eq!(clusters[0]["name"], "local");
    assert_eq!(clusters[0]["state"], "following");
    let figures = String::from_utf8(centre.get("/metrics").body).unwrap();
    assert!(
        figures.contains("qae_instances{state=\"running\",health=\"healthy\"} 1\n"),
        "{figures}"
    );
}

#[test]
fn a_node_that_reports_is_not_deleted() {
    let home = Home::new();
    let centre = home.serve();
    assert_eq!(centre.report("n1", &facts(&[])).status, 200);
    let delete = |node: &str, more: &[(&str, &str)]| {
        centre.ask("DELETE", &format!("/v1/nodes/{node}"), more, b"").problem()
    };
    let looked = centre.get("/v1/nodes/n1");
    let tag = looked.header("etag").unwrap();
    assert_eq!(delete("n1", &[("if-match", tag)]), "409 node_reports");
    assert_eq!(delete("n1", &[("if-match", "\"other\"")]), "412 precondition_failed");
    assert_eq!(delete("n2", &[]), "404 not_found");
    assert_eq!(delete("n2%00", &[]), "404 not_found");
    assert!(centre.items("/v1/audit?action=node_deleted").is_empty());
}

#[test]
fn an_id_of_several_instances_is_asked_for_by_key() {
    let home = Home::new();
    let centre = home.serve();
    let same = facts(&[container("shop", 1, Health::Unknown)]);
    for node in ["n1", "n2"] {
        assert_eq!(centre.report(node, &same).status, 200);
    }
    let figures =
        |name: &str| centre.get(&format!("/v1/metrics?metric=cpu.percent&instance={name}"));
    for answer in [centre.get("/v1/instances/010101010101"), figures("010101010101")] {
        assert_eq!(answer.problem(), "409 ambiguous_id");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("local/n1/") && detail.contains("local/n2/"), "{detail}");
    }
    // nobody listens where the played node says its dadvisor is
    let told = figures("local%2Fn2%2F010101010101").json();
    assert_eq!(told["missing"][0]["instance"], "010101010101", "{told}");
    assert_eq!(figures("none").problem(), "404 not_found");
}

#[test]
fn pages_together_are_the_list_and_the_ended_follow() {
    let home = Home::new();
    let centre = home.serve();
    let all: Vec<_> = (1..=5).map(|n| container("a", n, Health::Unknown)).collect();
    assert_eq!(centre.report("n1", &facts(&all)).status, 200);
    assert_eq!(centre.report("n1", &facts(&all[..3])).status, 200);
    for (state, wanted) in [("live", 3), ("ended", 2), ("all", 5)] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = centre.get(&format!("/v1/instances?state={state}&limit=2{cursor}")).json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(|i| i["key"].to_string()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), wanted, "{state}: {seen:?}");
    }
    let ended = centre.get("/v1/instances/050505050505").json();
    assert_eq!(ended["state"], "ended");
    let wrong = centre.get("/v1/instances?state=all&cursor=00");
    assert_eq!(wrong.problem(), "400 bad_query");
}

#[test]
fn a_digest_that_is_known_is_enough() {
    let home = Home::new();
    let centre = home.serve();
    let one = facts(&[container("a", 1, Health::Unknown)]);
    let (whole, digest) = (serde_json::to_vec(&report(&one)).unwrap(), hash(&report(&one)));
    assert_eq!(centre.report_as(&[], "n1", &digest, b"").problem(), "409 digest_unknown");
    assert_eq!(centre.report_as(&[], "n1", &digest, &whole).status, 200);
    assert_eq!(centre.report_as(&[], "n1", &digest, b"").status, 200);
    assert_eq!(centre.report_as(&[], "n1", "other", b"").problem(), "409 digest_unknown");
    assert_eq!(centre.report_as(&[], "n1", "d", b"{\"version\":1}").problem(), "422 invalid_body");
    assert_eq!(centre.report_as(&[], "n1", "d", b"{").problem(), "400 bad_json");
    assert_eq!(centre.report_as(&[], "a%2Fb", "d", &whole).problem(), "400 bad_node");
    let large = [("content-length", "4194305")];
    let large = centre.report_as(&large, "n1", "d", b"");
    assert_eq!(large.problem(), "413 body_too_large");
    let nobody = [("authorization", "Bearer qae_x")];
    assert_eq!(centre.report_as(&nobody, "n1", &digest, b"").status, 401);
}

#[test]
fn the_bus_tells_each_change_once_and_goes_on_where_it_was() {
    let home = Home::new();
    let centre = home.serve();
    let mut reader = centre.follow("topics=all", &[]);
    let start = reader.expect("heartbeat").id;
    assert_eq!(centre.report("n1", &facts(&[container("a", 1, Health::Unknown)])).status, 200);
    let mut kinds = Vec::new();
    let mut last = String::new();
    while kinds.len() < 3 {
        let frame = reader.next().unwrap();
        if frame.kind != "heartbeat" {
            let event: Event = serde_json::from_str(&frame.data).unwrap();
            assert_eq!(
                (event.cursor().to_string(), event.kind.name()),
                (frame.id.clone(), &*frame.kind)
            );
            last = frame.id;
            kinds.push(frame.kind);
        }
    }
    kinds.sort();
    assert_eq!(kinds, ["app_changed", "instance_changed", "node_changed"]);
    assert_eq!(centre.report("n1", &facts(&[container("a", 1, Health::Unhealthy)])).status, 200);
    assert_eq!(reader.expect("health_changed").data.matches("unhealthy").count(), 1);

    // what a browser saw comes before what its address says
    let header = [("last-event-id", last.as_str()), ("accept", "text/event-stream")];
    let mut again = centre.follow(&format!("topics=all&after={start}"), &header);
    assert_eq!(again.next().unwrap().kind, "health_changed");
    let mut replay = centre.follow(&format!("after={start}"), &[]);
    let replayed: Vec<_> = (0..4).map(|_| replay.next().unwrap().kind).collect();
    assert!(replayed.contains(&"app_changed".to_owned()) && replayed[3] == "health_changed");

    let took = centre.end();
    for reader in [&mut reader, &mut again, &mut replay] {
        assert!(reader.expect("closed").data.contains("\"shutdown\""));
        assert_eq!(reader.next(), None);
    }
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn there_is_no_going_on_from_elsewhere() {
    let home = Home::new();
    let centre = home.serve();
    let head = centre.get("/v1/snapshot").json()["cursor"].as_str().unwrap().to_owned();
    let epoch = head.split(':').next().unwrap();
    for (after, problem) in [
        ("abcdef:1".to_owned(), "410 epoch_changed"),
        (format!("{epoch}:99"), "410 cursor_ahead"),
        ("nonsense".to_owned(), "400 bad_cursor"),
    ] {
        assert_eq!(centre.get(&format!("/v1/events?after={after}")).problem(), problem);
    }
    assert_eq!(centre.get("/v1/events?topics=app").problem(), "400 bad_topic");
    assert_eq!(centre.get("/v1/events?topics=all&limit=1").problem(), "400 bad_query");
}

#[test]
fn a_snapshot_is_the_state_at_its_cursor() {
    let home = Home::new();
    let centre = home.serve();
    let two = [container("video/api", 1, Health::Unknown), container("shop", 2, Health::Unknown)];
    assert_eq!(centre.report("n1", &facts(&two)).status, 200);
    let answer = centre.get("/v1/snapshot?topics=all");
    let snapshot: Snapshot = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((snapshot.apps.len(), snapshot.instances.len(), snapshot.nodes.len()), (2, 2, 1));
    let mut digest = Digest::default();
    snapshot.apps.iter().for_each(|a| digest.put(Kind::App, a.id.as_str(), a));
    snapshot.instances.iter().for_each(|i| digest.put(Kind::Instance, &i.key, i));
    snapshot.nodes.iter().for_each(|n| digest.put(Kind::Node, n.name.as_str(), n));
    assert_eq!(snapshot.digest, digest.value());
    let tag = format!("\"{}\"", snapshot.digest);
    assert_eq!(answer.header("etag"), Some(tag.as_str()));
    assert_eq!(answer.header("qae-cursor"), Some(snapshot.cursor.to_string().as_str()));

    let same = centre.ask("GET", "/v1/snapshot", &[("if-none-match", &tag)], b"");
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert!(same.header("qae-cursor").is_some());
    let packed = centre.ask("GET", "/v1/snapshot", &[("accept-encoding", "gzip")], b"");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.body[..2], [0x1f, 0x8b]);
    let part = centre.get("/v1/snapshot?topics=instances:video/**").json();
    assert_eq!(
        (part["apps"].as_array().unwrap().len(), part["instances"].as_array().unwrap().len()),
        (0, 1)
    );
}

#[test]
fn the_timeline_has_what_was_and_survives_a_restart() {
    let home = Home::new();
    let centre = home.serve();
    let one = [container("a", 1, Health::Unknown)];
    assert_eq!(centre.report("n1", &facts(&one)).status, 200);
    assert_eq!(centre.report("n1", &facts(&[])).status, 200);
    let newest = centre.items("/v1/events?app=a&limit=1");
    assert_eq!(newest[0]["type"], "instance_gone");
    assert_eq!(newest[0]["actor"], "node:n1");
    assert_eq!(centre.items("/v1/events?type=app_changed,node_changed&since=-1h").len(), 2);
    assert_eq!(centre.items("/v1/events?until=-1h").len(), 0);
    assert_eq!(centre.items("/v1/events?app=%00").len(), 0);
    let before = centre.items("/v1/events?limit=1000");
    centre.end();

    let centre = home.serve();
    assert_eq!(centre.items("/v1/events?limit=1000"), before);
    assert_eq!(centre.items("/v1/instances?state=ended").len(), 1);
    assert_eq!(centre.get("/v1/nodes/n1").json()["silent"], false);
}
