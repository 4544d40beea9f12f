//! Short lives and kills: told once, whatever is repeated or restarted.

use super::lab::*;
use crate::reconcile::*;
use common::api_types::EventType::*;
use common::api_types::*;
use proptest::prelude::*;

/// What the store would tell of these events.
fn stored(events: &[Event]) -> Told {
    let mut told = Told::default();
    for event in events {
        match event.kind {
            InstanceGone => {
                let gone: Instance = serde_json::from_value(event.payload.clone()).unwrap();
                told.enter_end(gone.key, gone.ended_at.unwrap());
            }
            OomKilled => told.enter_kill(event.subject.clone(), &event.payload),
            _ => {}
        }
    }
    told
}

#[test]
fn a_life_between_two_reports_is_told_once() {
    let mut lab = Lab::new();
    let short = ended(container("ab", "job"), 110, 0);
    let told = lab.report("n1", "dc2", facts(1, vec![], vec![short.clone()]));
    assert_eq!(told, [AppChanged, InstanceChanged, InstanceGone]);
    assert_eq!(lab.report("n1", "dc2", facts(1, vec![], vec![short.clone()])), []);
    // the API dies before it has noted the report, and starts again
    lab.forget_prior("n1");
    let store = stored(&lab.events);
    assert_eq!(lab.report_told("n1", "dc2", facts(1, vec![], vec![short.clone()]), &store), []);
    // started again under the same id, and as short
    let mut second = container("ab", "job");
    second.started_at = Some(at(120));
    let ends = vec![short, ended(second, 121, 1)];
    assert_eq!(
        lab.report_told("n1", "dc2", facts(1, vec![], ends), &store),
        [InstanceChanged, InstanceGone]
    );
}

#[test]
fn doubts_name_what_the_store_must_be_asked_for() {
    let mut lab = Lab::new();
    let mut killed = container("ab", "job");
    killed.oom_kills = 1;
    let seen = Seen::new("dc2", facts(1, vec![], vec![ended(killed, 110, 137)]), &clusters());
    let node = common::ids::NodeName::new("n1");
    let told = Told::default();
    let report = NodeReport { node: &node, seen: &seen, prior: None, told: &told, now: at(200) };
    let changes = super::super::node(&lab.world, &lab.view, &report);
    let doubted = doubts(&lab.world, &changes);
    assert_eq!(doubted.ends, ["d2/n1/ab0000000000"]);
    assert_eq!(doubted.kills, [("d2/n1/ab0000000000".to_owned(), "job".to_owned())]);
    assert_eq!(lab.apply(changes), [AppChanged, InstanceChanged, OomKilled, InstanceGone]);
    let store = stored(&lab.events);
    let report = NodeReport { told: &store, ..report };
    assert!(super::super::node(&lab.world, &lab.view, &report).is_empty());
}

#[test]
fn kills_before_the_first_report_are_where_counting_begins() {
    let mut lab = Lab::new();
    let with = |kills| ContainerFact { oom_kills: kills, ..container("ab", "a") };
    lab.report("n1", "dc2", facts(1, vec![with(5)], vec![]));
    assert!(lab.events.iter().all(|e| e.kind != OomKilled));
    assert_eq!(lab.report("n1", "dc2", facts(1, vec![with(7)], vec![])), [OomKilled, OomKilled]);
    let last = lab.last();
    assert_eq!((&last.payload[OOM_COUNT], &last.payload[OOM_KILLS]), (&7.into(), &1.into()));
    // the agent counts anew
    assert_eq!(lab.report("n1", "dc2", facts(1, vec![with(0)], vec![])), []);
    assert_eq!(lab.report("n1", "dc2", facts(1, vec![with(1)], vec![])), [OomKilled]);
    // a flood stays bounded and keeps its number
    let before = lab.events.len();
    lab.report("n1", "dc2", facts(1, vec![with(100_001)], vec![]));
    let notes = &lab.events[before..];
    let kills: u64 = notes.iter().map(|e| e.payload[OOM_KILLS].as_u64().unwrap()).sum();
    assert_eq!((notes.len(), kills), (100, 100_000));
}

#[test]
fn a_kill_in_a_task_is_told_of_its_instance() {
    let mut lab = Lab::new();
    lab.list(vec![listed_app("a", 1)], vec![listed("a.1", "a", "n1")]);
    let with = |kills| ContainerFact { oom_kills: kills, ..task_container("ab", "a", "a.1") };
    lab.report("n1", "dc1", facts(1, vec![with(0)], vec![]));
    lab.report("n1", "dc1", facts(1, vec![with(1)], vec![]));
    assert_eq!((lab.last().kind, lab.last().subject.as_str()), (OomKilled, "m1/a.1"));
    assert_eq!(lab.last().payload["version"], "v1");
}

/// One step of a container's life.
#[derive(Debug, Clone, Copy)]
enum Step {
    Killed,
    Report,
    SameReport,
    /// The container is started anew; what ended is listed, with its kills.
    Restarted,
    /// The API restarts without having noted the last report.
    ApiRestarts,
    /// The agent counts from zero; what it had not reported is lost with it.
    AgentRestarts,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Killed),
        3 => Just(Step::Report),
        1 => Just(Step::SameReport),
        1 => Just(Step::Restarted),
        1 => Just(Step::ApiRestarts),
        1 => Just(Step::AgentRestarts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Every kill after the first report is told exactly once. (Both restarts at once may hide one, never double it.)
    #[test]
    fn every_kill_is_told_once(steps in prop::collection::vec(step(), 1..40)) {
        let mut lab = Lab::new();
        let mut live = container("ab", "a");
        let mut ends = Vec::new();
        let (mut kills, mut reported, mut clock, mut restarts) = (0, 0, 100, [false; 2]);
        lab.report("n1", "dc2", facts(1, vec![live.clone()], vec![]));
        for step in steps.into_iter().chain([Step::Report]) {
            clock += 1;
            match step {
                Step::Killed => {
                    live.oom_kills += 1;
                    kills += 1;
                    continue;
                }
                Step::Restarted => {
                    ends.push(ended(live.clone(), clock, 1));
                    live.started_at = Some(at(clock));
                    continue;
                }
                Step::AgentRestarts => {
                    restarts[0] = true;
                    kills -= live.oom_kills - reported;
                    live.oom_kills = 0;
                    ends.clear();
                    lab.report("n1", "dc2", facts(1, vec![live.clone()], vec![]));
                }
                Step::ApiRestarts => {
                    restarts[1] = true;
                    // the older report that was noted: the one with nothing in it
                    lab.forget_prior("n1");
                    let old = ContainerFact { oom_kills: 0, ..live.clone() };
                    lab.report("n1", "dc2", facts(1, vec![old], vec![]));
                    let store = stored(&lab.events);
                    lab.report_told("n1", "dc2", facts(1, vec![live.clone()], ends.clone()), &store);
                }
                Step::Report | Step::SameReport => {
                    lab.report("n1", "dc2", facts(1, vec![live.clone()], ends.clone()));
                }
            }
            reported = live.oom_kills;
        }
        let told: u64 = lab.events.iter().filter(|e| e.kind == OomKilled)
            .map(|e| e.payload[OOM_KILLS].as_u64().unwrap()).sum();
        prop_assert!(told <= kills);
        if restarts != [true; 2] {
            prop_assert_eq!(told, kills);
        }
    }
}
