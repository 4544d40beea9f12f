//! The agents of a node, and which of them have fallen silent.

use crate::change::Change;
use crate::world::World;
use common::api_types::{Agent, Entity, Node};
use common::ids::NodeName;
use std::collections::BTreeMap;

/// An agent as it is now; None if that is known. `dc` is the node's.
pub fn agent(world: &World, node: &NodeName, dc: &str, agent: Agent) -> Option<Change> {
    let before = world.node(node);
    let mut made = match before {
        Some(known) => Node::clone(known),
        None => Node { name: node.clone(), dc: String::new(), agents: Vec::new() },
    };
    dc.clone_into(&mut made.dc);
    made.agents.retain(|a| a.name != agent.name);
    made.agents.push(agent);
    made.agents.sort_by(|a, b| a.name.cmp(&b.name));
    before.is_none_or(|known| **known != made).then_some(Change::Put(Entity::Node(made)))
}

/// These agents are silent, and were not.
pub fn silent(world: &World, agents: &[(NodeName, String)]) -> Vec<Change> {
    let mut by_node: BTreeMap<&NodeName, Node> = BTreeMap::new();
    for (name, agent) in agents {
        let Some(known) = world.node(name) else { continue };
        let node = by_node.entry(name).or_insert_with(|| Node::clone(known));
        for agent in node.agents.iter_mut().filter(|a| a.name == *agent) {
            agent.silent = true;
        }
    }
    by_node
        .into_iter()
        .filter(|(name, node)| world.node(name).is_some_and(|known| **known != *node))
        .map(|(_, node)| Change::Put(Entity::Node(node)))
        .collect()
}
