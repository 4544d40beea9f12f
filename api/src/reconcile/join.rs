//! One instance from what its scheduler and its node say. No field belongs to both.

use super::facts::{NodeFactsView, Word};
use super::observed::{ListedTask, Listing};
use common::api_types::{EndedFact, Exit, Instance, InstanceState};
use common::ids::InstanceId;

/// The key of a task's instance.
pub(super) fn key(cluster: &str, task: &InstanceId) -> String {
    format!("{cluster}/{task}")
}

/// A listed task as an instance. Where the node says nothing, `before` tells what it said when it still spoke.
pub(super) fn instance(
    listing: &Listing,
    task: &ListedTask,
    before: Option<&Instance>,
    view: &NodeFactsView,
) -> Instance {
    let (node, word) = view.task(&listing.dc, task.id.as_str(), task.host.as_deref());
    let mut backends = task.backends.clone();
    backends.sort();
    backends.dedup();
    let mut made = Instance {
        key: key(&listing.cluster, &task.id),
        id: task.id.clone(),
        app: task.app.clone(),
        dc: listing.dc.clone(),
        cluster: listing.cluster.clone(),
        node,
        container: before.and_then(|b| b.container.clone()),
        state: task.state,
        health: task.health,
        started_at: task.started_at,
        ended_at: task.ended_at,
        exit: task.exit.clone(),
        image: before.and_then(|b| b.image.clone()),
        digest: before.and_then(|b| b.digest.clone()),
        backends,
        restarts: task.restarts,
        log_volumes: before.map(|b| b.log_volumes.clone()).unwrap_or_default(),
        version: task.version.clone(),
    };
    take_word(&mut made, word);
    made
}

/// The same instance after the nodes' latest words.
pub(super) fn again(before: &Instance, view: &NodeFactsView) -> Instance {
    let mut made = before.clone();
    let host = before.node.as_ref().map(|n| n.as_str());
    let (node, word) = view.task(&before.dc, before.id.as_str(), host);
    made.node = node;
    take_word(&mut made, word);
    made
}

/// An instance that its scheduler has ended: with what the node knows of the end.
pub(super) fn ended(mut last: Instance, at: &Listing, view: &NodeFactsView) -> Instance {
    let host = last.node.as_ref().map(|n| n.as_str());
    let (_, word) = view.task(&last.dc, last.id.as_str(), host);
    let end = match word {
        Word::Container(container) => container.ended,
        Word::None | Word::Absent => None,
    };
    last.state = InstanceState::Ended;
    last.ended_at = last.ended_at.or(end.map(|e| e.at)).or(Some(at.at));
    last.exit = merge(last.exit, end);
    last
}

/// The scheduler knows why, the node knows the code.
fn merge(said: Option<Exit>, end: Option<&EndedFact>) -> Option<Exit> {
    let said = said.unwrap_or_default();
    Some(Exit {
        code: end.and_then(|e| e.code).or(said.code),
        reason: said.reason.or_else(|| Some("gone".to_owned())),
        oom: said.oom || end.is_some_and(|e| e.oom),
    })
}

fn take_word(instance: &mut Instance, word: Word<'_>) {
    match word {
        Word::None => {}
        Word::Absent => {
            instance.container = None;
            instance.image = None;
            instance.digest = None;
            instance.log_volumes.clear();
        }
        Word::Container(word) => {
            let container = word.container;
            instance.container = Some(container.id.clone());
            instance.image = given(&container.image);
            instance.digest = given(&container.digest);
            instance.log_volumes.clone_from(&container.log_volumes);
        }
    }
}

/// Empty means unknown.
pub(super) fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
