use super::*;
use common::ids::{AppId, InstanceId};

fn container(id: &str, started: u64) -> Container {
    let (app, instance) = (AppId::new("shop/web"), InstanceId::new(id));
    let new = Container::new(id, Source::Docker, app, instance);
    Container { started_at_ms: Some(started), ..new }
}

fn seen(containers: Vec<Container>) -> Seen {
    let engine = Engine::Up { version: "28".into() };
    let containers = Arc::new(containers.into_iter().map(Arc::new).collect());
    Seen { containers, complete: true, engine }
}

fn died(container: Container, exit_code: Option<i64>, oom_killed: bool) -> Event {
    Event::Died { container: Arc::new(container), exit_code, oom_killed, unseen: false }
}

fn at(seconds: u64) -> Moment {
    Moment::from_unix_ms(seconds * 1_000)
}

fn ids(facts: &Facts) -> Vec<String> {
    facts.told(&NodeFacts::default()).containers.into_iter().map(|c| c.id).collect()
}

#[test]
fn who_is_here_is_told_under_its_own_name() {
    let task = Container { task: Some("web.1".into()), source: Source::Mesos, ..container("b", 1) };
    let unnamed = Container { source: Source::Mesos, ..container("c", 1) };
    let unit = Container { source: Source::Cgroup, ..container("d", 1) };
    let mut asked = container("e", 1);
    asked.name = "mesos-19ca0947-3df0-43ea-9c4b-24e62ece24e0".into();
    asked.app = AppId::new(format!("docker/{}", asked.name));
    let mut facts = Facts::default();
    assert_eq!(facts.told(&NodeFacts::default()), DadvisorFacts::default());
    facts.see(seen(vec![container("a", 1), task, unnamed, unit, asked]));
    facts.count(Arc::new([("a".to_owned(), 3)].into()));
    assert_eq!(ids(&facts), ["a", "b"]);
    let told = facts.told(&NodeFacts::default());
    assert_eq!((told.containers[0].oom_kills, told.node.docker.as_str()), (3, "28"));
    assert!(told.complete);
    facts.see(Seen { complete: false, engine: Engine::Hung, ..seen(vec![container("a", 1)]) });
    let told = facts.told(&NodeFacts { docker: "27".into(), ..NodeFacts::default() });
    assert_eq!((told.complete, told.node.docker.as_str()), (false, "27"));
}

#[test]
fn an_end_is_told_once_whatever_comes_first() {
    // the engine knows only its own name for it
    let plain = Container { app: AppId::new("docker/mesos-x"), ..container("a", 1) };
    for list_first in [true, false] {
        let mut facts = Facts::default();
        facts.see(seen(vec![container("a", 1), container("b", 1)]));
        if list_first {
            facts.see(seen(vec![container("b", 1)]));
        }
        assert!(facts.hear(&died(plain.clone(), Some(137), true), at(5)));
        assert_eq!(ids(&facts), ["b"], "not here and ended at once");
        let told = facts.told(&NodeFacts::default());
        let end = &told.ended[0];
        assert_eq!(end.container.app.as_str(), "shop/web");
        assert_eq!(
            (end.at, end.code, end.oom, end.container.oom_kills),
            (at(5), Some(137), true, 1)
        );
        // its next run is another
        facts.see(seen(vec![container("a", 2), container("b", 1)]));
        assert_eq!(ids(&facts), ["a", "b"]);
        assert_eq!(facts.told(&NodeFacts::default()).ended.len(), 1);
    }
}

#[test]
fn a_kill_heard_of_after_the_end_belongs_to_its_run() {
    let oom = |started| Event::Oom { container: Arc::new(container("a", started)) };
    let mut facts = Facts::default();
    assert!(!facts.hear(&oom(1), at(1)), "it lives");
    facts.hear(&died(container("a", 1), Some(137), false), at(2));
    assert!(!facts.hear(&oom(2), at(3)), "its next run");
    assert!(facts.hear(&oom(1), at(3)));
    assert!(!facts.hear(&oom(1), at(3)), "known");
    assert!(facts.told(&NodeFacts::default()).ended[0].oom);
    facts.hear(&died(container("b", 1), Some(0), true), at(4));
    assert!(!facts.told(&NodeFacts::default()).ended[1].oom, "it ended well");
}

#[test]
fn ends_are_few_and_young() {
    let mut facts = Facts::default();
    for n in 0..300 {
        facts.hear(&died(container(&format!("c{n}"), 1), None, false), at(n));
    }
    let told = facts.told(&NodeFacts::default()).ended;
    assert_eq!((told.len(), told[0].container.id.as_str()), (200, "c100"));
    assert!(!facts.expire(at(3_600 + 99)));
    assert!(facts.expire(at(3_600 + 150)));
    assert_eq!(facts.told(&NodeFacts::default()).ended.len(), 149);
    for n in 0..2_000 {
        facts.see(seen(vec![container(&format!("x{n:04}"), 1)]));
    }
    assert!(facts.left.len() <= MOST_LEFT + 1);
}
