//! A report with something new in it: what it changes is decided, committed, and noted.

use super::entry::{Known, Now, Verdict};
use super::rows::{self, Row};
use super::run::Run;
use super::shipped::Lines;
use super::{DADVISOR, Entry, LOG_AGENT, Nodes, ReportError, lock, lost};
use crate::centre::Origin;
use crate::change::Change;
use crate::reconcile::{self, Losses, MOST_CONTAINERS, NodeReport, Seen, Told};
use common::api_types::{Agent, DadvisorFacts, LogAgentFacts, Report};
use common::ids::NodeName;
use serde::Deserialize;
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Longest note that is kept, in characters.
const LONGEST_NOTE: usize = 1_000;

/// A report, read.
pub(super) struct Work {
    pub agent: String,
    pub run: Run,
    pub digest: String,
    pub report: Option<Report>,
    pub now: Now,
}

/// Judges it, after those of the same node that came before.
pub(super) async fn judge(nodes: Nodes, entry: Arc<Entry>, work: Work) -> Result<(), ReportError> {
    let _turn = entry.turn.lock().await;
    let name = entry.name.as_str();
    // while it waited the same may have been judged, or a younger process have come
    let whole = work.report.is_some();
    let again = lock(&entry.node).hear(name, &work.agent, &work.run, &work.digest, whole, work.now);
    match (again?, work.report) {
        (Verdict::Same, _) => Ok(()),
        (Verdict::Back, _) => back(&nodes, &entry, &work.agent).await,
        (Verdict::Judge, Some(report)) => {
            let work = Work { report: None, ..work };
            whole_report(&nodes, &entry, &work, report).await
        }
        (Verdict::Judge, None) => Err(ReportError::DigestUnknown),
    }
}

async fn whole_report(
    nodes: &Nodes,
    entry: &Arc<Entry>,
    work: &Work,
    mut report: Report,
) -> Result<(), ReportError> {
    check(&mut report)?;
    let seen = match work.agent.as_str() {
        DADVISOR => Some(Arc::new(seen(nodes, &report)?)),
        _ => None,
    };
    let (lines, losses) = shipping(&work.agent, &report)?;
    let notes = match &losses {
        Some(losses) => lost::notes(nodes, entry, &report.dc, losses).await?,
        None => Vec::new(),
    };
    let agent = lock(&entry.node).shown(&work.agent, &report);
    let committed = commit(nodes, entry, work, &agent, &report.dc, seen.clone(), notes).await;
    if let Err(error) = committed {
        // the view has it, the world may not: nothing but the whole report will do
        lock(&entry.node).forget_digest(&work.agent);
        return Err(error);
    }
    nodes.inner.counts.judged.fetch_add(1, Ordering::Relaxed);
    let text = serde_json::to_string(&report).unwrap_or_default();
    let row = {
        let mut node = lock(&entry.node);
        let before = node.agent(&work.agent);
        let known = Known {
            run: work.run.clone(),
            digest: work.digest.clone(),
            agent,
            dc: report.dc,
            lines,
            seen: before.map_or(work.now.mono, |k| k.seen.max(work.now.mono)),
            seen_at: before.map_or(work.now.wall, |k| k.seen_at.max(work.now.wall)),
            stored_at: work.now.wall,
            elsewhere: false,
        };
        let row = Row::of(&entry.name, &known, text);
        node.enter(known);
        if let Some(seen) = seen {
            node.judged = Some(seen);
            node.own = true;
        }
        if losses.is_some() {
            node.lost = losses;
        }
        row
    };
    lock(&nodes.inner.unwritten).insert((entry.name.clone(), work.agent.clone()), row);
    Ok(())
}

async fn commit(
    nodes: &Nodes,
    entry: &Arc<Entry>,
    work: &Work,
    agent: &Agent,
    dc: &str,
    seen: Option<Arc<Seen>>,
    notes: Vec<Change>,
) -> Result<(), ReportError> {
    let (prior, own) = {
        let node = lock(&entry.node);
        (node.judged.clone(), node.own)
    };
    let mut told = Told::default();
    if let Some(seen) = &seen {
        let skipped = u64::try_from(seen.skipped()).unwrap_or(u64::MAX);
        nodes.inner.counts.skipped.fetch_add(skipped, Ordering::Relaxed);
        // before it is judged: what a scheduler says from now on meets it
        set_view(nodes, &entry.name, seen);
        if !own {
            told = told_before(nodes, &entry.name, seen, prior.as_deref(), work.now).await?;
        }
    }
    let (inner, entry, now) = (Arc::clone(&nodes.inner), Arc::clone(entry), work.now.wall);
    let (agent, dc) = (agent.clone(), dc.to_owned());
    let origin = origin(&entry.name, &format!("report of {}", work.agent));
    let decide = move |world: &crate::world::World| {
        let shown = lock(&entry.node).with_claim(agent.clone());
        let mut changes = Vec::from_iter(reconcile::agent(world, &entry.name, &dc, shown));
        if let Some(seen) = &seen {
            let view = inner.view.read().unwrap_or_else(PoisonError::into_inner);
            let (node, prior) = (&entry.name, prior.as_deref());
            let report = NodeReport { node, seen, prior, told: &told, now };
            changes.extend(reconcile::node(world, &view, &report));
        }
        changes.extend(notes.iter().cloned());
        changes
    };
    nodes.inner.centre.change(origin, decide).await?;
    Ok(())
}

pub(super) fn set_view(nodes: &Nodes, node: &NodeName, seen: &Arc<Seen>) {
    let mut view = nodes.inner.view.write().unwrap_or_else(PoisonError::into_inner);
    view.set(node, Arc::clone(seen));
}

/// What the store says of the short lives and kills in a report, when an older one may have been the last that was noted.
async fn told_before(
    nodes: &Nodes,
    node: &NodeName,
    seen: &Seen,
    prior: Option<&Seen>,
    now: Now,
) -> Result<Told, ReportError> {
    let nothing = Told::default();
    let report = NodeReport { node, seen, prior, told: &nothing, now: now.wall };
    let doubts = nodes.inner.centre.read(|world| {
        let changes = nodes.with_view(|view| reconcile::node(world, view, &report));
        reconcile::doubts(world, &changes)
    });
    if doubts.is_empty() {
        return Ok(nothing);
    }
    Ok(rows::told(nodes.inner.centre.store(), &doubts).await.map_err(crate::centre::Error::from)?)
}

/// An agent that was silent reports again, with nothing new.
async fn back(nodes: &Nodes, entry: &Arc<Entry>, agent: &str) -> Result<(), ReportError> {
    let (mut known, dc) = {
        let node = lock(&entry.node);
        let Some(known) = node.agent(agent) else { return Err(ReportError::DigestUnknown) };
        (known.agent.clone(), known.dc.clone())
    };
    known.silent = false;
    show(nodes, entry, known, dc, format!("{agent} reports again")).await?;
    if let Some(known) = lock(&entry.node).agent_mut(agent) {
        known.agent.silent = false;
    }
    Ok(())
}

/// Puts a claim of another machine into the notes of all agents, or takes it out.
pub(super) async fn show_claim(nodes: Nodes, entry: Arc<Entry>) {
    let _turn = entry.turn.lock().await;
    let agents: Vec<_> =
        lock(&entry.node).agents().map(|k| (k.agent.clone(), k.dc.clone())).collect();
    for (agent, dc) in agents {
        let cause = "who may report under this name".to_owned();
        if let Err(error) = show(&nodes, &entry, agent, dc, cause).await {
            tracing::debug!(node = %entry.name, %error, "a claim is not shown yet");
            lock(&entry.node).claim_not_shown();
        }
    }
}

async fn show(
    nodes: &Nodes,
    entry: &Arc<Entry>,
    agent: Agent,
    dc: String,
    cause: String,
) -> Result<(), ReportError> {
    let (shared, origin) = (Arc::clone(entry), origin(&entry.name, &cause));
    let decide = move |world: &crate::world::World| {
        let shown = lock(&shared.node).with_claim(agent.clone());
        Vec::from_iter(reconcile::agent(world, &shared.name, &dc, shown))
    };
    nodes.inner.centre.change(origin, decide).await?;
    Ok(())
}

pub(super) fn origin(node: &NodeName, cause: &str) -> Origin {
    Origin { actor: format!("node:{node}"), cause: cause.to_owned() }
}

/// Bounds what people will be shown.
fn check(report: &mut Report) -> Result<(), ReportError> {
    let short = |field, text: &str, most: usize| {
        let good = text.len() <= most && !text.contains(char::is_control);
        let why = || format!("at most {most} characters, none of them a control character");
        if good { Ok(()) } else { Err(ReportError::Report { field, why: why() }) }
    };
    short("dc", &report.dc, 255)?;
    short("version", &report.version, 128)?;
    short("address", &report.address, 300)?;
    if report.dc.is_empty() {
        return Err(ReportError::Report { field: "dc", why: "must not be empty".to_owned() });
    }
    if report.note.contains(char::is_control) || report.note.len() > LONGEST_NOTE {
        let plain = report.note.chars().map(|c| if c.is_control() { ' ' } else { c });
        report.note = plain.take(LONGEST_NOTE).collect();
    }
    Ok(())
}

/// What a log-agent ships and what it lost, for which its facts are read once; one that tells none does neither. Of another agent there
/// are no losses, which is not the same as an empty list.
pub(super) fn shipping(
    agent: &str,
    report: &Report,
) -> Result<(Lines, Option<Arc<Losses>>), ReportError> {
    if agent != LOG_AGENT {
        return Ok((Lines::default(), None));
    }
    let facts = match &report.facts {
        Value::Null => LogAgentFacts::default(),
        facts => LogAgentFacts::deserialize(facts).map_err(not_read)?,
    };
    Ok((Lines::new(facts.window_seconds, facts.apps)?, Some(lost::read(facts.losses)?)))
}

/// dadvisor's facts.
pub(super) fn seen(nodes: &Nodes, report: &Report) -> Result<Seen, ReportError> {
    let facts = DadvisorFacts::deserialize(&report.facts).map_err(not_read)?;
    if facts.containers.len() > MOST_CONTAINERS {
        return Err(ReportError::Containers(facts.containers.len()));
    }
    Ok(nodes.with_view(|view| Seen::new(&report.dc, facts, view.clusters())))
}

fn not_read(error: serde_json::Error) -> ReportError {
    ReportError::Report { field: "facts", why: error.to_string() }
}
