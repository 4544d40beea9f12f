//! What is known of the engine's containers, and which to look at next. Pure: events, lists and looks go in, news and wishes come out.
//!
//! - An event or a list only says *look again*; the truth is what an inspect ("look") says. One look per container is under way at a time, and
//!   what happens meanwhile makes another one (`again`).
//! - A death is believed at once, so a look that was under way when it came cannot bring the dead back: it only gives the death its name.
//! - A list is a picture of the past: containers that events told of since it was asked for (`touched`) are not judged by it.
//! - Nothing here forgets a container because the engine is silent.

mod record;

pub(super) use record::Seen;

use super::wire::{Happening, Heard, Listed};
use super::{Event, Stats};
use crate::container::{Container, Inspected, State};
use record::{Death, Known, Look, Print};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Most containers kept. What comes beyond is counted and left alone.
const MAX_KNOWN: usize = 10_000;
/// How many of the lately dead are remembered, for OOM events that come after the death.
const MAX_DEAD: usize = 64;

/// The state.
#[derive(Debug)]
pub(super) struct Desk {
    known: BTreeMap<String, Known>,
    looks: HashMap<String, Look>,
    queue: VecDeque<String>,
    /// What each container's list entry looks like while the container is as it was when it was last looked at.
    prints: HashMap<String, Print>,
    /// Told of by events since the list was asked for; none while no list is under way.
    touched: Option<HashSet<String>>,
    dead: VecDeque<Arc<Container>>,
    /// Found by the first list ever: they did not start now, so no news of them.
    silent: HashSet<String>,
    first: bool,
    /// Of the last list, those nobody could look at yet; none before the first.
    unseen: Option<HashSet<String>>,
    /// There was a list all of whose containers have been looked at.
    whole: bool,
    news: Vec<Event>,
    changed: bool,
}

impl Desk {
    /// Begins with the containers of the last good copy. Without one, what the first list finds is no news.
    pub(super) fn new(past: Option<Vec<Container>>) -> Self {
        let first = past.is_none();
        let known = past
            .into_iter()
            .flatten()
            .take(MAX_KNOWN)
            .map(|c| (c.id.clone(), Known { container: Arc::new(c), oom: false }));
        Self {
            known: known.collect(),
            looks: HashMap::new(),
            queue: VecDeque::new(),
            prints: HashMap::new(),
            touched: None,
            dead: VecDeque::new(),
            silent: HashSet::new(),
            first,
            unseen: None,
            whole: false,
            news: Vec::new(),
            changed: true,
        }
    }

    /// Every container known to run.
    pub(super) fn containers(&self) -> BTreeMap<String, Arc<Container>> {
        self.known.iter().map(|(id, k)| (id.clone(), Arc::clone(&k.container))).collect()
    }

    /// Whether every container that runs is known: so it is once all of one list have been looked at.
    pub(super) fn whole(&self) -> bool {
        self.whole
    }

    /// News since the last call.
    pub(super) fn take_news(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.news)
    }

    /// Whether [`Desk::containers`] differs from what it was at the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether there is anything to publish.
    pub(super) fn has_news(&self) -> bool {
        self.changed || !self.news.is_empty()
    }

    /// The next container to look at, while fewer than so many looks are under way.
    pub(super) fn next_look(&mut self, most: usize) -> Option<String> {
        // every look is either in the queue or flying
        if self.looks.len() - self.queue.len() >= most {
            return None;
        }
        let id = self.queue.pop_front()?;
        if let Some(look) = self.looks.get_mut(&id) {
            look.flying = true;
        }
        Some(id)
    }

    /// True while a look is wanted or under way.
    pub(super) fn busy(&self) -> bool {
        !self.looks.is_empty()
    }

    /// The connection is gone, and with it every look and list under way.
    pub(super) fn disconnected(&mut self) {
        self.looks.clear();
        self.queue.clear();
        self.prints.clear();
        self.touched = None;
    }

    /// Something happened to an unknown container: what was seen since the last list may be old, and only a look can tell.
    pub(super) fn missed(&mut self) {
        self.prints.retain(|_, print| *print != Print::Next);
        self.looks.values_mut().for_each(|look| look.missed = true);
    }

    /// A list is asked for now.
    pub(super) fn list_began(&mut self) {
        self.touched = Some(HashSet::new());
    }

    /// The list failed.
    pub(super) fn list_failed(&mut self) {
        self.touched = None;
    }

    /// The list that was asked for. `all` looks at every entry: after a reconnect nobody knows what was missed.
    pub(super) fn listed(&mut self, entries: &[Listed], all: bool, now_ms: u64) {
        let touched = self.touched.take().unwrap_or_default();
        let mut there = HashSet::new();
        for entry in entries.iter().filter(|e| e.runs && !e.executor) {
            there.insert(entry.id.as_str());
            if touched.contains(&entry.id) {
                continue;
            }
            let known = self.known.get(&entry.id);
            let same = match self.prints.get_mut(&entry.id) {
                Some(print) if *print == Print::Next && !self.looks.contains_key(&entry.id) => {
                    *print = Print::Is(entry.print);
                    true
                }
                print => print.copied() == Some(Print::Is(entry.print)),
            };
            if known
                .is_some_and(|k| same && !all && !k.differs(entry) && !k.restarted(entry, now_ms))
            {
                continue;
            }
            if known.is_none() && self.first {
                self.silent.insert(entry.id.clone());
            }
            self.prints.insert(entry.id.clone(), Print::Is(entry.print));
            self.want(&entry.id);
        }
        self.first = false;
        let absent = |id: &&String| !there.contains(id.as_str()) && !touched.contains(*id);
        let gone: Vec<String> = self.known.keys().filter(absent).cloned().collect();
        for id in gone {
            self.ended(&id, None, false);
        }
        self.prints.retain(|id, _| there.contains(id.as_str()));
        let unknown = |id: &&&str| !self.known.contains_key(**id) && !touched.contains(**id);
        self.unseen = Some(there.iter().filter(unknown).map(|id| (*id).to_owned()).collect());
        self.settle();
    }

    /// Whether nothing of the list is left to be looked at.
    fn settle(&mut self) {
        if !self.whole && self.unseen.as_ref().is_some_and(HashSet::is_empty) {
            self.whole = true;
            self.changed = true;
        }
    }

    /// An event.
    pub(super) fn heard(&mut self, heard: &Heard) {
        let id = heard.id.as_str();
        if let Some(touched) = &mut self.touched {
            touched.insert(heard.id.clone());
        }
        // whatever has happened, the next list compares afresh
        self.prints.remove(id);
        match heard.happening {
            Happening::Started => {
                self.silent.remove(id);
                self.want(id);
                if let Some(look) = self.looks.get_mut(id) {
                    look.started = true;
                }
            }
            Happening::Changed => {
                if self.known.contains_key(id) || self.looks.contains_key(id) {
                    self.want(id);
                }
            }
            Happening::Limits => {
                if self.known.contains_key(id) {
                    self.news.push(Event::Updated { id: id.to_owned() });
                }
            }
            Happening::Died(code) => {
                let told = self.ended(id, code, false);
                if let Some(look) = self.looks.get_mut(id) {
                    let death = if told { Death::Told } else { Death::Unnamed(code) };
                    (look.died, look.again) = (Some(look.died.unwrap_or(death)), false);
                }
            }
            Happening::Oom => self.oom(id),
            Happening::Destroyed => {
                self.ended(id, None, false);
            }
        }
    }

    /// The end of a look.
    pub(super) fn looked(&mut self, id: &str, seen: Seen, stats: &Stats) {
        // after a disconnect nobody waits for it
        let Some(look) = self.looks.remove(id) else { return };
        let silent = self.silent.remove(id);
        // one that cannot be read may run for all we know: the next list asks again
        if let (false, Some(unseen)) = (matches!(seen, Seen::Failed), &mut self.unseen) {
            unseen.remove(id);
        }
        match (look.died, seen) {
            (Some(Death::Told), _) => {}
            (Some(Death::Unnamed(code)), Seen::Answer(answer)) => {
                self.named_death(*answer, code, look.oom);
            }
            (Some(Death::Unnamed(_)), _) => {
                stats.died_unseen.fetch_add(1, Relaxed);
            }
            (None, Seen::Answer(answer)) => self.answered(id, *answer, &look, silent, stats),
            (None, Seen::Gone) => {
                self.ended(id, None, false);
            }
            (None, Seen::Failed) => {
                self.prints.remove(id);
            }
        }
        if look.again {
            self.want(id);
        }
        self.settle();
    }

    fn want(&mut self, id: &str) {
        if let Some(look) = self.looks.get_mut(id) {
            // one that waits will see the latest anyway, unless it has a death to name
            look.again |= look.flying || look.died.is_some();
            return;
        }
        self.looks.insert(id.to_owned(), Look::default());
        self.queue.push_back(id.to_owned());
    }

    fn answered(&mut self, id: &str, seen: Inspected, look: &Look, silent: bool, stats: &Stats) {
        if !matches!(seen.container.state, State::Running | State::Paused) {
            let code = Some(seen.exit_code);
            // one that started and ended between two of our steps: its death event will find nothing left to tell
            if !self.ended(id, code, seen.oom_killed) && look.started {
                self.named_death(seen, code, look.oom);
            }
            return;
        }
        let container = seen.container;
        if !look.missed {
            self.prints.entry(id.to_owned()).or_insert(Print::Next);
        }
        match self.known.get(id) {
            Some(known) if *known.container == container => return,
            Some(known) if known.same_run(&container) => {
                self.news.push(Event::Updated { id: id.to_owned() });
            }
            Some(_) => {
                self.ended(id, None, false);
                self.news.push(Event::Started { id: id.to_owned() });
            }
            None if self.known.len() >= MAX_KNOWN => {
                stats.left_out.fetch_add(1, Relaxed);
                return;
            }
            None if silent => {}
            None => self.news.push(Event::Started { id: id.to_owned() }),
        }
        let container = Arc::new(container);
        if look.oom {
            self.news.push(Event::Oom { container: Arc::clone(&container) });
        }
        let oom = look.oom || self.known.get(id).is_some_and(|k| k.oom);
        self.known.insert(id.to_owned(), Known { container, oom });
        self.changed = true;
    }

    /// A container that died before it was ever seen: it was never in the inventory, but its end has a name.
    fn named_death(&mut self, answer: Inspected, code: Option<i64>, oom: bool) {
        let container = Arc::new(answer.container);
        let oom_killed = oom || answer.oom_killed;
        if oom {
            self.news.push(Event::Oom { container: Arc::clone(&container) });
        }
        self.bury(Arc::clone(&container));
        self.news.push(Event::Died { container, exit_code: code, oom_killed, unseen: true });
    }

    /// A container is no more. True if it was known.
    fn ended(&mut self, id: &str, exit_code: Option<i64>, oom_killed: bool) -> bool {
        let Some(known) = self.known.remove(id) else { return false };
        self.changed = true;
        self.bury(Arc::clone(&known.container));
        let oom_killed = oom_killed || known.oom;
        self.news.push(Event::Died {
            container: known.container,
            exit_code,
            oom_killed,
            unseen: false,
        });
        true
    }

    fn oom(&mut self, id: &str) {
        if let Some(known) = self.known.get_mut(id) {
            known.oom = true;
            self.news.push(Event::Oom { container: Arc::clone(&known.container) });
        } else if let Some(look) =
            self.looks.get_mut(id).filter(|l| !matches!(l.died, Some(Death::Told)))
        {
            look.oom = true;
        } else if let Some(dead) = self.dead.iter().rev().find(|c| c.id == id) {
            self.news.push(Event::Oom { container: Arc::clone(dead) });
        }
    }

    fn bury(&mut self, container: Arc<Container>) {
        if self.dead.len() == MAX_DEAD {
            self.dead.pop_front();
        }
        self.dead.push_back(container);
    }
}

#[cfg(test)]
mod tests;
