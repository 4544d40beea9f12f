use super::*;
use crate::nodes::LOG_AGENT;
use crate::testing;
use crate::ways::way;
use crate::world::World;
use common::api_types::{Agent, Entity, Node};
use common::ids::Cursor;
use proptest::prelude::*;

/// The way in where the node's log-agent tells this address.
fn door_at(address: &str, silent: bool) -> Door {
    door_of(address, false, silent)
}

fn door_of(address: &str, tls: bool, silent: bool) -> Door {
    let mut world = World::new(Cursor { epoch: "e".into(), seq: 0 });
    let agent = Agent {
        name: LOG_AGENT.into(),
        version: "1".into(),
        address: address.into(),
        tls,
        state: Default::default(),
        note: String::new(),
        silent,
    };
    let node = Node { agents: vec![agent], ..testing::node("h1", &[false]) };
    world.put(Entity::Node(node));
    let instance = testing::instance("c/web 1#", "shop/web", Some("h1"));
    door(way(&world, LOG_AGENT, &instance, None), &instance, "qtk1.t".into())
}

#[test]
fn a_link_leads_to_the_log_agent_of_the_node() {
    let good = door_at("h1:7002", false);
    assert_eq!(good.url.as_deref(), Some("http://h1:7002/#ticket=qtk1.t&instance=c/web%201%23"));
    assert_eq!(good.why, None);
    assert_eq!(door_at("[fd00::1]:7002", false).address.as_deref(), Some("http://[fd00::1]:7002"));
    let safe = door_of("h1:7002", true, false);
    assert!(safe.url.unwrap().starts_with("https://h1:7002/#ticket="));
    let silent = door_at("h1:7002", true);
    assert!(silent.url.is_some() && silent.why.unwrap().contains("silent"));
}

#[test]
fn no_agents_word_becomes_another_link() {
    for address in ["", "h1", "evil@h1:1", "h1:7002/x", "h1:7002#", "javascript:1/", "a b:1", ":1"]
    {
        let door = door_at(address, false);
        assert!(door.url.is_none() && door.address.is_none(), "{address}: {door:?}");
        assert!(door.why.is_some());
    }
    let world = World::new(Cursor { epoch: "e".into(), seq: 0 });
    let why = |node| {
        let instance = testing::instance("c/a", "a", node);
        door(way(&world, LOG_AGENT, &instance, None), &instance, String::new())
            .why
            .unwrap_or_default()
    };
    assert!(why(None).contains("not placed") && why(Some("h9")).contains("h9"));
}

proptest! {
    #[test]
    fn whatever_an_agent_tells_the_link_stays_one(address in "\\PC{0,40}|[a-z0-9.:@/#\\[\\]-]{0,30}") {
        if let Some(url) = door_at(&address, false).url {
            let rest = url.strip_prefix("http://").unwrap();
            let (authority, fragment) = rest.split_once("/#").unwrap();
            prop_assert!(!authority.contains(['/', '#', '?', '@', ' ']), "{}", url);
            prop_assert!(fragment.starts_with("ticket=qtk1.t&instance="));
        }
    }
}
