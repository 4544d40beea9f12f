use super::*;
use crate::ids::{AppId, NodeName};
use crate::moment::Moment;
use proptest::prelude::*;
use serde_json::{Value, json};

fn app(id: &str, version: u64) -> AppSpec {
    let labels = [("v".to_owned(), version.to_string())].into();
    AppSpec { id: AppId::new(id), labels, owner: None, dcs: Vec::new() }
}

fn node(name: &str, version: u64) -> Node {
    Node { name: NodeName::new(name), dc: format!("dc{version}"), agents: Vec::new() }
}

fn event(seq: u64, kind: EventType, payload: Value) -> Event {
    Event {
        epoch: "e".into(),
        seq,
        time: Moment::from_unix_ms(seq),
        kind,
        subject: String::new(),
        actor: "api".into(),
        cause: String::new(),
        payload,
    }
}

fn snapshot(seq: u64, apps: Vec<AppSpec>, nodes: Vec<Node>) -> Snapshot {
    let mut digest = Digest::default();
    for app in &apps {
        digest.put(Kind::App, app.id.as_str(), app);
    }
    for node in &nodes {
        digest.put(Kind::Node, node.name.as_str(), node);
    }
    let cursor = Cursor { epoch: "e".into(), seq };
    let digest = digest.value();
    let topics = vec!["apps".to_owned()];
    Snapshot { cursor, digest, topics, apps, instances: Vec::new(), nodes }
}

fn at(replica: &Replica) -> u64 {
    replica.cursor().seq
}

#[test]
fn a_snapshot_is_checked_and_comes_back() {
    let taken = snapshot(7, vec![app("a", 1)], vec![node("n", 1)]);
    let replica = Replica::new(taken.clone()).unwrap();
    assert_eq!(replica.snapshot(), taken);
    let mut damaged = taken;
    damaged.apps[0].owner = Some("ada".into());
    let mismatch = Replica::new(damaged).unwrap_err();
    assert_ne!(mismatch.said, mismatch.found);
}

#[test]
fn events_change_it_once() {
    let mut replica = Replica::new(snapshot(7, vec![app("a", 1)], Vec::new())).unwrap();
    let changed = event(9, EventType::AppChanged, json!(app("a", 2)));
    assert_eq!(replica.apply(&changed), Ok(true));
    assert_eq!(replica.apply(&changed), Ok(false));
    let old = event(8, EventType::AppChanged, json!(app("a", 1)));
    assert_eq!(replica.apply(&old), Ok(false), "older than what is known");
    let before = event(7, EventType::AppDeleted, json!(app("a", 1)));
    assert_eq!(replica.apply(&before), Ok(false), "part of the snapshot");
    assert_eq!((at(&replica), replica.apps()["a"].labels["v"].as_str()), (9, "2"));
    assert_eq!(replica.apply(&event(10, EventType::AppDeleted, json!(app("a", 2)))), Ok(true));
    assert_eq!(replica.apply(&event(11, EventType::TicketUsed, json!({"who": 1}))), Ok(false));
    assert_eq!(replica.apply(&event(12, EventType::Other, json!(null))), Ok(false));
    assert_eq!(at(&replica), 12);
    assert_eq!(replica.digest(), Digest::default().value());
    replica.caught_up(&Cursor { epoch: "e".into(), seq: 20 }).unwrap();
    replica.verified();
    assert_eq!(replica.apply(&changed), Ok(false));
    assert_eq!(at(&replica), 20);
}

#[test]
fn what_cannot_be_followed_asks_for_a_snapshot() {
    let mut replica = Replica::new(snapshot(7, Vec::new(), Vec::new())).unwrap();
    let mut foreign = event(8, EventType::Other, json!(null));
    foreign.epoch = "f".into();
    assert!(matches!(replica.apply(&foreign), Err(Broken::Epoch { .. })));
    let head = |epoch: &str, seq| Cursor { epoch: epoch.into(), seq };
    assert!(matches!(replica.caught_up(&head("f", 9)), Err(Broken::Epoch { .. })));
    assert!(matches!(replica.caught_up(&head("e", 6)), Err(Broken::Behind { .. })));
    let unreadable = event(8, EventType::NodeChanged, json!({"name": 1}));
    let broken = replica.apply(&unreadable).unwrap_err();
    assert_eq!(broken.to_string(), "event e:8 (node_changed) cannot be read");
    assert_eq!(at(&replica), 7, "not taken for read");
}

/// Changes of three apps and two nodes, as a centre would write them: numbered, each with the state after it.
fn history() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec((0u8..5, any::<bool>()), 0..30).prop_map(|steps| {
        let mut there = [false; 5];
        let mut out = Vec::new();
        for (thing, put) in steps {
            let seq = out.len() as u64 + 8;
            let present = &mut there[usize::from(thing)];
            let put = put || !*present;
            *present = put;
            let name = format!("x{thing}");
            out.push(match (thing, put) {
                (0..3, true) => event(seq, EventType::AppChanged, json!(app(&name, seq))),
                (0..3, false) => event(seq, EventType::AppDeleted, json!(app(&name, seq))),
                _ => event(seq, EventType::NodeChanged, json!(node(&name, seq))),
            });
        }
        out
    })
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_ends_in_the_same_state(
        events in history(),
        again in proptest::collection::vec(any::<proptest::sample::Index>(), 0..20),
        order in any::<u64>(),
    ) {
        let start = || Replica::new(snapshot(7, vec![app("x0", 0)], vec![node("x4", 0)])).unwrap();
        let mut straight = start();
        for event in &events {
            straight.apply(event).unwrap();
        }
        let mut shuffled = events.clone();
        if !events.is_empty() {
            shuffled.extend(again.iter().map(|index| index.get(&events).clone()));
        }
        // a shuffle that proptest can repeat
        let mut state = order;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = usize::try_from(state >> 33).unwrap() % (at + 1);
            shuffled.swap(at, other);
        }
        let mut replica = start();
        for event in &shuffled {
            replica.apply(event).unwrap();
        }
        prop_assert_eq!(replica.snapshot(), straight.snapshot());
        // the digest that was kept up step by step is that of the content
        prop_assert!(Replica::new(replica.snapshot()).is_ok());
    }
}
