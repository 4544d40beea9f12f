//! One node: who reports for it, what it said, and since when it says nothing. Pure: the clocks are arguments.

use super::run::Run;
use super::shipped::Lines;
use super::{MOST_AGENTS, ReportError, SILENT_AFTER};
use crate::reconcile::{Losses, Seen};
use common::api_types::{Agent, Report};
use common::moment::Moment;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// Since this process began; never steps.
    pub mono: Duration,
    /// For people and other processes.
    pub wall: Moment,
}

/// A claim of somebody else is shown for so long after its last try.
const CLAIM_SHOWN_FOR: Duration = Duration::from_secs(60);

/// A node.
#[derive(Debug, Default)]
pub(super) struct Node {
    agents: BTreeMap<String, Known>,
    /// Who else tried to report.
    claim: Option<Claim>,
    /// What dadvisor's last judged report said.
    pub judged: Option<Arc<Seen>>,
    /// That report was judged by this process, not read from the store: nothing can have been told since that it does not show.
    pub own: bool,
    /// What log-agent's last judged report said of lines that will never be shipped.
    pub lost: Option<Arc<Losses>>,
}

/// Another machine that uses this node's name.
#[derive(Debug)]
struct Claim {
    host: String,
    /// Its last try.
    last: Duration,
    /// It stands in the node's notes.
    shown: bool,
}

/// An agent of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    /// Process that reports.
    pub run: Run,
    /// Digest of the last report that was judged; empty when it has to come whole.
    pub digest: String,
    /// What is shown of it, without the claim of others.
    pub agent: Agent,
    /// The node's data centre, as it says.
    pub dc: String,
    /// What it ships; nothing but for a log-agent.
    pub lines: Lines,
    /// Last report by the monotonic clock.
    pub seen: Duration,
    /// Likewise by the wall clock.
    pub seen_at: Moment,
    /// The last report that the store knows of.
    pub stored_at: Moment,
    /// Another process of the API took its last report.
    pub elsewhere: bool,
}

/// What is to be done with a report.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing: it says what is known.
    Same,
    /// Its content has to be judged.
    Judge,
    /// Only the node's agents look different: the agent was silent.
    Back,
}

impl Node {
    /// A report, by what its headers say; `whole` when it brought its content. Notes when it came.
    pub fn hear(
        &mut self,
        name: &str,
        agent: &str,
        run: &Run,
        digest: &str,
        whole: bool,
        now: Now,
    ) -> Result<Verdict, ReportError> {
        self.may(name, agent, run, now)?;
        let Some(known) = self.agents.get_mut(agent) else {
            let full = self.agents.len() >= MOST_AGENTS;
            return match whole {
                true if full => Err(ReportError::Agents(name.to_owned())),
                true => Ok(Verdict::Judge),
                false => Err(ReportError::DigestUnknown),
            };
        };
        // it lives, whatever its report is worth
        known.seen = now.mono;
        known.seen_at = now.wall;
        known.elsewhere = false;
        let same = known.digest == digest && !digest.is_empty();
        match (same, whole) {
            (true, _) if known.agent.silent => Ok(Verdict::Back),
            (true, _) if known.run == *run => Ok(Verdict::Same),
            // a new process with nothing new to say: its run is stored with the report
            (true, true) | (false, true) => Ok(Verdict::Judge),
            (true, false) | (false, false) => Err(ReportError::DigestUnknown),
        }
    }

    /// Whether this process may speak for the node.
    fn may(&mut self, name: &str, agent: &str, run: &Run, now: Now) -> Result<(), ReportError> {
        let fresh = |known: &&Known| now.mono.saturating_sub(known.seen) < SILENT_AFTER;
        let other = self.agents.values().filter(fresh).find(|k| k.run.host() != run.host());
        if let Some(other) = other {
            let by = format!("machine {} at {}", other.run.host(), other.agent.address);
            let shown =
                self.claim.as_ref().is_some_and(|claim| claim.host == run.host() && claim.shown);
            self.claim = Some(Claim { host: run.host().to_owned(), last: now.mono, shown });
            return Err(ReportError::NodeClaimed { node: name.to_owned(), by });
        }
        let younger = self.agents.get(agent).filter(fresh).filter(|k| k.run > *run);
        if let Some(younger) = younger {
            let by = format!("a younger {agent} on the same machine, run {}", younger.run.as_str());
            return Err(ReportError::NodeClaimed { node: name.to_owned(), by });
        }
        Ok(())
    }

    /// The agent as its report shows it.
    pub fn shown(&self, name: &str, report: &Report) -> Agent {
        Agent {
            name: name.to_owned(),
            version: report.version.clone(),
            address: report.address.clone(),
            tls: report.tls,
            state: report.state,
            note: report.note.clone(),
            silent: false,
        }
    }

    /// What is shown of an agent now: a claim of others stands in its note.
    pub fn with_claim(&self, mut agent: Agent) -> Agent {
        if let Some(Claim { host, .. }) = &self.claim {
            let claim =
                format!("machine {host} reports under this node's name too, and is refused");
            let between = if agent.note.is_empty() { "" } else { "; " };
            agent.note = format!("{}{between}{claim}", agent.note);
        }
        agent
    }

    /// Enters what was judged, or read from the store.
    pub fn enter(&mut self, known: Known) {
        self.agents.insert(known.agent.name.clone(), known);
    }

    /// One agent.
    pub fn agent(&self, name: &str) -> Option<&Known> {
        self.agents.get(name)
    }

    /// Likewise, to change it.
    pub fn agent_mut(&mut self, name: &str) -> Option<&mut Known> {
        self.agents.get_mut(name)
    }

    /// All of them.
    pub fn agents(&self) -> impl Iterator<Item = &Known> {
        self.agents.values()
    }

    /// Likewise.
    pub fn agents_mut(&mut self) -> impl Iterator<Item = &mut Known> {
        self.agents.values_mut()
    }

    /// The next report has to come whole.
    pub fn forget_digest(&mut self, agent: &str) {
        if let Some(known) = self.agents.get_mut(agent) {
            known.digest.clear();
        }
    }

    /// Agents that are not silent yet and have not reported for too long; `longer` is granted to those that report to another process.
    pub fn overdue(&self, now: Now, longer: Duration) -> impl Iterator<Item = &str> {
        self.agents
            .values()
            .filter(move |k| !k.agent.silent && k.is_overdue(now, longer))
            .map(|k| k.agent.name.as_str())
    }

    /// Drops a claim that is over; true if there was one.
    pub fn expire_claim(&mut self, now: Now) -> bool {
        let over = |claim: &Claim| now.mono.saturating_sub(claim.last) >= CLAIM_SHOWN_FOR;
        self.claim.take_if(|claim| over(claim)).is_some()
    }

    /// True once for each claim: it is to be shown.
    pub fn show_claim(&mut self) -> bool {
        self.claim.as_mut().is_some_and(|claim| !std::mem::replace(&mut claim.shown, true))
    }

    /// What could not be shown is to be shown later.
    pub fn claim_not_shown(&mut self) {
        if let Some(claim) = &mut self.claim {
            claim.shown = false;
        }
    }

    /// The last report of any agent.
    pub fn last_seen(&self) -> Option<Moment> {
        self.agents.values().map(|k| k.seen_at).max()
    }
}

impl Known {
    pub fn is_overdue(&self, now: Now, longer: Duration) -> bool {
        let patience = if self.elsewhere { SILENT_AFTER + longer } else { SILENT_AFTER };
        now.mono.saturating_sub(self.seen) >= patience
    }
}
