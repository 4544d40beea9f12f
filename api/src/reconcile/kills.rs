//! Kills for memory, each told once.
//!
//! A container's count goes over all its runs and only rises while its agent does; an agent that starts anew counts from zero, so that
//! after a fall all of the count is new. What the previous report showed is told already. After a restart of the API the previous report
//! may be older than the last one that was judged: then the last note in the store tells ([`Told`]).

use super::seen::Seen;
use super::told::Told;
use common::api_types::ContainerFact;
use std::collections::{HashMap, HashSet};

/// Most notes about one container from one report; the last one speaks for the rest.
const MOST: u64 = 100;

/// Kills in one container that were not told.
#[derive(Debug, PartialEq)]
pub(super) struct Kills<'a> {
    pub container: &'a ContainerFact,
    /// For each note: the count after it, and how many kills it speaks of.
    pub notes: Vec<(u64, u64)>,
}

/// What is new in `seen` since `prior`. Without a prior report the counts of what lives are where counting begins: whenever those kills
/// were, it was not now.
pub(super) fn new<'a>(seen: &'a Seen, prior: Option<&Seen>) -> Vec<Kills<'a>> {
    let told: HashSet<_> = prior
        .into_iter()
        .flat_map(|p| &p.facts().ended)
        .map(|end| (end.container.id.as_str(), end.at))
        .collect();
    let ends = seen.facts().ended.iter();
    let ends = ends.filter(|end| !told.contains(&(end.container.id.as_str(), end.at)));
    // an end by the kernel's hand is a kill, also where nobody read the counter in time
    let ends = ends.map(|e| (&e.container, e.container.oom_kills.max(u64::from(e.oom))));
    let live = seen.facts().containers.iter().map(|c| (c, c.oom_kills));
    let live = live.filter(|(container, _)| prior.is_some() || container.oom_kills == 0);

    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut made = Vec::new();
    for (container, count) in ends.chain(live) {
        let base = counts
            .entry(&container.id)
            .or_insert_with(|| prior.map_or(0, |p| counted(p, &container.id)));
        let from = if count < *base { 0 } else { *base };
        *base = count;
        if count > from {
            made.push(Kills { container, notes: notes(from, count) });
        }
    }
    made
}

/// What a report showed of a container.
fn counted(prior: &Seen, id: &str) -> u64 {
    prior.container(id).map_or(0, |container| container.oom_kills)
}

fn notes(from: u64, to: u64) -> Vec<(u64, u64)> {
    let each = (to - from).min(MOST);
    let rest = to - from - each;
    (1..=each).map(|n| if n == each { (to, 1 + rest) } else { (from + n, 1) }).collect()
}

impl Kills<'_> {
    /// The notes that are not in the store, given the instance they are about.
    pub fn untold(&self, subject: &str, told: &Told) -> impl Iterator<Item = (u64, u64)> {
        self.notes.iter().copied().filter(|(count, _)| !told.kill(subject, *count))
    }
}
