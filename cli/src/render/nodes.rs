//! Nodes and their agents. Pure.

use super::{Cell, Ink, Paint, Table, words};
use common::api_types::{Agent, AgentState, NodeStatus};
use common::moment::Moment;

/// One line per agent; a node without agents has one too.
pub fn list(nodes: &[NodeStatus], now: Moment, paint: Paint) -> String {
    let mut table = Table::new([
        "NODE",
        "DC",
        "INSTANCES",
        "SEEN",
        "AGENT",
        "VERSION",
        "STATE",
        "ADDRESS",
        "NOTE",
    ]);
    for status in nodes {
        let head = || {
            [
                Cell::new(status.node.name.as_str()).ink(if status.silent {
                    Ink::Bad
                } else {
                    Ink::Plain
                }),
                Cell::new(&status.node.dc),
                Cell::figure(status.instances),
                Cell::figure(words::maybe_ago(status.last_seen, now)),
            ]
        };
        let agents: Vec<[Cell; 5]> = match status.node.agents.as_slice() {
            [] => vec![[(); 5].map(|()| Cell::new(""))],
            agents => agents.iter().map(agent).collect(),
        };
        for [name, version, state, address, note] in agents {
            let [node, dc, instances, seen] = head();
            table.line([node, dc, instances, seen, name, version, state, address, note]);
        }
    }
    table.print(paint)
}

fn agent(agent: &Agent) -> [Cell; 5] {
    let (word, ink) = state(agent);
    [
        Cell::new(&agent.name),
        Cell::new(&agent.version),
        Cell::new(word).ink(ink),
        Cell::new(&agent.address),
        Cell::new(&agent.note),
    ]
}

/// An agent's state in one word.
pub fn state(agent: &Agent) -> (&'static str, Ink) {
    match agent.state {
        _ if agent.silent => ("silent", Ink::Bad),
        AgentState::Running => ("running", Ink::Good),
        AgentState::Degraded => ("degraded", Ink::Care),
        AgentState::Stopping => ("stopping", Ink::Care),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::api_types::Node;
    use common::ids::NodeName;

    #[test]
    fn agents_stand_beside_their_node() {
        let agent = |name: &str, silent| Agent {
            name: name.into(),
            version: "0.1.0".into(),
            address: "127.0.0.1:7001".into(),
            tls: false,
            state: AgentState::Degraded,
            note: "no carbon\n".into(),
            silent,
        };
        let node = |name: &str, agents| NodeStatus {
            node: Node { name: NodeName::new(name), dc: "dc1".into(), agents },
            silent: false,
            last_seen: Some(Moment::from_unix_ms(1_000)),
            instances: 2,
        };
        let nodes = [
            node("n1", vec![agent("dadvisor", false), agent("log-agent", true)]),
            node("n2", vec![]),
        ];
        let printed = list(&nodes, Moment::from_unix_ms(4_000), Paint(false));
        let lines: Vec<_> = printed.lines().collect();
        assert_eq!(lines.len(), 4, "{printed}");
        assert!(
            lines[1].contains("3s  dadvisor   0.1.0    degraded  127.0.0.1:7001  no carbon\\u{a}"),
            "{printed}"
        );
        assert!(lines[2].contains("silent"), "{printed}");
        assert!(
            lines[3].ends_with("3s  -          -        -         -               -"),
            "{printed}"
        );
    }
}
