use super::*;
use proptest::prelude::*;

const NOW: Moment = Moment::LAST;

fn entry(by: By, n: usize, app: &str, dir: &str, began: u64) -> Entry {
    Entry {
        app: AppId::new(app),
        instance: InstanceId::new(format!("i{n}")),
        by,
        container: format!("c{n}"),
        source: dir.to_owned(),
        dir: dir.into(),
        name: String::new(),
        json: false,
        started_at: Some(Moment::from_unix_ms(began)),
        ended_at: None,
    }
}

fn running(entries: &[Entry]) -> Vec<Running> {
    let one = |e: &Entry| Running {
        container: e.container.clone(),
        complete: true,
        entries: vec![e.clone()],
    };
    entries.iter().map(one).collect()
}

fn shown(ledger: &Ledger) -> Vec<String> {
    let one = |v: &Volume| {
        let ended = if v.ended_at.is_some() { " ended" } else { "" };
        format!("{} {}{ended}", v.instance.id, v.dir.display())
    };
    ledger.volumes().0.iter().map(one).collect()
}

#[test]
fn only_an_engine_that_knows_everything_ends_its_own() {
    let (a, b) = (entry(By::Docker, 1, "x", "/l/a", 1), entry(By::Mesos, 2, "y", "/l/b", 2));
    let mut ledger = Ledger::new(vec![a.clone(), b.clone()]);
    ledger.observe(By::Docker, Vec::new(), false, NOW);
    assert_eq!(shown(&ledger), ["i1 /l/a", "i2 /l/b"]);
    ledger.observe(By::Docker, Vec::new(), true, NOW);
    assert_eq!(shown(&ledger), ["i2 /l/b", "i1 /l/a ended"]);
    ledger.observe(By::Docker, running(&[a]), true, NOW);
    assert_eq!(shown(&ledger), ["i1 /l/a", "i2 /l/b"]);
    assert!(!ledger.forget(&b.key(), Path::new("/l/b")), "it runs");
    ledger.ended("c2", Vec::new(), NOW);
    assert!(ledger.forget(&b.key(), Path::new("/l/b")));
    assert_eq!(shown(&ledger), ["i1 /l/a"]);
}

#[test]
fn a_container_that_has_another_directory_now_has_the_first_no_more() {
    let a = entry(By::Docker, 1, "x", "/l/a", 1);
    let b = Entry { dir: "/l/b".into(), ..a.clone() };
    let mut ledger = Ledger::new(vec![a.clone()]);
    let incomplete = Running { container: "c1".into(), complete: false, entries: Vec::new() };
    ledger.observe(By::Docker, vec![incomplete], true, NOW);
    assert_eq!(shown(&ledger), ["i1 /l/a"]);
    ledger.observe(By::Docker, running(&[b]), true, NOW);
    assert_eq!(shown(&ledger), ["i1 /l/b"]);
}

#[test]
fn who_was_first_has_it() {
    let first = entry(By::Docker, 1, "x", "/l/a", 1);
    let same_app = entry(By::Docker, 2, "x", "/l/a", 2);
    let above = entry(By::Docker, 3, "y", "/l", 3);
    let beneath = entry(By::Docker, 4, "y", "/l/a/b", 4);
    let beside = entry(By::Docker, 5, "y", "/l/ab", 5);
    let all = [above.clone(), beneath, beside, same_app, first];
    let mut ledger = Ledger::default();
    ledger.observe(By::Docker, running(&all), true, NOW);
    assert_eq!(shown(&ledger), ["i1 /l/a", "i2 /l/a", "i5 /l/ab"]);
    let (_, refused) = ledger.volumes();
    assert_eq!(refused.len(), 2);
    assert_eq!(
        refused[0].why.to_string(),
        "it is, holds or lies in /l/a, the log volume of x/i1, which was there first"
    );
    // whoever runs comes before whoever ended, and an ended one's readers do not read on
    ledger.observe(By::Docker, running(&[above]), true, NOW);
    assert_eq!(shown(&ledger), ["i3 /l", "i4 /l/a/b ended", "i5 /l/ab ended"]);
    assert!(ledger.volumes().1.is_empty(), "who has ended wants nothing");
}

#[test]
fn one_instance_in_two_containers_is_shown_once() {
    let one = entry(By::Docker, 1, "x", "/l/a", 1);
    let again = Entry { container: "c9".into(), ..one.clone() };
    let mut ledger = Ledger::default();
    ledger.observe(By::Docker, running(&[one]), true, NOW);
    ledger.observe(By::Docker, running(&[again]), true, NOW);
    assert_eq!(shown(&ledger), ["i1 /l/a"]);
    ledger.observe(By::Docker, Vec::new(), true, NOW);
    assert_eq!(shown(&ledger), ["i1 /l/a ended"]);
    assert!(ledger.forget(
        &InstanceKey { id: InstanceId::new("i1"), app: AppId::new("x") },
        Path::new("/l/a")
    ));
    assert_eq!(ledger, Ledger::default());
}

#[test]
fn what_is_too_much_is_forgotten_oldest_first() {
    let ended = |n: usize| Entry {
        ended_at: Some(Moment::from_unix_ms(1_000_000 - n as u64)),
        ..entry(By::Docker, n, "x", &format!("/l/{n}"), 1)
    };
    let mut ledger = Ledger::new((0..=MOST_ENDED).map(ended).collect());
    assert_eq!(ledger.limit(), 1);
    assert_eq!(ledger.limit(), 0);
    assert!(!ledger.entries().any(|e| e.dir == Path::new(&format!("/l/{MOST_ENDED}"))));
}

/// What becomes of a container.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Runs,
    /// It runs and ends, told of or only missed.
    Ends {
        told: bool,
    },
    /// It came and went between two looks.
    Unseen,
}

#[derive(Debug, Clone)]
struct Life {
    entry: Entry,
    fate: Fate,
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let dirs = ["/v/x/1", "/v/x/1/in", "/v/y/2", "/l", "/l/a", "/l/a/b", "/m"];
    let fate = prop_oneof![
        Just(Fate::Runs),
        any::<bool>().prop_map(|told| Fate::Ends { told }),
        Just(Fate::Unseen)
    ];
    let life = (any::<bool>(), 0..2usize, 0..dirs.len(), 0..3u64, fate);
    prop::collection::vec(life, 0..7).prop_map(move |lives| {
        let life =
            |(n, (mesos, app, dir, began, fate)): (usize, (bool, usize, usize, u64, Fate))| {
                let by = if mesos { By::Mesos } else { By::Docker };
                let app = ["x", "y"][app];
                Life { entry: entry(by, n, app, dirs[dir], began), fate }
            };
        lives.into_iter().enumerate().map(life).collect()
    })
}

/// What both engines and the root say at a moment.
fn observe_all(ledger: &mut Ledger, there: &[Entry], root: bool) {
    for by in [By::Docker, By::Mesos] {
        let those: Vec<_> = there.iter().filter(|e| e.by == by).cloned().collect();
        ledger.observe(by, running(&those), true, NOW);
    }
    if root {
        let key = |app, id| InstanceKey { app: AppId::new(app), id: InstanceId::new(id) };
        let dirs = [(key("x", "1"), "/v/x/1".into()), (key("y", "2"), "/v/y/2".into())];
        ledger.found(&dirs, true, true, NOW);
    }
}

/// Lives them in an order that names each life once for each of its steps.
fn live(lives: &[Life], order: &[usize], looks: &[bool]) -> Ledger {
    let (mut ledger, mut there) = (Ledger::default(), Vec::<Entry>::new());
    let mut begun = HashSet::new();
    for (step, n) in order.iter().enumerate() {
        let Life { entry, fate } = &lives[*n];
        match (fate, begun.insert(n)) {
            (Fate::Unseen, first) => {
                if first {
                    ledger.ended(&entry.container, vec![entry.clone()], NOW);
                }
            }
            (_, true) => {
                there.push(entry.clone());
                observe_all(&mut ledger, &there, looks[step % looks.len()]);
            }
            (Fate::Runs, false) => {}
            (Fate::Ends { told }, false) => {
                if *told {
                    ledger.ended(&entry.container, vec![entry.clone()], NOW);
                }
                there.retain(|e| e.container != entry.container);
                observe_all(&mut ledger, &there, looks[step % looks.len()]);
            }
        }
    }
    observe_all(&mut ledger, &there, true);
    ledger
}

fn orders() -> impl Strategy<Value = (Vec<Life>, Vec<usize>, Vec<usize>)> {
    lives().prop_flat_map(|lives| {
        let steps: Vec<usize> = (0..lives.len()).flat_map(|n| [n, n]).collect();
        (Just(lives), Just(steps.clone()).prop_shuffle(), Just(steps).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn in_whatever_order_it_was_seen(
        (lives, one, other) in orders(),
        looks in prop::collection::vec(any::<bool>(), 1..5),
        seldom in prop::collection::vec(any::<bool>(), 1..5),
    ) {
        let (one, other) = (live(&lives, &one, &looks), live(&lives, &other, &seldom));
        prop_assert_eq!(&one, &other);
        let (volumes, refused) = one.volumes();
        for (n, a) in volumes.iter().enumerate() {
            for b in &volumes[n + 1..] {
                let apart = !a.dir.starts_with(&b.dir) && !b.dir.starts_with(&a.dir);
                prop_assert!(apart || a.instance.app == b.instance.app, "{:?} {:?}", a, b);
            }
        }
        for life in lives.iter().filter(|l| matches!(l.fate, Fate::Runs)) {
            let key = life.entry.key();
            let read = volumes.iter().any(|v| v.instance == key && v.ended_at.is_none());
            prop_assert!(read != refused.iter().any(|r| r.instance == key), "{:?}", key);
        }
    }
}
