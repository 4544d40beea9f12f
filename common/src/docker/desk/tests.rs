use super::*;
use crate::container::{Rules, from_inspect};
use proptest::prelude::*;
use serde_json::json;

fn id(n: usize) -> String {
    format!("{n:064x}")
}

/// An inspect answer: run 0 is none, any other has its own pid and start.
fn answer(n: usize, run: u32, paused: bool, runs: bool) -> Inspected {
    let json = json!({
        "Id": id(n), "Name": format!("/c{n}"),
        "State": {"Running": runs, "Paused": paused, "Pid": run, "ExitCode": 7,
            "StartedAt": format!("2020-01-01T{:02}:{:02}:00Z", run / 60 % 24, run % 60)},
    });
    from_inspect(json.to_string().as_bytes(), &Rules::default()).unwrap()
}

fn seen(n: usize, run: u32) -> Seen {
    Seen::Answer(Box::new(answer(n, run, false, true)))
}

fn listed(n: usize, print: u64) -> Listed {
    Listed {
        id: id(n),
        executor: false,
        runs: true,
        paused: None,
        health: None,
        print,
        up_at_most: None,
    }
}

fn hear(desk: &mut Desk, n: usize, happening: Happening) {
    desk.heard(&Heard { id: id(n), happening });
}

fn look_all(desk: &mut Desk, stats: &Stats, run: u32) {
    while let Some(next) = desk.next_look(8) {
        let n = usize::from_str_radix(&next, 16).unwrap();
        desk.looked(&next, seen(n, run), stats);
    }
}

fn names(desk: &mut Desk) -> Vec<String> {
    let told = desk.take_news().into_iter().map(|event| match event {
        Event::Started { id } => format!("started {}", id.trim_start_matches('0')),
        Event::Updated { id } => format!("updated {}", id.trim_start_matches('0')),
        Event::Oom { container } => format!("oom {}", container.name),
        Event::Died { container, exit_code, oom_killed, .. } => {
            format!("died {} {exit_code:?} {oom_killed}", container.name)
        }
    });
    told.collect()
}

#[test]
fn the_first_list_is_no_news_and_an_unchanged_one_asks_nothing() {
    let (mut desk, stats) = (Desk::new(None), Stats::default());
    desk.list_began();
    desk.listed(&[listed(1, 10), listed(2, 20)], true, 0);
    look_all(&mut desk, &stats, 1);
    assert_eq!(desk.containers().len(), 2);
    assert!(names(&mut desk).is_empty());
    desk.list_began();
    desk.listed(&[listed(1, 10), listed(2, 20)], false, 0);
    assert_eq!(desk.next_look(8), None);
    desk.list_began();
    desk.listed(&[listed(1, 11), listed(3, 30)], false, 0);
    assert_eq!(names(&mut desk), ["died c2 None false"]);
    look_all(&mut desk, &stats, 1);
    assert_eq!(names(&mut desk), ["started 3"]);
}

#[test]
fn the_inventory_is_whole_once_all_of_a_list_was_seen() {
    for past in [None, Some(vec![answer(1, 1, false, true).container])] {
        let (mut desk, stats) = (Desk::new(past), Stats::default());
        hear(&mut desk, 9, Happening::Started);
        look_all(&mut desk, &stats, 1);
        assert!(!desk.whole(), "no list yet");
        desk.list_began();
        desk.listed(&[listed(1, 10), listed(2, 20), listed(3, 30), listed(9, 90)], true, 0);
        while let Some(next) = desk.next_look(8) {
            let answer = match usize::from_str_radix(&next, 16).unwrap() {
                2 => Seen::Failed,
                3 => Seen::Gone,
                n => seen(n, 1),
            };
            desk.looked(&next, answer, &stats);
        }
        assert!(!desk.whole(), "one cannot be read");
        desk.list_began();
        desk.listed(&[listed(1, 10), listed(2, 20), listed(9, 90)], false, 0);
        assert!(!desk.whole() && std::mem::take(&mut desk.changed));
        look_all(&mut desk, &stats, 1);
        assert!(desk.whole() && desk.take_changed());
        desk.disconnected();
        assert!(desk.whole(), "who was there is not forgotten");
    }
    let mut empty = Desk::new(None);
    empty.take_changed();
    empty.list_began();
    empty.listed(&[], true, 0);
    assert!(empty.whole() && empty.take_changed(), "that nothing runs is said");
}

#[test]
fn one_look_per_start_is_enough_unless_an_event_was_missed() {
    let (mut desk, stats) = (Desk::new(Some(vec![])), Stats::default());
    for n in [1, 2] {
        hear(&mut desk, n, Happening::Started);
    }
    look_all(&mut desk, &stats, 1);
    let list = |desk: &mut Desk, prints: [u64; 2]| {
        desk.list_began();
        desk.listed(&[listed(1, prints[0]), listed(2, prints[1])], false, 0);
        std::iter::from_fn(|| desk.next_look(8)).count()
    };
    assert_eq!(list(&mut desk, [10, 20]), 0, "what the list shows is what was seen");
    assert_eq!(list(&mut desk, [10, 20]), 0);
    assert_eq!(list(&mut desk, [10, 21]), 1, "from then on a difference counts");
    look_all(&mut desk, &stats, 1);
    desk.looked(&id(2), seen(2, 1), &stats);
    hear(&mut desk, 1, Happening::Changed);
    look_all(&mut desk, &stats, 1);
    desk.missed();
    assert_eq!(list(&mut desk, [11, 21]), 1, "nobody knows whom the missed event was about");
    look_all(&mut desk, &stats, 1);
    hear(&mut desk, 2, Happening::Changed);
    let flying = desk.next_look(8).unwrap();
    desk.missed();
    desk.looked(&flying, seen(2, 1), &stats);
    assert_eq!(list(&mut desk, [11, 22]), 1, "the look may be older than the event");
}

#[test]
fn the_past_makes_the_first_list_news() {
    let past = vec![answer(1, 1, false, true).container, answer(2, 1, false, true).container];
    let (mut desk, stats) = (Desk::new(Some(past)), Stats::default());
    assert_eq!(desk.containers().len(), 2);
    desk.list_began();
    desk.listed(&[listed(1, 10), listed(3, 30)], true, 0);
    look_all(&mut desk, &stats, 1);
    assert_eq!(names(&mut desk), ["died c2 None false", "started 3"]);
}

#[test]
fn changed_limits_are_told_without_a_look() {
    let (mut desk, stats) = (Desk::new(Some(vec![])), Stats::default());
    hear(&mut desk, 1, Happening::Limits);
    assert!(names(&mut desk).is_empty(), "nobody knows it yet");
    hear(&mut desk, 1, Happening::Started);
    look_all(&mut desk, &stats, 1);
    hear(&mut desk, 1, Happening::Limits);
    assert_eq!(names(&mut desk), ["started 1", "updated 1"]);
    assert!(desk.next_look(8).is_none());
}

#[test]
fn a_death_is_not_undone_by_an_older_look() {
    let (mut desk, stats) = (Desk::new(Some(vec![])), Stats::default());
    hear(&mut desk, 1, Happening::Started);
    look_all(&mut desk, &stats, 1);
    hear(&mut desk, 1, Happening::Changed);
    let flying = desk.next_look(8).unwrap();
    hear(&mut desk, 1, Happening::Oom);
    hear(&mut desk, 1, Happening::Died(Some(137)));
    desk.looked(&flying, seen(1, 1), &stats);
    assert!(desk.containers().is_empty());
    assert_eq!(names(&mut desk), ["started 1", "oom c1", "died c1 Some(137) true"]);
    hear(&mut desk, 1, Happening::Oom);
    assert_eq!(names(&mut desk), ["oom c1"]);
}

#[test]
fn one_that_dies_before_it_is_seen_has_a_name_or_is_counted() {
    let (mut desk, stats) = (Desk::new(Some(vec![])), Stats::default());
    hear(&mut desk, 1, Happening::Started);
    let flying = desk.next_look(8).unwrap();
    hear(&mut desk, 1, Happening::Oom);
    hear(&mut desk, 1, Happening::Died(Some(1)));
    desk.looked(&flying, Seen::Answer(Box::new(answer(1, 0, false, false))), &stats);
    assert_eq!(names(&mut desk), ["oom c1", "died c1 Some(1) true"]);
    hear(&mut desk, 2, Happening::Started);
    hear(&mut desk, 2, Happening::Died(Some(1)));
    let flying = desk.next_look(8).unwrap();
    desk.looked(&flying, Seen::Gone, &stats);
    assert!(names(&mut desk).is_empty());
    assert_eq!(stats.died_unseen.load(Relaxed), 1);
    // the look is faster than the death's event
    hear(&mut desk, 3, Happening::Started);
    let flying = desk.next_look(8).unwrap();
    desk.looked(&flying, Seen::Answer(Box::new(answer(3, 0, false, false))), &stats);
    hear(&mut desk, 3, Happening::Died(Some(7)));
    assert_eq!(names(&mut desk), ["died c3 Some(7) false"]);
    assert!(!desk.busy());
}

#[test]
fn restarts_are_two_events_even_when_none_was_heard() {
    let (mut desk, stats) = (Desk::new(Some(vec![])), Stats::default());
    hear(&mut desk, 1, Happening::Started);
    look_all(&mut desk, &stats, 1);
    hear(&mut desk, 1, Happening::Changed);
    look_all(&mut desk, &stats, 2);
    assert_eq!(names(&mut desk), ["started 1", "died c1 None false", "started 1"]);
    // by the engine's words: known to be up since 2020, it says seconds
    desk.list_began();
    desk.listed(&[listed(1, 10)], true, 0);
    look_all(&mut desk, &stats, 2);
    let started = desk.containers()[&id(1)].started_at_ms.unwrap();
    let young = Listed { up_at_most: Some(3), ..listed(1, 10) };
    for (after, asks) in [(7_000, false), (20_000, true)] {
        desk.list_began();
        desk.listed(std::slice::from_ref(&young), false, started + after);
        assert_eq!(desk.busy(), asks);
    }
}

#[test]
fn looks_are_few_at_a_time_and_failures_change_nothing() {
    let (mut desk, stats) = (Desk::new(None), Stats::default());
    desk.list_began();
    let all: Vec<Listed> = (1..=20).map(|n| listed(n, 1)).collect();
    desk.listed(&all, true, 0);
    let flying: Vec<String> = std::iter::from_fn(|| desk.next_look(8)).collect();
    assert_eq!(flying.len(), 8);
    desk.looked(&flying[0], Seen::Failed, &stats);
    assert!(desk.next_look(8).is_some() && desk.next_look(8).is_none());
    desk.disconnected();
    assert!(!desk.busy());
    // late answers of the old connection find nobody
    desk.looked(&flying[1], seen(2, 1), &stats);
    assert!(desk.containers().is_empty());
}

/// An engine with four containers, its event stream, and the looks and list that are under way.
#[derive(Default)]
struct Model {
    run: [u32; 4],
    paused: [bool; 4],
    runs: u32,
    stream: VecDeque<Heard>,
    lost: bool,
    looks: Vec<(String, Option<Seen>)>,
    list: Option<Option<Vec<Listed>>>,
}

impl Model {
    fn tell(&mut self, n: usize, happening: Happening) {
        self.stream.push_back(Heard { id: id(n), happening });
    }

    fn start(&mut self, n: usize) {
        if self.run[n] == 0 {
            self.runs += 1;
            (self.run[n], self.paused[n]) = (self.runs, false);
            self.tell(n, Happening::Started);
        }
    }

    fn kill(&mut self, n: usize) {
        if self.run[n] != 0 {
            self.run[n] = 0;
            self.tell(n, Happening::Died(Some(9)));
        }
    }

    fn pause(&mut self, n: usize) {
        if self.run[n] != 0 {
            self.paused[n] ^= true;
            self.tell(n, Happening::Changed);
        }
    }

    fn picture(&self) -> Vec<Listed> {
        // the engine's words always show that a run is another one
        let entry = |n: usize| Listed {
            up_at_most: Some(1),
            paused: Some(self.paused[n]),
            print: u64::from(self.run[n]) * 2 + u64::from(self.paused[n]),
            ..listed(n, 0)
        };
        (0..4).filter(|n| self.run[*n] != 0).map(entry).collect()
    }

    fn truth(&self, of: &str) -> Seen {
        let n = usize::from_str_radix(of, 16).unwrap();
        Seen::Answer(Box::new(answer(n, self.run[n], self.paused[n], self.run[n] != 0)))
    }

    /// One step of the world or of the conversation.
    fn step(&mut self, op: (u8, usize), desk: &mut Desk, stats: &Stats) {
        let (op, n) = op;
        match op {
            0 => self.start(n),
            1 => self.kill(n),
            2 => self.pause(n),
            3 => {
                if let Some(heard) = self.stream.pop_front() {
                    desk.heard(&heard);
                }
            }
            4 => self.looks.extend(desk.next_look(2).map(|id| (id, None))),
            5 => {
                if let Some(i) = self.looks.iter().position(|(_, seen)| seen.is_none()) {
                    self.looks[i].1 = Some(self.truth(&self.looks[i].0));
                }
            }
            6 if !self.looks.is_empty() => {
                let (id, seen) = self.looks.remove(n % self.looks.len());
                let seen = seen.unwrap_or_else(|| self.truth(&id));
                desk.looked(&id, seen, stats);
            }
            7 if self.list.is_none() => {
                desk.list_began();
                self.list = Some(None);
            }
            8 if self.list == Some(None) => self.list = Some(Some(self.picture())),
            9 => {
                if let Some(picture) = self.list.take() {
                    let picture = picture.unwrap_or_else(|| self.picture());
                    desk.listed(&picture, false, 0);
                }
            }
            10 if !self.stream.is_empty() => {
                self.stream.pop_front();
                self.lost = true;
                desk.missed();
            }
            11 if n == 0 => {
                desk.disconnected();
                (self.list, self.lost) = (None, true);
                self.looks.clear();
                self.stream.clear();
            }
            _ => {}
        }
    }

    /// Lets everything under way come to its end, then lists until nothing is wanted.
    fn settle(&mut self, desk: &mut Desk, stats: &Stats) {
        while !self.stream.is_empty() || self.list.is_some() || desk.busy() {
            for op in [3, 4, 6, 9] {
                self.step((op, 0), desk, stats);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever the order in which events, looks and lists come, in the end the inventory is the truth, and the news add up to it.
    #[test]
    fn the_inventory_ends_as_the_truth(ops in proptest::collection::vec((0u8..12, 0usize..4), 0..120)) {
        let (mut desk, stats, mut model) = (Desk::new(Some(vec![])), Stats::default(), Model::default());
        let mut alive: HashSet<String> = HashSet::new();
        let mut told = |desk: &mut Desk| {
            for event in desk.take_news() {
                match event {
                    Event::Started { id } => prop_assert!(alive.insert(id)),
                    // one that was never in the inventory may die too
                    Event::Died { container, .. } => drop(alive.remove(&container.id)),
                    Event::Updated { id } => prop_assert!(alive.contains(&id)),
                    Event::Oom { .. } => {}
                }
            }
            let known: HashSet<String> = desk.containers().into_keys().collect();
            prop_assert_eq!(&known, &alive);
            Ok(())
        };
        for op in ops {
            model.step(op, &mut desk, &stats);
            told(&mut desk)?;
        }
        model.settle(&mut desk, &stats);
        if model.lost {
            model.step((7, 0), &mut desk, &stats);
            model.settle(&mut desk, &stats);
        }
        told(&mut desk)?;
        let known: BTreeMap<String, (Option<u32>, State)> =
            desk.containers().into_iter().map(|(id, c)| (id, (c.pid, c.state))).collect();
        let truth: BTreeMap<String, (Option<u32>, State)> = (0..4)
            .filter(|n| model.run[*n] != 0)
            .map(|n| (id(n), (Some(model.run[n]), if model.paused[n] { State::Paused } else { State::Running })))
            .collect();
        prop_assert_eq!(known, truth);
    }
}
