use super::*;
use common::container::{Rules, from_inspect};
use serde_json::{Value, json};

const STATE: &[u8] = include_bytes!("../../../../../common/tests/fixtures/mesos_slave_state.json");
const UCR: &str = "19ca0947-3df0-43ea-9c4b-24e62ece24e0";
const WEB: &str = "609007e6-75a0-4459-a177-658ce1c5118a";

fn hex(digit: &str) -> String {
    digit.repeat(64)
}

fn docker(all: &[Value]) -> Inventory {
    let read = |json: &Value| {
        from_inspect(json.to_string().as_bytes(), &Rules::default()).unwrap().container
    };
    let containers = all.iter().map(read).map(|c| (c.id.clone(), Arc::new(c))).collect();
    Inventory { containers, ..Inventory::default() }
}

fn found(path: &str, kind: Kind) -> Found {
    Found { path: path.to_owned(), kind, inode: 1, pid: Some(7) }
}

fn mesos_at(id: &str) -> Found {
    found(&format!("mesos/{id}"), Kind::Mesos(id.to_owned()))
}

fn names() -> Names {
    Names::from_state(STATE, &Rules::default()).unwrap()
}

fn node() -> NodeName {
    NodeName::new("host-17")
}

fn told(merged: &Merged) -> Vec<(String, String)> {
    merged.containers.iter().map(|c| (c.app.to_string(), c.instance.to_string())).collect()
}

fn is(app: &str, instance: &str) -> (String, String) {
    (app.to_owned(), instance.to_owned())
}

#[test]
fn three_sources_each_container_once() {
    let inventory = docker(&[
        json!({"Id": hex("a"), "Name": "/web"}),
        // a task of Mesos in Docker that only the agent can name, with a cgroup of its own beside
        json!({"Id": hex("b"), "Name": format!("/mesos-{WEB}")}),
    ]);
    let scanned = [
        mesos_at(UCR),
        mesos_at(WEB),
        found(&format!("system.slice/docker-{}.scope", hex("a")), Kind::Plain),
        found(&format!("docker/{}", hex("a")), Kind::Plain),
        found(&format!("system.slice/docker-{}.scope", hex("c")), Kind::Plain),
        found("system.slice/ssh.service", Kind::Plain),
        found("jobs/nightly", Kind::Plain),
    ];
    let merged = merge(&inventory, &scanned, &names(), &node(), &[]);
    assert_eq!(
        told(&merged),
        [
            is("ingest", "ingest.8d0f3c1a-36b2-11ea-9a55-0242ac110007"),
            is("docker/web", "aaaaaaaaaaaa"),
            is("shop/web", "shop_web.instance-32d2c410-3618-11ea-b21c-0242ac110005._app.1"),
            is("cgroup/jobs/nightly", "host-17"),
            is(&format!("systemd/docker-{}", hex("c")), "host-17"),
            is("systemd/ssh", "host-17"),
        ]
    );
    assert_eq!((merged.unnamed, merged.collisions.len()), (0, 0));
    let ucr = &merged.containers[0];
    assert_eq!(
        (ucr.source, ucr.pid, ucr.started_at_ms),
        (Source::Mesos, Some(7), Some(1_578_900_200_000))
    );
    assert_eq!((ucr.id.as_str(), ucr.cgroup.clone()), (UCR, Some(format!("mesos/{UCR}"))));
    let ssh = &merged.containers[5];
    assert_eq!((ssh.id.as_str(), ssh.name.as_str()), ("system.slice/ssh.service", "ssh.service"));
    assert_eq!(
        (ssh.source, ssh.cgroup.as_deref()),
        (Source::Cgroup, Some("system.slice/ssh.service"))
    );
}

#[test]
fn without_the_agent_containers_go_by_their_ids_and_are_counted() {
    let inventory = docker(&[json!({"Id": hex("b"), "Name": format!("/mesos-{WEB}")})]);
    let merged = merge(&inventory, &[mesos_at(UCR)], &Names::default(), &node(), &[]);
    let by_id =
        [is(&format!("mesos/{UCR}"), UCR), is(&format!("docker/mesos-{WEB}"), "bbbbbbbbbbbb")];
    assert_eq!(told(&merged), by_id);
    assert_eq!(merged.unnamed, 2);
}

#[test]
fn what_has_not_changed_is_the_same_arc() {
    let inventory = docker(&[json!({"Id": hex("a"), "Name": "/web"})]);
    let scanned = [mesos_at(UCR), found("a.service", Kind::Plain)];
    let first = merge(&inventory, &scanned, &names(), &node(), &[]).containers;
    let same = merge(&inventory, &scanned, &names(), &node(), &first).containers;
    assert!(first.iter().zip(&same).all(|(a, b)| Arc::ptr_eq(a, b)));
    let moved = [mesos_at(UCR), Found { pid: Some(8), ..found("a.service", Kind::Plain) }];
    let other = merge(&inventory, &moved, &names(), &node(), &first).containers;
    let kept: Vec<bool> = first.iter().zip(&other).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
    assert_eq!(kept, [true, false, true]);
}

#[test]
fn two_containers_never_share_a_name() {
    let labels = json!({"qae.app": "a", "qae.instance": "1"});
    let one = |id: String, started: &str| json!({"Id": id, "Config": {"Labels": labels}, "State": {"Running": true, "StartedAt": started}});
    let inventory =
        docker(&[one(hex("a"), "2020-01-02T00:00:00Z"), one(hex("b"), "2020-01-01T00:00:00Z")]);
    let units = [
        found("user.slice/u1/app.service", Kind::Plain),
        found("user.slice/u2/app.service", Kind::Plain),
    ];
    let merged = merge(&inventory, &units, &Names::default(), &node(), &[]);
    let unique: HashSet<_> = told(&merged).into_iter().collect();
    assert_eq!(unique.len(), 4);
    // the older one keeps it
    assert!(unique.contains(&is("a", "1-aaaaaaaaaaaa")) && unique.contains(&is("a", "1")));
    assert_eq!(merged.collisions.len(), 2);
}
