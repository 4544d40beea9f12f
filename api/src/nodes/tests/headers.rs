//! Who may speak, by the headers alone.

use crate::nodes::ReportError;
use crate::nodes::entry::{Known, Node, Now, Verdict};
use crate::nodes::run::Run;
use crate::reconcile::tests::lab::at;
use common::api_types::{Agent, AgentState};
use proptest::prelude::*;
use std::time::Duration;

fn now(seconds: u64) -> Now {
    Now { mono: Duration::from_secs(seconds), wall: at(1_000 + seconds) }
}

fn known(agent: &str, run: &str, seconds: u64) -> Known {
    Known {
        run: Run::parse(run).unwrap(),
        digest: "d".into(),
        agent: Agent {
            name: agent.into(),
            version: "1".into(),
            address: "10.0.0.1:1".into(),
            tls: false,
            state: AgentState::Running,
            note: "no Docker".into(),
            silent: false,
        },
        dc: "dc1".into(),
        lines: Default::default(),
        seen: now(seconds).mono,
        seen_at: now(seconds).wall,
        stored_at: now(seconds).wall,
        elsewhere: false,
    }
}

fn hear(node: &mut Node, agent: &str, run: &str, digest: &str, seconds: u64) -> String {
    let run = Run::parse(run).unwrap();
    match node.hear("n1", agent, &run, digest, false, now(seconds)) {
        Ok(verdict) => format!("{verdict:?}"),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn another_machine_waits_until_the_first_is_silent() {
    let mut node = Node::default();
    node.enter(known("dadvisor", "aa.1000.x", 0));
    assert_eq!(hear(&mut node, "dadvisor", "aa.1000.x", "d", 10), "Same");
    // any agent of the other machine, even one that is not known yet
    for agent in ["dadvisor", "log-agent"] {
        assert_eq!(hear(&mut node, agent, "bb.9000.x", "d", 20), "node_claimed");
    }
    assert!(node.show_claim() && !node.show_claim());
    let shown = node.with_claim(known("dadvisor", "aa.1000.x", 0).agent).note;
    assert!(shown.starts_with("no Docker; machine bb reports"), "{shown}");
    assert!(!node.expire_claim(now(79)) && node.expire_claim(now(80)));
    assert_eq!(hear(&mut node, "dadvisor", "bb.9000.x", "d", 39), "node_claimed");
    // the first fell silent: the name is free
    assert_eq!(hear(&mut node, "dadvisor", "bb.9000.x", "d", 40), "digest_unknown");
}

#[test]
fn the_younger_process_of_a_machine_replaces_the_older() {
    let mut node = Node::default();
    node.enter(known("dadvisor", "aa.2000.x", 0));
    assert_eq!(hear(&mut node, "dadvisor", "aa.1000.x", "d", 1), "node_claimed");
    assert_eq!(hear(&mut node, "log-agent", "aa.1000.x", "d", 1), "digest_unknown");
    // known content, but whose run that is has to be stored with it
    assert_eq!(hear(&mut node, "dadvisor", "aa.3000.x", "d", 2), "digest_unknown");
    node.enter(known("dadvisor", "aa.3000.x", 2));
    assert_eq!(hear(&mut node, "dadvisor", "aa.2000.x", "d", 3), "node_claimed");
    assert_eq!(hear(&mut node, "dadvisor", "aa.3000.x", "d", 3), "Same");
    // nothing shown of it: it is the node's own machine
    assert!(!node.show_claim());
}

#[test]
fn a_node_has_few_agents() {
    let mut node = Node::default();
    for n in 0..8 {
        node.enter(known(&format!("agent{n}"), "aa.1.x", 0));
    }
    let run = Run::parse("aa.1.x").unwrap();
    let full = node.hear("n1", "agent9", &run, "d", true, now(1));
    assert!(matches!(full, Err(ReportError::Agents(_))));
    assert_eq!(node.hear("n1", "agent7", &run, "e", true, now(1)).unwrap(), Verdict::Judge);
}

proptest! {
    /// Two machines that report in any rhythm: at any time at most one of them is taken, and a free name is taken at once.
    #[test]
    fn one_machine_at_a_time(steps in prop::collection::vec((any::<bool>(), 0u64..40), 1..60)) {
        let mut node = Node::default();
        let (mut clock, mut last): (u64, Option<(bool, u64)>) = (0, None);
        for (second, wait) in steps {
            clock += wait;
            let run = if second { "bb.1.x" } else { "aa.1.x" };
            let parsed = Run::parse(run).unwrap();
            let taken = node.hear("n1", "dadvisor", &parsed, "d", true, now(clock)).is_ok();
            let free = last.is_none_or(|(who, at)| who == second || clock - at >= 30);
            prop_assert_eq!(taken, free);
            if taken {
                node.enter(known("dadvisor", run, clock));
                last = Some((second, clock));
            }
        }
    }
}
