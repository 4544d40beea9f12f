//! What a node's log-agent could not ship, each loss told once.
//!
//! The agent tells the whole account of each instance every time ([`LogLossFact`]). What the previous report showed is told already; after
//! a restart of the API that report may be older than the last one that was judged: then the last note in the store tells.

use super::{join, plain};
use crate::change::Change;
use crate::reconcile::NodeFactsView;
use crate::world::World;
use common::api_types::{EventType, Instance, InstanceState, LOST, LogGap, LogLossFact};
use common::ids::{AppId, InstanceId, NodeName};
use std::collections::HashMap;

/// Most reasons in one account.
const MOST_REASONS: usize = 16;
/// Longest reason, in bytes.
const LONGEST_REASON: usize = 32;
/// Longest name of a file, in characters.
const LONGEST_FILE: usize = 300;

/// The accounts of one node, by instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Losses(HashMap<(AppId, InstanceId), LogLossFact>);

impl Losses {
    /// Takes what an agent says, as far as it can be shown.
    pub fn new(facts: Vec<LogLossFact>) -> Self {
        let bounded = |mut fact: LogLossFact| {
            let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
            let word = |reason: &str| {
                (1..=LONGEST_REASON).contains(&reason.len()) && reason.bytes().all(plain)
            };
            fact.reasons.retain(|reason, _| word(reason));
            while fact.reasons.len() > MOST_REASONS {
                fact.reasons.pop_last();
            }
            if fact.file.len() > LONGEST_FILE {
                fact.file = fact.file.chars().take(LONGEST_FILE).collect();
            }
            ((fact.app.clone(), fact.instance.clone()), fact)
        };
        Self(facts.into_iter().map(bounded).collect())
    }

    /// Accounts that say more than `prior` did, by app and instance.
    pub fn beyond<'a>(&'a self, prior: Option<&Self>) -> Vec<&'a LogLossFact> {
        let before = |fact: &LogLossFact| prior.and_then(|prior| prior.same(fact)).cloned();
        let grew = |fact: &&LogLossFact| fact.beyond(before(fact).as_ref()).is_some();
        let mut more: Vec<_> = self.0.values().filter(grew).collect();
        more.sort_by_key(|fact| (&fact.app, &fact.instance));
        more
    }

    /// The account of the same instance.
    pub fn same(&self, fact: &LogLossFact) -> Option<&LogLossFact> {
        self.0.get(&(fact.app.clone(), fact.instance.clone()))
    }
}

/// The instance that lives and that an account on this node is about.
pub fn living(
    world: &World,
    view: &NodeFactsView,
    (node, dc): (&NodeName, &str),
    fact: &LogLossFact,
) -> Option<Instance> {
    let same = |i: &Instance| i.id == fact.instance && i.app == fact.app;
    let here = world.on_node(node).find(|i| same(i));
    // a task that nobody has placed yet
    let task = || {
        let keys = view.clusters().marathons(dc).map(|m| join::key(m, &fact.instance));
        keys.filter_map(|key| world.instance(&key)).find(|i| i.node.is_none() && same(i))
    };
    here.or_else(task).map(|i| Instance::clone(i))
}

/// An instance of which only its node's log-agent knows: it ended long ago, or never was anybody's but a directory's.
pub fn unknown(
    view: &NodeFactsView,
    (node, dc): (&NodeName, &str),
    fact: &LogLossFact,
) -> Instance {
    let cluster = view.clusters().plain(dc);
    let (key, place) = (plain::key(cluster, node, fact.instance.as_str()), (dc, cluster));
    let (id, app) = (fact.instance.clone(), fact.app.clone());
    let instance = Instance::new(key, id, app, place, InstanceState::Ended);
    Instance { node: Some(node.clone()), ..instance }
}

/// The note about it.
pub fn note(instance: &Instance, gap: &LogGap) -> Change {
    // texts and numbers: nothing of it can fail to print
    let mut payload = serde_json::to_value(instance).unwrap_or_default();
    payload[LOST] = serde_json::to_value(gap).unwrap_or_default();
    Change::Note { kind: EventType::LogGap, subject: instance.key.clone(), payload }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::api_types::Lost;
    use common::moment::Moment;

    fn fact(app: &str, reason: &str, gaps: u64) -> LogLossFact {
        LogLossFact {
            app: AppId::new(app),
            instance: InstanceId::new("a"),
            since: Moment::from_unix_ms(1),
            at: Moment::from_unix_ms(2),
            file: "x".repeat(1_000),
            reasons: [(reason.to_owned(), Lost { gaps, bytes: gaps * 10 })].into(),
        }
    }

    #[test]
    fn only_accounts_that_grew_are_news_and_all_of_it_is_bounded() {
        let before = Losses::new(vec![fact("a", "quota", 1), fact("b", "quota", 2)]);
        let now = vec![fact("b", "quota", 3), fact("a", "quota", 1), fact("c", "\u{1b}[2J", 9)];
        let now = Losses::new(now);
        let apps = |losses: Vec<&LogLossFact>| {
            losses.iter().map(|l| l.app.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(apps(now.beyond(Some(&before))), ["b"]);
        assert_eq!(apps(now.beyond(None)), ["a", "b"]);
        assert!(now.beyond(None).iter().all(|l| l.file.len() == LONGEST_FILE));
        assert_eq!(now.same(&fact("b", "quota", 0)).unwrap().reasons["quota"].gaps, 3);
    }
}
