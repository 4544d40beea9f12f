//! What the store has of agents: at the start all of it, later what other processes have written.

use super::entry::{Known, Now};
use super::rows::{self, Row};
use super::run::Run;
use super::{DADVISOR, Entry, Nodes, ReportError, judge, lock};
use crate::centre::{self, Origin};
use crate::reconcile::{self, NodeReport, Seen, Told};
use common::api_types::{Node, Report};
use common::ids::NodeName;
use common::moment::Moment;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Key in `meta`: by which clusters and which rules reports were judged.
const JUDGED_BY: &str = "nodes.judged_by";
/// Changes when the same report would be judged otherwise than by the version before.
const RULES: u32 = 1;

/// At the start: takes up all agents, and ends what belongs to clusters that are configured no more.
pub(super) async fn load(nodes: &Nodes) -> Result<(), ReportError> {
    let centre = &nodes.inner.centre;
    let store = centre.store();
    let rules = nodes.with_view(|view| format!("{RULES}\n{}", view.clusters().fingerprint()));
    let judged_by = rows::meta(store, JUDGED_BY).await.map_err(centre::Error::from)?;
    // judged by other rules, it has to be judged again: the agents are asked for the whole
    let known = judged_by.as_ref() == Some(&rules);
    for row in rows::load(store).await.map_err(centre::Error::from)? {
        // a row follows its node into the store: this one was written while the node was forgotten
        if centre.read(|world| world.node(&row.node).is_none()) {
            let node = row.node.clone();
            let gone = store.write(|c| Box::pin(async move { rows::delete(c, &node).await }));
            gone.await.map_err(centre::Error::from)?;
            continue;
        }
        let at_start = Now { mono: std::time::Duration::ZERO, wall: row.last_seen };
        if let Some((entry, report)) = enter(nodes, &row, at_start)? {
            if !known {
                lock(&entry.node).forget_digest(&row.agent);
            }
            if let Some(seen) = seen(nodes, &row, &report) {
                set(nodes, &entry, seen);
            }
        }
    }
    let inner = Arc::clone(&nodes.inner);
    let origin = Origin { actor: "api".into(), cause: "clusters as configured".into() };
    let changed = centre.change(origin, move |world| {
        let view = inner.view.read().unwrap_or_else(PoisonError::into_inner);
        reconcile::unconfigured(world, &view, Moment::now())
    });
    changed.await?;
    if !known {
        rows::set_meta(store, JUDGED_BY, rules).await.map_err(centre::Error::from)?;
    }
    Ok(())
}

/// What another process has judged since: this one knows it too, and tells nothing of it again.
pub(super) async fn take_over(nodes: &Nodes, since: Moment, now: Now) -> Result<(), ReportError> {
    let store = nodes.inner.centre.store();
    for head in rows::since(store, since).await.map_err(centre::Error::from)? {
        if !news(nodes, &head, now) {
            continue;
        }
        let row = rows::one(store, &head.node, &head.agent).await.map_err(centre::Error::from)?;
        let Some(row) = row else { continue };
        let entry = nodes.add(&row.node)?;
        let _turn = entry.turn.lock().await;
        if !news(nodes, &row, now) {
            continue;
        }
        let age = now.wall.since(row.last_seen);
        let then = Now { mono: now.mono.saturating_sub(age), wall: row.last_seen };
        let Some((entry, report)) = enter(nodes, &row, then)? else { continue };
        nodes.inner.counts.taken_over.fetch_add(1, Ordering::Relaxed);
        if let Some(known) = lock(&entry.node).agent_mut(&row.agent) {
            known.elsewhere = true;
        }
        if let Some(seen) = seen(nodes, &row, &report) {
            set(nodes, &entry, Arc::clone(&seen));
            judge_again(nodes, &entry, seen, now).await?;
        }
    }
    Ok(())
}

/// Another process may have called agents silent, or back: whose word that is, the world tells. (One that falls silent or comes back in
/// this very moment is put right by its next report, or the next time.)
pub(super) fn take_over_silence(nodes: &Nodes) {
    nodes.drop_forgotten();
    let silent: HashSet<(NodeName, String)> = nodes.inner.centre.read(|world| {
        let of = |node: &Arc<Node>| {
            let silent = node.agents.iter().filter(|a| a.silent);
            silent.map(|a| (node.name.clone(), a.name.clone())).collect::<Vec<_>>()
        };
        world.nodes().flat_map(of).collect()
    });
    for entry in nodes.entries() {
        let mut node = lock(&entry.node);
        for known in node.agents_mut() {
            known.agent.silent = silent.contains(&(entry.name.clone(), known.agent.name.clone()));
        }
    }
}

/// Whether another process has heard more of an agent. One that only heard it later is noted here and now.
fn news(nodes: &Nodes, row: &Row, now: Now) -> bool {
    let Some(entry) = nodes.entry(&row.node) else { return true };
    let mut node = lock(&entry.node);
    let Some(known) = node.agent_mut(&row.agent) else { return true };
    if row.last_seen <= known.seen_at {
        return false;
    }
    if known.run.as_str() != row.run || known.digest != row.digest {
        return true;
    }
    known.seen_at = row.last_seen;
    known.stored_at = row.last_seen;
    known.seen = known.seen.max(now.mono.saturating_sub(now.wall.since(row.last_seen)));
    known.elsewhere = true;
    false
}

/// Enters a row. None, and a line in the log, if it cannot be read.
fn enter(nodes: &Nodes, row: &Row, then: Now) -> Result<Option<(Arc<Entry>, Report)>, ReportError> {
    let report = serde_json::from_str::<Report>(&row.report);
    let (Ok(report), Some(run)) = (report, Run::parse(&row.run)) else {
        tracing::warn!(node = %row.node, agent = row.agent, "the stored report cannot be read: waiting for a new one");
        return Ok(None);
    };
    let entry = nodes.add(&row.node)?;
    let silent = nodes.inner.centre.read(|world| {
        let node = world.node(&row.node);
        node.is_some_and(|node| node.agents.iter().any(|a| a.name == row.agent && a.silent))
    });
    // taken when it was reported: what cannot be read by now is told anew within a minute
    let (lines, losses) = judge::shipping(&row.agent, &report).unwrap_or_default();
    let mut node = lock(&entry.node);
    let mut agent = node.shown(&row.agent, &report);
    agent.silent = silent;
    node.enter(Known {
        run,
        digest: row.digest.clone(),
        agent,
        dc: report.dc.clone(),
        lines,
        seen: then.mono,
        seen_at: row.last_seen,
        stored_at: row.last_seen,
        elsewhere: false,
    });
    if losses.is_some() {
        node.lost = losses;
    }
    drop(node);
    Ok(Some((entry, report)))
}

fn seen(nodes: &Nodes, row: &Row, report: &Report) -> Option<Arc<Seen>> {
    (row.agent == DADVISOR).then(|| judge::seen(nodes, report).ok().map(Arc::new)).flatten()
}

fn set(nodes: &Nodes, entry: &Entry, seen: Arc<Seen>) {
    judge::set_view(nodes, &entry.name, &seen);
    let mut node = lock(&entry.node);
    node.judged = Some(seen);
    node.own = false;
}

/// The other process judged it by the view that it had. A scheduler's word that came here meanwhile is met by judging it here too;
/// with itself as the prior report nothing in it is news.
async fn judge_again(
    nodes: &Nodes,
    entry: &Arc<Entry>,
    seen: Arc<Seen>,
    now: Now,
) -> Result<(), ReportError> {
    let (inner, entry) = (Arc::clone(&nodes.inner), Arc::clone(entry));
    let origin = judge::origin(&entry.name, "report of dadvisor");
    let decide = move |world: &crate::world::World| {
        let view = inner.view.read().unwrap_or_else(PoisonError::into_inner);
        let told = Told::default();
        let prior = Some(seen.as_ref());
        let report =
            NodeReport { node: &entry.name, seen: &seen, prior, told: &told, now: now.wall };
        reconcile::node(world, &view, &report)
    };
    nodes.inner.centre.change(origin, decide).await?;
    Ok(())
}
