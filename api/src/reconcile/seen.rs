//! One node's facts, bounded and in order.

use super::clusters::Clusters;
use super::facts::Word;
use common::api_types::{ContainerFact, DadvisorFacts, EndedFact};
use common::moment::Moment;
use std::collections::HashMap;

/// Most containers of one node.
pub const MOST_CONTAINERS: usize = 10_000;
/// Most ends of one node that are looked at: the latest.
const MOST_ENDS: usize = 1_000;
/// Longest container id, app id or task id.
const LONGEST: usize = 1_024;

/// What a node's dadvisor said: its containers by id, each once, and who stands for a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    dc: String,
    facts: DadvisorFacts,
    /// Containers and ends whose names are none; they are left out.
    skipped: usize,
    /// Where each task's container is.
    tasks: HashMap<String, Place>,
    /// Containers without a scheduler.
    plain: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Live(usize),
    Ended(usize),
}

/// A task's container: as it is, or as it was when it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskContainer<'a> {
    /// It.
    pub container: &'a ContainerFact,
    /// Its end, if it is over.
    pub ended: Option<&'a EndedFact>,
}

impl TaskContainer<'_> {
    /// Of several containers that claim a task the greatest counts: one that lives, then the youngest.
    pub(super) fn rank(&self) -> (bool, Option<Moment>, &str) {
        (self.ended.is_none(), self.container.started_at, &self.container.id)
    }
}

impl Seen {
    /// Brings facts into order. `dc` is the node's.
    pub fn new(dc: &str, mut facts: DadvisorFacts, clusters: &Clusters) -> Self {
        let told = facts.containers.len() + facts.ended.len();
        facts.containers.retain(named);
        facts.ended.retain(|end| named(&end.container));
        let surplus = facts.ended.len().saturating_sub(MOST_ENDS);
        facts.ended.drain(..surplus);
        facts.containers.sort_by(|a, b| a.id.cmp(&b.id));
        facts.containers.dedup_by(|a, b| a.id == b.id);
        let skipped = told - facts.containers.len() - facts.ended.len();
        let mut seen =
            Self { dc: dc.to_owned(), facts, skipped, tasks: HashMap::new(), plain: Vec::new() };
        seen.index(clusters);
        seen
    }

    fn index(&mut self, clusters: &Clusters) {
        let mut tasks: HashMap<String, Place> = HashMap::new();
        let ends = self.facts.ended.iter().map(|end| &end.container).enumerate();
        let places = ends.map(|(i, c)| (Place::Ended(i), c));
        let live = self.facts.containers.iter().enumerate().map(|(i, c)| (Place::Live(i), c));
        for (place, container) in places.chain(live) {
            let Some(task) = clusters.task(&self.dc, container) else {
                if let Place::Live(i) = place {
                    self.plain.push(i);
                }
                continue;
            };
            let better =
                tasks.get(task).is_none_or(|held| self.at(*held).rank() <= self.at(place).rank());
            if better {
                tasks.insert(task.to_owned(), place);
            }
        }
        self.tasks = tasks;
    }

    fn at(&self, place: Place) -> TaskContainer<'_> {
        match place {
            Place::Live(i) => TaskContainer { container: &self.facts.containers[i], ended: None },
            Place::Ended(i) => {
                let end = &self.facts.ended[i];
                TaskContainer { container: &end.container, ended: Some(end) }
            }
        }
    }

    /// The node's data centre.
    pub fn dc(&self) -> &str {
        &self.dc
    }

    /// All that was said and is kept.
    pub fn facts(&self) -> &DadvisorFacts {
        &self.facts
    }

    /// How many containers and ends were left out.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The host's address; empty if unknown.
    pub fn address(&self) -> &str {
        &self.facts.node.address
    }

    /// A container that lives, by its id.
    pub fn container(&self, id: &str) -> Option<&ContainerFact> {
        let at = self.facts.containers.binary_search_by(|c| c.id.as_str().cmp(id)).ok()?;
        self.facts.containers.get(at)
    }

    /// The latest end of each container that has one, by container id.
    pub(super) fn ends(&self) -> HashMap<&str, &EndedFact> {
        // oldest first, so that the last one stays
        self.facts.ended.iter().map(|end| (end.container.id.as_str(), end)).collect()
    }

    /// Containers that no scheduler speaks for, by id.
    pub(super) fn plain(&self) -> impl Iterator<Item = &ContainerFact> {
        self.plain.iter().filter_map(|i| self.facts.containers.get(*i))
    }

    /// Tasks that it has or had a container of.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &str> {
        self.tasks.keys().map(String::as_str)
    }

    /// The container of a task.
    pub(super) fn task(&self, task: &str) -> Option<TaskContainer<'_>> {
        self.tasks.get(task).map(|place| self.at(*place))
    }

    pub(super) fn word(&self, task: &str) -> Word<'_> {
        match self.task(task) {
            Some(container) => Word::Container(container),
            None if self.facts.complete => Word::Absent,
            None => Word::None,
        }
    }
}

/// Names come from labels and images: there must be some, of bounded length.
fn named(container: &ContainerFact) -> bool {
    let good = |name: &str| !name.is_empty() && name.len() <= LONGEST;
    good(&container.id)
        && good(container.app.as_str())
        && good(container.instance.as_str())
        && container.task.as_ref().is_none_or(|task| task.len() <= LONGEST)
}
