//! Which of the latest events are for a scope. Pure, but for the waking.

use crate::centre::Told;
use crate::scope::Scope;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::watch;

/// Numbers that a feed holds; a reader further behind reads everything and picks for itself.
const MOST: usize = 256;

/// What readers with one scope share.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) scope: Scope,
    numbers: Mutex<Numbers>,
    wake: watch::Sender<u64>,
}

#[derive(Debug)]
struct Numbers {
    /// Every event in scope after this one is in `next`, up to `seen`.
    after: u64,
    seen: u64,
    next: VecDeque<u64>,
}

/// Where a reader is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This event is the next one in scope.
    Event(u64),
    /// None in scope up to here.
    Nothing(u64),
    /// Too far behind for the feed.
    Behind,
}

impl Feed {
    /// What is next for a reader that has had everything up to `place`.
    pub(super) fn next(&self, place: u64) -> Next {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if place < numbers.after {
            return Next::Behind;
        }
        let index = numbers.next.partition_point(|seq| *seq <= place);
        match numbers.next.get(index) {
            Some(seq) => Next::Event(*seq),
            None => Next::Nothing(numbers.seen.max(place)),
        }
    }

    /// Wakes with each event in scope.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    fn enter(&self, told: &[Arc<Told>]) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = numbers.next.back().copied();
        for told in told {
            if self.scope.about(&told.about) {
                numbers.next.push_back(told.seq);
            }
            numbers.seen = told.seq;
        }
        while numbers.next.len() > MOST {
            numbers.after = numbers.next.pop_front().unwrap_or(numbers.seen);
        }
        let last = numbers.next.back().copied();
        drop(numbers);
        if let Some(last) = last.filter(|_| last != before) {
            self.wake.send_replace(last);
        }
    }

    fn skip_to(&self, seen: u64) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        *numbers = Numbers { after: seen, seen, next: VecDeque::new() };
        drop(numbers);
        self.wake.send_replace(seen);
    }
}

/// All feeds that somebody reads.
pub(super) struct Feeds {
    seen: u64,
    feeds: HashMap<String, Weak<Feed>>,
}

impl Feeds {
    pub(super) fn new(seen: u64) -> Self {
        Self { seen, feeds: HashMap::new() }
    }

    /// The last event that was entered.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.feeds.len()
    }

    /// The feed of a scope, and how many there are.
    pub(super) fn of(&mut self, scope: Scope) -> (Arc<Feed>, usize) {
        if let Some(feed) = self.feeds.get(scope.name()).and_then(Weak::upgrade) {
            return (feed, self.feeds.len());
        }
        // a good moment to forget those whose last reader has gone
        if self.feeds.len() >= 64 && self.feeds.len().is_power_of_two() {
            self.feeds.retain(|_, feed| feed.strong_count() > 0);
        }
        let name = scope.name().to_owned();
        let numbers = Numbers { after: self.seen, seen: self.seen, next: VecDeque::new() };
        let wake = watch::Sender::new(self.seen);
        let feed = Arc::new(Feed { scope, numbers: Mutex::new(numbers), wake });
        self.feeds.insert(name, Arc::downgrade(&feed));
        (feed, self.feeds.len())
    }

    /// Enters the next events.
    pub(super) fn enter(&mut self, told: &[Arc<Told>]) {
        self.feeds.retain(|_, feed| match feed.upgrade() {
            Some(feed) => {
                feed.enter(told);
                true
            }
            None => false,
        });
        self.seen = told.last().map_or(self.seen, |told| told.seq);
    }

    /// Goes on after `seen`, without knowing what was before.
    pub(super) fn skip_to(&mut self, seen: u64) {
        self.feeds.values().filter_map(Weak::upgrade).for_each(|feed| feed.skip_to(seen));
        self.seen = seen;
    }
}
