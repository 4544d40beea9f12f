//! What a log-agent's report says of lines that will never be shipped, as notes on the bus.

use super::{Entry, Nodes, ReportError, lock, rows};
use crate::change::Change;
use crate::reconcile::{Losses, losses};
use common::api_types::{Instance, LogLossFact, MOST_LOSSES};
use std::sync::Arc;

/// The losses of a log-agent's facts.
pub(super) fn read(facts: Vec<LogLossFact>) -> Result<Arc<Losses>, ReportError> {
    if facts.len() > MOST_LOSSES {
        let why = format!("{} accounts, at most {MOST_LOSSES} are taken", facts.len());
        return Err(ReportError::Report { field: "facts.losses", why });
    }
    Ok(Arc::new(Losses::new(facts)))
}

/// Notes of what was not told yet. The store is asked only of accounts that grew, which is seldom.
pub(super) async fn notes(
    nodes: &Nodes,
    entry: &Entry,
    dc: &str,
    now: &Losses,
) -> Result<Vec<Change>, ReportError> {
    let prior = lock(&entry.node).lost.clone();
    let (centre, mut notes) = (&nodes.inner.centre, Vec::new());
    for fact in now.beyond(prior.as_deref()) {
        let instance = instance(nodes, entry, dc, fact).await?;
        let told = rows::last_gap(centre.store(), &instance).await;
        let told = told.map_err(crate::centre::Error::from)?;
        let prior = prior.as_deref().and_then(|prior| prior.same(fact));
        if let Some(gap) = fact.beyond(prior.into_iter().chain(told.as_ref())) {
            notes.push(losses::note(&instance, &gap));
        }
    }
    Ok(notes)
}

/// The instance as it is, as it was when it ended, or as far as the agent's word goes.
async fn instance(
    nodes: &Nodes,
    entry: &Entry,
    dc: &str,
    fact: &LogLossFact,
) -> Result<Instance, ReportError> {
    let (centre, at) = (&nodes.inner.centre, (&entry.name, dc));
    let here = |world: &_| nodes.with_view(|view| losses::living(world, view, at, fact));
    if let Some(living) = centre.read(here) {
        return Ok(living);
    }
    let ended = rows::last_of(centre.store(), &entry.name, &fact.app, &fact.instance).await;
    let ended = ended.map_err(crate::centre::Error::from)?;
    Ok(ended.unwrap_or_else(|| nodes.with_view(|view| losses::unknown(view, at, fact))))
}
