use super::lab::*;
use crate::reconcile::*;
use common::api_types::EventType::*;
use common::api_types::*;
use common::container::{Health, Port, State};
use common::ids::{AppId, InstanceId, NodeName};
use std::collections::{BTreeMap, HashSet};

#[test]
fn a_plain_container_comes_changes_and_ends() {
    let mut lab = Lab::new();
    let web = container("ab12", "shop/web");
    let key = "d2/n1/ab1200000000";
    assert_eq!(
        lab.report("n1", "dc2", facts(1, vec![web.clone()], vec![])),
        [AppChanged, InstanceChanged]
    );
    let app = lab.world.app(&AppId::new("shop/web")).unwrap();
    assert_eq!(app.owner.as_deref(), Some("web team"));
    assert_eq!(app.dcs, [Wanted { dc: "dc2".into(), cluster: "d2".into(), wanted: None }]);
    let instance = lab.instance(key);
    assert_eq!(instance.backends[0].address, "10.0.0.1");
    assert_eq!((instance.state, instance.restarts), (InstanceState::Running, 0));

    let sick = ContainerFact { health: Health::Unhealthy, ..web.clone() };
    assert_eq!(lab.report("n1", "dc2", facts(1, vec![sick.clone()], vec![])), [HealthChanged]);
    let between = ContainerFact { state: State::Restarting, restarts: 1, ..web.clone() };
    let end = ended(web.clone(), 200, 1);
    lab.report("n1", "dc2", facts(1, vec![between], vec![end.clone()]));
    let instance = lab.instance(key);
    assert_eq!((instance.state, instance.restarts), (InstanceState::Starting, 1));
    assert_eq!(instance.exit.as_ref().unwrap().code, Some(1));

    let again = ContainerFact { started_at: Some(at(210)), restarts: 1, ..web.clone() };
    lab.report("n1", "dc2", facts(1, vec![again.clone()], vec![end.clone()]));
    let mut last = ended(again, 300, 137);
    last.oom = true;
    assert_eq!(
        lab.report("n1", "dc2", facts(1, vec![], vec![end, last.clone()])),
        [OomKilled, InstanceGone]
    );
    let gone = lab.last_instance();
    assert_eq!((gone.state, gone.ended_at), (InstanceState::Ended, Some(at(300))));
    let exit = gone.exit.unwrap();
    assert_eq!(
        (exit.code, exit.oom, exit.reason.as_deref()),
        (Some(137), true, Some("oom_killed"))
    );
    assert_eq!(lab.report("n1", "dc2", facts(1, vec![], vec![last])), []);
    assert!(lab.keys().is_empty() && lab.world.app(&AppId::new("shop/web")).is_some());
}

#[test]
fn what_is_not_listed_ends_only_if_the_list_is_whole() {
    let mut lab = Lab::new();
    lab.report("n1", "dc2", facts(1, vec![container("ab", "a")], vec![]));
    let part = DadvisorFacts { complete: false, ..facts(1, vec![], vec![]) };
    assert_eq!(lab.report("n1", "dc2", part), []);
    assert_eq!(lab.report("n1", "dc2", facts(1, vec![], vec![])), [InstanceGone]);
    let gone = lab.last_instance();
    assert_eq!((gone.ended_at, gone.exit.unwrap().reason), (Some(lab.now), Some("gone".into())));
}

#[test]
fn published_ports_become_backends() {
    let mut lab = Lab::new();
    let port = |address: &str, port, container_port, protocol: &str| Port {
        address: address.parse().unwrap(),
        port,
        container_port,
        protocol: protocol.into(),
    };
    let mut web = container("ab", "a");
    web.ports = vec![
        port("::", 80, 8080, "tcp"),
        port("0.0.0.0", 80, 8080, "tcp"),
        port("0.0.0.0", 53, 53, "udp"),
        port("192.168.1.5", 81, 8081, "tcp"),
        port("2001:db8::1", 82, 8082, "tcp"),
        port("::", 83, 8083, "tcp"),
        port("0.0.0.0", 0, 1, "tcp"),
    ];
    lab.report("n1", "dc2", facts(1, vec![web.clone()], vec![]));
    let shown = |lab: &Lab| {
        let backends = &lab.instance("d2/n1/ab0000000000").backends;
        backends.iter().map(|b| format!("{}:{}", b.address, b.port)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&lab), ["10.0.0.1:80", "192.168.1.5:81", "2001:db8::1:82", "n1:83"]);
    let mut unknown = facts(1, vec![web], vec![]);
    unknown.node.address.clear();
    lab.report("n1", "dc2", unknown);
    assert_eq!(shown(&lab), ["192.168.1.5:81", "2001:db8::1:82", "n1:80", "n1:83"]);
}

#[test]
fn a_task_is_one_instance_whoever_speaks_first() {
    for node_first in [true, false] {
        let mut lab = Lab::new();
        let seen = facts(1, vec![task_container("ab", "shop/web", "shop_web.1")], vec![]);
        let list = |lab: &mut Lab| {
            lab.list(
                vec![listed_app("shop/web", 2)],
                vec![listed("shop_web.1", "shop/web", "10.0.0.1")],
            )
        };
        if node_first {
            assert_eq!(lab.report("n1", "dc1", seen), []);
            assert_eq!(list(&mut lab), [AppChanged, InstanceChanged]);
        } else {
            list(&mut lab);
            assert_eq!(lab.report("n1", "dc1", seen), [InstanceChanged]);
        }
        assert_eq!(lab.keys(), ["m1/shop_web.1"]);
        let instance = lab.instance("m1/shop_web.1");
        assert_eq!(instance.node, Some(NodeName::new("n1")));
        assert_eq!(instance.container, Some(id("ab")));
        assert_eq!(instance.log_volumes[0].source, "/logs/ab");
        assert_eq!(instance.backends[0].port, 31_000);
        assert_eq!(instance.health, Health::Healthy);
    }
}

#[test]
fn a_task_ends_with_the_code_that_its_node_saw() {
    let mut lab = Lab::new();
    let web = task_container("ab", "a", "a.1");
    lab.list(vec![listed_app("a", 1)], vec![listed("a.1", "a", "n1")]);
    lab.report("n1", "dc1", facts(1, vec![web.clone()], vec![]));
    // its container is gone first: the instance stays its scheduler's, with the container it had
    assert_eq!(lab.report("n1", "dc1", facts(1, vec![], vec![ended(web, 300, 3)])), []);
    let exit = Exit { reason: Some("TASK_FAILED".into()), ..Exit::default() };
    let over =
        ListedTask { state: InstanceState::Ended, exit: Some(exit), ..listed("a.1", "a", "n1") };
    assert_eq!(lab.list(vec![listed_app("a", 1)], vec![over.clone()]), [InstanceGone]);
    let gone = lab.last_instance();
    assert_eq!((gone.ended_at, &gone.container), (Some(at(300)), &Some(id("ab"))));
    let exit = gone.exit.unwrap();
    assert_eq!((exit.code, exit.reason.as_deref()), (Some(3), Some("TASK_FAILED")));
    assert_eq!(lab.list(vec![listed_app("a", 1)], vec![over]), []);
    assert_eq!(lab.list(vec![], vec![]), [AppDeleted]);
}

#[test]
fn no_node_takes_a_task_of_another_known_one() {
    let mut lab = Lab::new();
    lab.report("n1", "dc1", facts(1, vec![task_container("aa", "a", "a.1")], vec![]));
    lab.list(vec![listed_app("a", 1)], vec![listed("a.1", "a", "n1")]);
    let forged = task_container("ff", "a", "a.1");
    assert_eq!(lab.report("n2", "dc1", facts(2, vec![forged], vec![])), []);
    assert_eq!(lab.instance("m1/a.1").container, Some(id("aa")));
}

#[test]
fn hosts_are_known_by_address_domain_or_what_runs_there() {
    let mut lab = Lab::new();
    let tasks = |names: &[(&str, &str)]| {
        names.iter().map(|(task, host)| listed(task, "a", host)).collect::<Vec<_>>()
    };
    let all = tasks(&[("a.1", "10.0.0.1"), ("a.2", "n1.example.com"), ("a.3", "slave-7")]);
    lab.list(vec![listed_app("a", 3)], all.clone());
    assert_eq!(lab.instance("m1/a.1").node, Some(NodeName::new("10.0.0.1")));
    let seen = facts(1, vec![task_container("cc", "a", "a.3")], vec![]);
    lab.report("n1", "dc1", seen);
    for key in ["m1/a.1", "m1/a.2", "m1/a.3"] {
        assert_eq!(lab.instance(key).node, Some(NodeName::new("n1")), "{key}");
    }
    assert_eq!(lab.list(vec![listed_app("a", 3)], all), []);
    lab.report("h2.example.com", "dc1", facts(2, vec![], vec![]));
    lab.list(vec![listed_app("a", 3)], tasks(&[("a.4", "h2"), ("a.5", "h2.other.org")]));
    assert_eq!(lab.instance("m1/a.4").node, Some(NodeName::new("h2.example.com")));
    assert_eq!(lab.instance("m1/a.5").node, Some(NodeName::new("h2.other.org")));
}

#[test]
fn a_container_that_turns_out_to_be_a_task_moves() {
    let mut lab = Lab::new();
    lab.list(vec![listed_app("a", 1)], vec![listed("a.1", "a", "n1")]);
    lab.report("n1", "dc1", facts(1, vec![container("ab", "docker/mesos-x")], vec![]));
    assert_eq!(lab.keys(), ["local/n1/ab0000000000", "m1/a.1"]);
    let named = task_container("ab", "a", "a.1");
    lab.report("n1", "dc1", facts(1, vec![named], vec![]));
    assert_eq!(lab.keys(), ["m1/a.1"]);
    let reason = lab.last_instance().exit.unwrap().reason.unwrap();
    assert_eq!(reason, "it is task a.1");
    // Chronos tells nobody: its runs stand for themselves
    let run = task_container("cc", "chronos/job", "ct:1:0:job:");
    lab.report("n1", "dc1", facts(1, vec![run], vec![]));
    assert_eq!(lab.keys(), ["local/n1/cc0000000000", "m1/a.1"]);
}

#[test]
fn labels_are_the_schedulers_else_of_the_youngest_container() {
    let labels = |owner: &str| BTreeMap::from([("qae.owner".to_owned(), owner.to_owned())]);
    let mut lab = Lab::new();
    let old = ContainerFact { labels: labels("old"), ..container("aa", "a") };
    let new =
        ContainerFact { labels: labels("new"), started_at: Some(at(200)), ..container("bb", "a") };
    lab.report("n2", "dc2", facts(2, vec![new], vec![]));
    lab.report("n1", "dc2", facts(1, vec![old.clone()], vec![]));
    let owner = |lab: &Lab| lab.world.app(&AppId::new("a")).unwrap().owner.clone();
    assert_eq!(owner(&lab).as_deref(), Some("new"));
    let app = ListedApp { labels: labels("marathon"), ..listed_app("a", 1) };
    assert_eq!(lab.list(vec![app], vec![]), [AppChanged]);
    assert_eq!(owner(&lab).as_deref(), Some("marathon"));
    lab.report("n2", "dc2", facts(2, vec![], vec![]));
    assert_eq!(owner(&lab).as_deref(), Some("marathon"));
    assert_eq!(lab.list(vec![], vec![]), [AppChanged]);
    assert_eq!(owner(&lab).as_deref(), Some("old"));
}

#[test]
fn plain_apps_stay_for_a_while_and_unconfigured_clusters_do_not() {
    let mut lab = Lab::new();
    lab.report("n1", "dc2", facts(1, vec![container("ab", "a")], vec![]));
    lab.report("n1", "dc2", facts(1, vec![], vec![]));
    assert_eq!(idle(&lab.world), [AppId::new("a")]);
    assert!(expired(&lab.world, &lab.view, &HashSet::new()).is_empty());
    let changes = expired(&lab.world, &lab.view, &HashSet::from([AppId::new("a")]));
    assert_eq!(lab.apply(changes), [AppDeleted]);

    lab.report("n1", "dc2", facts(1, vec![container("ab", "a")], vec![]));
    lab.list(vec![listed_app("b", 1)], vec![listed("b.1", "b", "h9")]);
    assert!(unconfigured(&lab.world, &lab.view, lab.now).is_empty());
    lab.view = NodeFactsView::new(Clusters::default());
    let changes = unconfigured(&lab.world, &lab.view, lab.now);
    assert_eq!(lab.apply(changes), [InstanceGone, InstanceGone, AppDeleted, AppDeleted]);
}

#[test]
fn agents_come_and_fall_silent() {
    let mut lab = Lab::new();
    let node = NodeName::new("n1");
    let agent = |name: &str| Agent {
        name: name.into(),
        version: "1".into(),
        address: "10.0.0.1:7001".into(),
        tls: false,
        state: AgentState::Running,
        note: String::new(),
        silent: false,
    };
    for (name, wanted) in [("log-agent", 1), ("dadvisor", 1), ("dadvisor", 0)] {
        let change = super::super::agent(&lab.world, &node, "dc1", agent(name));
        assert_eq!(lab.apply(change.into_iter().collect()).len(), wanted);
    }
    let names: Vec<_> = lab.world.node(&node).unwrap().agents.iter().map(|a| &a.name).collect();
    assert_eq!(names, ["dadvisor", "log-agent"]);
    let both = [(node.clone(), "dadvisor".to_owned()), (node.clone(), "log-agent".to_owned())];
    for wanted in [vec![NodeSilent], vec![]] {
        let changes = silent(&lab.world, &both);
        assert_eq!(lab.apply(changes), wanted);
    }
    assert!(lab.world.node(&node).unwrap().silent());
}

#[test]
fn hostile_facts_are_bounded() {
    let mut many = vec![container("ab", "a"), container("ab", "a")];
    many.push(ContainerFact { id: String::new(), ..container("ac", "a") });
    many.push(ContainerFact { app: AppId::new("x".repeat(5_000)), ..container("ad", "a") });
    let ends = (0..2_000).map(|n| ended(container("ae", "a"), n, 0)).collect();
    let seen = Seen::new("dc1", facts(1, many, ends), &clusters());
    assert_eq!((seen.facts().containers.len(), seen.facts().ended.len()), (1, 1_000));
    assert_eq!(seen.facts().ended[999].at, at(1_999));
    assert_eq!(seen.skipped(), 1_003);
    let scope = ContainerFact { id: "/system.slice/a.service".into(), ..container("ab", "a") };
    let other = ContainerFact { id: "/system.slice/b.service".into(), ..container("ab", "a") };
    let mut lab = Lab::new();
    lab.report("n1", "dc2", facts(1, vec![scope, other], vec![]));
    assert_eq!(lab.keys().len(), 2);
    assert_eq!(InstanceId::new("x").as_str(), "x");
}
