//! Random programs of appends, acknowledgements, failures, ends of destinations, drops and time, run on the books and on a plain
//! list of records that remembers what became of each.

use super::*;
use proptest::prelude::*;

const WINDOW: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
enum Action {
    Append(u64),
    Remember(u64),
    Store,
    Roll,
    Send { records: usize, by: usize, acked: bool },
    DropInFlight { records: usize, acked: bool },
    EndInFlight { records: usize, by: usize },
    Ended(usize),
    Pass(u64),
    Cap(u64),
    MemoryCap(u64),
    Settle,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (1_u64..50).prop_map(Action::Append),
        2 => (1_u64..50).prop_map(Action::Remember),
        1 => Just(Action::Store),
        1 => Just(Action::Roll),
        6 => (1_usize..5, 0_usize..3, prop::bool::weighted(0.8))
            .prop_map(|(records, by, acked)| Action::Send { records, by, acked }),
        1 => (1_usize..5, any::<bool>())
            .prop_map(|(records, acked)| Action::DropInFlight { records, acked }),
        1 => (1_usize..5, 0_usize..3).prop_map(|(records, by)| Action::EndInFlight { records, by }),
        1 => (0_usize..3).prop_map(Action::Ended),
        3 => (0_u64..900).prop_map(Action::Pass),
        1 => (0_u64..6_000).prop_map(Action::Pass),
        1 => (0_u64..2000).prop_map(Action::Cap),
        1 => (0_u64..500).prop_map(Action::MemoryCap),
        2 => Just(Action::Settle),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Waiting,
    Acked {
        by: usize,
        at: Duration,
    },
    /// Its segment is no more.
    Gone,
}

#[derive(Debug)]
struct Record {
    segment: u64,
    from: u64,
    to: u64,
    points: u64,
    fate: Fate,
}

struct Model {
    ledger: Ledger,
    records: Vec<Record>,
    next_id: u64,
    now: Duration,
}

impl Model {
    fn append(&mut self, points: u64) {
        let last = self.ledger.segments.back();
        let (id, end) = match last.filter(|s| Some(s.id) == self.ledger.active) {
            Some(segment) => (segment.id, segment.end),
            None => (self.fresh(), 0),
        };
        self.ledger.appended(id, end + points, points, 1);
        self.record(id, end, points);
    }

    fn remember(&mut self, points: u64) {
        let id = self.fresh();
        self.ledger.remembered(id, vec![0; usize::try_from(points).unwrap()], points, 1);
        let last = self.ledger.segments.back().unwrap();
        let (id, from) = (last.id, last.end - points);
        self.record(id, from, points);
    }

    fn fresh(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn record(&mut self, segment: u64, from: u64, points: u64) {
        self.records.push(Record { segment, from, to: from + points, points, fate: Fate::Waiting });
    }

    /// Takes the next chunk; its records must be the oldest that wait.
    fn take(&mut self, most: usize) -> Option<Vec<usize>> {
        let waiting = |r: &Record| r.fate == Fate::Waiting;
        let first = self.records.iter().position(waiting);
        let Some(Waiting { at: position, end, .. }) = self.ledger.waiting() else {
            assert_eq!(first, None, "something waits and is not offered");
            return None;
        };
        let first = first.expect("something is offered that does not wait");
        let oldest = &self.records[first];
        assert_eq!((position.segment, position.offset), (oldest.segment, oldest.from));
        let same = |at: &usize| self.records[*at].segment == position.segment;
        let chosen: Vec<usize> = (first..self.records.len()).filter(same).take(most).collect();
        let to = self.records[*chosen.last().unwrap()].to;
        assert!(to <= end);
        let taken = self.ledger.take(Chunk {
            segment: position.segment,
            from: position.offset,
            to,
            points: chosen.iter().map(|at| self.records[*at].points).sum(),
            timestamp: 1,
            following: None,
        });
        assert!(taken);
        Some(chosen)
    }

    fn gone(&mut self, ids: &[u64]) {
        for record in self.records.iter_mut().filter(|r| ids.contains(&r.segment)) {
            record.fate = Fate::Gone;
        }
    }

    fn vanished(&mut self) {
        let there: Vec<u64> = self.ledger.segments.iter().map(|s| s.id).collect();
        for record in self.records.iter_mut().filter(|r| !there.contains(&r.segment)) {
            record.fate = Fate::Gone;
        }
    }

    fn acked(&mut self, chosen: Vec<usize>, by: usize) {
        self.ledger.acked(self.now, by, 0, 0);
        for at in chosen {
            if self.records[at].fate != Fate::Gone {
                self.records[at].fate = Fate::Acked { by, at: self.now };
            }
        }
    }

    fn ended(&mut self, by: usize) {
        let before = self.ledger.waiting_points();
        let put_back = self.ledger.ended(by);
        assert_eq!(self.ledger.waiting_points(), before + put_back);
        let inside = |fate: Fate| matches!(fate, Fate::Acked { by: b, at } if b == by && self.now - at < WINDOW);
        let must = self.records.iter().position(|r| inside(r.fate));
        // where the books say it goes on; everything from there on waits again
        let next = self.ledger.waiting().map(|w| w.at);
        if let Some(must) = must {
            let record = &self.records[must];
            let place = Position { segment: record.segment, offset: record.from };
            assert!(next.is_some_and(|n| n <= place), "{next:?} leaves out {place:?}");
        }
        for record in &mut self.records {
            let place = Position { segment: record.segment, offset: record.from };
            if record.fate != Fate::Gone && next.is_some_and(|n| place >= n) {
                record.fate = Fate::Waiting;
            }
        }
    }

    fn settle(&mut self) {
        if let Some(settled) = self.ledger.settled() {
            for record in &self.records {
                let place = Position { segment: record.segment, offset: record.from };
                let needed = match record.fate {
                    Fate::Waiting => true,
                    Fate::Acked { at, .. } => self.now - at < WINDOW,
                    Fate::Gone => false,
                };
                assert!(!needed || place >= settled, "{place:?} is needed, {settled:?} is settled");
            }
        }
        let ids = self.ledger.take_settled();
        for record in self.records.iter().filter(|r| ids.contains(&r.segment)) {
            match record.fate {
                Fate::Acked { at, .. } => assert!(self.now - at >= WINDOW),
                fate => panic!("a segment with a {fate:?} record was let go"),
            }
        }
        self.gone(&ids);
    }

    fn run(&mut self, action: Action) {
        match action {
            Action::Append(points) => self.append(points),
            Action::Remember(points) => self.remember(points),
            Action::Store => {
                if let Some((id, _)) = self.ledger.in_memory() {
                    assert!(self.ledger.stored(id));
                }
            }
            Action::Roll => self.ledger.close_active(),
            Action::Send { records, by, acked } => {
                if let Some(chosen) = self.take(records) {
                    if acked { self.acked(chosen, by) } else { self.ledger.failed() }
                }
            }
            Action::DropInFlight { records, acked } => {
                if let Some(chosen) = self.take(records) {
                    self.ledger.make_room(0, 0);
                    self.vanished();
                    if acked { self.acked(chosen, 0) } else { self.ledger.failed() }
                }
            }
            Action::EndInFlight { records, by } => {
                if self.take(records).is_some() {
                    self.ended(by);
                    // too late: what it would acknowledge waits behind what is sent again
                    self.ledger.acked(self.now, by, 0, 0);
                }
            }
            Action::Ended(by) => self.ended(by),
            Action::Pass(ms) => self.now += Duration::from_millis(ms),
            Action::Cap(cap) => {
                let dropped = self.ledger.make_room(10, cap);
                self.gone(&dropped);
                let active = self.ledger.active.is_some();
                assert!(
                    self.ledger.disk_bytes() + 10 <= cap || active || self.ledger.disk_bytes() == 0
                );
            }
            Action::MemoryCap(cap) => {
                self.ledger.make_memory_room(10, cap);
                self.vanished();
                assert!(self.ledger.memory_bytes() + 10 <= cap || self.ledger.memory_bytes() == 0);
            }
            Action::Settle => self.settle(),
        }
    }

    fn balances(&self) {
        let waiting: u64 =
            self.records.iter().filter(|r| r.fate == Fate::Waiting).map(|r| r.points).sum();
        assert_eq!(self.ledger.waiting_points(), waiting);
        let c = self.ledger.counts;
        assert_eq!(
            c.submitted + c.replayed,
            c.acknowledged + waiting + c.dropped_at_cap + c.dropped_memory + c.damaged,
            "{c:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_is_lost_but_at_a_cap_and_a_replay_leaves_nothing_out(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let ledger = Ledger::new(WINDOW);
        let mut model = Model { ledger, records: Vec::new(), next_id: 0, now: Duration::ZERO };
        for action in actions {
            model.run(action);
            model.balances();
        }
    }
}

#[test]
fn the_window_stays_small_while_draining() {
    let mut ledger = Ledger::new(Duration::from_secs(30));
    ledger.appended(1, 1_000_000, 1_000_000, 1);
    for i in 0..10_000 {
        let (from, to) = (i * 10, i * 10 + 10);
        assert!(ledger.take(Chunk {
            segment: 1,
            from,
            to,
            points: 10,
            timestamp: 1,
            following: None
        }));
        ledger.acked(Duration::from_millis(i * 10), 0, 0, 0);
    }
    assert!(ledger.window.len() <= 32, "{}", ledger.window.len());
    // 30 s of acknowledgements, rounded up to whole entries
    let put_back = ledger.ended(0);
    assert!((30_000..=31_100).contains(&put_back), "{put_back}");
}

#[test]
fn damaged_places_are_passed_and_their_points_counted() {
    let mut ledger = Ledger::new(WINDOW);
    ledger.appended(1, 100, 10, 7);
    let start = Position { segment: 1, offset: 0 };
    ledger.skip(start, 40);
    assert_eq!(ledger.counts.damaged, 0, "not known before the end of the segment");
    assert!(ledger.take(Chunk {
        segment: 1,
        from: 40,
        to: 100,
        points: 6,
        timestamp: 7,
        following: None
    }));
    ledger.acked(Duration::ZERO, 0, 1, 1);
    let counts = ledger.counts;
    assert_eq!((counts.damaged, counts.damaged_records, counts.acknowledged), (5, 2, 5));
    assert_eq!(ledger.waiting_points(), 0);
    assert!(!ledger.unreadable(start));
    assert!(!ledger.unreadable(start));
    assert!(ledger.unreadable(start));
}

#[test]
fn entries_that_share_a_place_in_the_window_stay_for_the_last_of_them() {
    let mut ledger = Ledger::new(WINDOW);
    ledger.appended(1, 30, 30, 1);
    for (from, millis) in [(0, 0), (10, 900), (20, 5_500)] {
        let to = from + 10;
        assert!(ledger.take(Chunk {
            segment: 1,
            from,
            to,
            points: 10,
            timestamp: 1,
            following: None
        }));
        ledger.acked(Duration::from_millis(millis), 0, 0, 0);
    }
    assert_eq!(ledger.ended(0), 30);
}
