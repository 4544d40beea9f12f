//! Whatever order, repetition or loss: after a last whole word of everyone the state is the one that these words alone would make. Only
//! a task that two nodes claim, while its own is not known, waits for Marathon's next list.

use super::lab::*;
use crate::reconcile::*;
use common::api_types::*;
use common::container::{Health, State};
use proptest::prelude::*;
use proptest::sample::subsequence;
use std::collections::{BTreeMap, HashSet};

/// What somebody says.
#[derive(Debug, Clone)]
enum Word {
    /// A node: which, and its facts.
    Node(u8, DadvisorFacts),
    /// Marathon: the whole list.
    List(Vec<ListedApp>, Vec<ListedTask>),
    /// Marathon: one task, as it is or gone; one app likewise.
    Task(ListedTask),
    TaskGone(ListedTask),
    App(ListedApp),
    AppGone(ListedApp),
}

/// Node 1 and 2 are Marathon's, 3 is Docker's alone.
fn dc(node: u8) -> &'static str {
    if node == 3 { "dc2" } else { "dc1" }
}

/// Containers that a node may have: of each, one look.
fn pool(node: u8) -> Vec<ContainerFact> {
    let word = |n: u8| format!("{node}{n}");
    let mut all: Vec<_> =
        (0..3).map(|n| container(&word(n), ["a", "b", "docker/x"][usize::from(n)])).collect();
    // tasks are bound to their hosts; one is claimed by both nodes
    all.extend((0..3).map(|n| task_container(&word(7 + n), "a", &format!("a.{node}{n}"))));
    all.push(task_container(&word(5), "b", "b.shared"));
    all
}

fn looks(base: ContainerFact) -> impl Strategy<Value = ContainerFact> {
    (0u8..3, 0u8..3, 0u64..3, any::<bool>()).prop_map(move |(state, health, started, label)| {
        let owner = if label { "x" } else { "y" };
        ContainerFact {
            state: [State::Running, State::Restarting, State::Paused][usize::from(state)],
            health: [Health::Unknown, Health::Healthy, Health::Unhealthy][usize::from(health)],
            started_at: Some(at(100 + started)),
            labels: BTreeMap::from([("qae.owner".to_owned(), owner.to_owned())]),
            ..base.clone()
        }
    })
}

/// A node's facts: some containers live, some ended, the list whole or not.
fn facts_of(
    node: u8,
    complete: impl Strategy<Value = bool>,
) -> impl Strategy<Value = DadvisorFacts> {
    let parts = (subsequence(pool(node), 0..=7), subsequence(pool(node), 0..=3), complete);
    parts
        .prop_flat_map(move |(live, over, complete)| {
            let live: Vec<_> = live.into_iter().map(looks).collect();
            (live, Just(over), Just(complete))
        })
        .prop_map(move |(live, over, complete)| {
            let ends = over.into_iter().map(|c| ended(c, 150, 1)).collect();
            DadvisorFacts { complete, ..facts(node, live, ends) }
        })
}

fn tasks() -> Vec<ListedTask> {
    let mut all: Vec<_> = (0..3).map(|n| listed(&format!("a.1{n}"), "a", "n1")).collect();
    // Marathon calls the second node by its address, or with its domain
    all.extend((0..2).map(|n| listed(&format!("a.2{n}"), "a", "10.0.0.2")));
    all.push(listed("a.22", "a", "n2.example.com"));
    all.push(listed("b.shared", "b", "n2"));
    all.push(ListedTask { host: None, ..listed("b.staged", "b", "") });
    all
}

fn task_looks(base: ListedTask) -> impl Strategy<Value = ListedTask> {
    (0u8..4, any::<bool>()).prop_map(move |(state, healthy)| {
        use InstanceState::{Ended, Running, Staging, Unreachable};
        let health = if healthy { Health::Healthy } else { Health::Unknown };
        let state = [Staging, Running, Unreachable, Ended][usize::from(state)];
        ListedTask { state, health, ..base.clone() }
    })
}

fn apps() -> impl Strategy<Value = Vec<ListedApp>> {
    (subsequence(vec!["a", "b", "c"], 0..=3), 0u32..3, any::<bool>()).prop_map(
        |(ids, wanted, label)| {
            let labels = BTreeMap::from([("l".to_owned(), label.to_string())]);
            let app = |id: &str| ListedApp { labels: labels.clone(), ..listed_app(id, wanted) };
            ids.into_iter().map(app).collect()
        },
    )
}

fn list() -> impl Strategy<Value = (Vec<ListedApp>, Vec<ListedTask>)> {
    let some = subsequence(tasks(), 0..=8)
        .prop_flat_map(|some| some.into_iter().map(task_looks).collect::<Vec<_>>());
    (apps(), some)
}

fn word() -> impl Strategy<Value = Word> {
    let task = prop::sample::select(tasks()).prop_flat_map(task_looks);
    let app = || apps().prop_filter_map("none", |apps| apps.into_iter().next());
    prop_oneof![
        4 => (1u8..4).prop_flat_map(|n| (Just(n), facts_of(n, any::<bool>()))).prop_map(|(n, f)| Word::Node(n, f)),
        2 => list().prop_map(|(a, t)| Word::List(a, t)),
        2 => task.clone().prop_map(Word::Task),
        1 => task.prop_map(Word::TaskGone),
        1 => app().prop_map(Word::App),
        1 => app().prop_map(Word::AppGone),
    ]
}

/// The last whole words of everyone.
fn last() -> impl Strategy<Value = Vec<Word>> {
    (facts_of(1, Just(true)), facts_of(2, Just(true)), facts_of(3, Just(true)), list()).prop_map(
        |(a, b, c, (apps, tasks))| {
            vec![Word::Node(1, a), Word::Node(2, b), Word::Node(3, c), Word::List(apps, tasks)]
        },
    )
}

fn difference<T: PartialEq + std::fmt::Debug, U: PartialEq + std::fmt::Debug>(
    got: &(Vec<T>, Vec<U>),
    wanted: &(Vec<T>, Vec<U>),
) -> String {
    fn only<T: PartialEq + std::fmt::Debug>(a: &[T], b: &[T]) -> Vec<String> {
        a.iter().filter(|x| !b.contains(x)).map(|x| format!("{x:?}")).collect()
    }
    let got_only = [only(&got.0, &wanted.0), only(&got.1, &wanted.1)].concat();
    let wanted_only = [only(&wanted.0, &got.0), only(&wanted.1, &got.1)].concat();
    format!("got\n{}\nwanted\n{}", got_only.join("\n"), wanted_only.join("\n"))
}

/// The same word without the claim of the first node to the second one's task.
fn settled(word: Word) -> Word {
    let Word::Node(1, mut facts) = word else { return word };
    facts.containers.retain(|c| c.task.as_deref() != Some("b.shared"));
    facts.ended.retain(|e| e.container.task.as_deref() != Some("b.shared"));
    Word::Node(1, facts)
}

fn hear(lab: &mut Lab, word: &Word) -> Vec<EventType> {
    let listing = lab.listing();
    let changes = match word.clone() {
        Word::Node(n, facts) => return lab.report(&format!("n{n}"), dc(n), facts),
        Word::List(apps, tasks) => return lab.list(apps, tasks),
        Word::Task(listed) => task(&lab.world, &listing, &listed, &lab.view),
        Word::TaskGone(listed) => task_gone(&lab.world, &listing, &listed.id, &lab.view),
        Word::App(listed) => app(&lab.world, &listing, &listed),
        Word::AppGone(listed) => app_gone(&lab.world, &listing, &listed.id, &lab.view),
    };
    lab.apply(changes)
}

/// The state without what memory alone can know: apps of containers that are gone, and how a container's previous run ended.
fn state(lab: &mut Lab) -> (Vec<AppSpec>, Vec<Instance>) {
    let long: HashSet<_> = idle(&lab.world).into_iter().collect();
    let changes = expired(&lab.world, &lab.view, &long);
    lab.apply(changes);
    let apps = lab.world.apps().map(|a| a.as_ref().clone()).collect();
    let instances = lab.world.instances();
    let plain = |i: &Instance| i.cluster != "m1";
    let instances = instances.map(|i| match plain(i) {
        true => Instance { exit: None, ..i.as_ref().clone() },
        false => i.as_ref().clone(),
    });
    (apps, instances.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_last_whole_words_decide(
        history in prop::collection::vec(word(), 0..12),
        last in last(),
        order in Just(vec![0usize, 1, 2, 3]).prop_shuffle(),
        again in prop::collection::vec(0usize..4, 0..3),
        contested in any::<bool>(),
    ) {
        let mut lab = Lab::new();
        for word in history {
            let word = &if contested { word } else { settled(word) };
            hear(&mut lab, word);
            let repeated = hear(&mut lab, word);
            prop_assert!(repeated.is_empty(), "{word:?} twice: {repeated:?}");
        }
        let last: Vec<Word> = last.into_iter().map(|w| if contested { w } else { settled(w) }).collect();
        for i in order.iter().chain(&again).chain(contested.then_some(&3)) {
            hear(&mut lab, &last[*i]);
        }
        let mut alone = Lab::new();
        for word in &last {
            hear(&mut alone, word);
        }
        let (got, wanted) = (state(&mut lab), state(&mut alone));
        prop_assert!(got == wanted, "{}", difference(&got, &wanted));
    }
}
