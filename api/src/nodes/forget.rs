//! A node is taken out by somebody's word: nobody else can know that a silent host will not come back.
//!
//! First what the store has of its agents goes, with the audit row; then, as events, what the node alone spoke for ends and the node is
//! gone; then this process forgets it. If that breaks off, the node is still there and silent, and can be deleted again. An agent that
//! reports after all is a new one: the node comes back with all it says.

use super::{Entry, Nodes, lock, rows};
use crate::access::audit::{self, Action, By, Change};
use crate::access::{self};
use crate::centre::{self, Origin};
use crate::reconcile;
use crate::version::{IfMatch, Version};
use common::api_types::NodeStatus;
use common::ids::NodeName;
use common::moment::Moment;
use common::serve::Problem;
use std::sync::{Arc, PoisonError};

/// Why a node is not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// There is none.
    #[error("no such node")]
    Unknown,
    /// It would be back with the next report.
    #[error("an agent of it still reports: stop its agents, and wait until all are silent")]
    Reports,
    /// It is not as it was when the caller looked.
    #[error("{}", .0.detail)]
    Changed(Problem),
    /// The audit row, and what its agents said.
    #[error(transparent)]
    Store(#[from] access::Error),
    /// The events.
    #[error(transparent)]
    Centre(#[from] centre::Error),
}

/// The version of a node: it changes with every report.
pub fn version(status: &NodeStatus) -> Version {
    Version::of(&(&status.node, status.last_seen))
}

impl Nodes {
    /// Forgets a node all of whose agents are silent. The node as it was.
    pub async fn forget(
        &self,
        name: &NodeName,
        by: By,
        wanted: &IfMatch,
        now: Moment,
    ) -> Result<NodeStatus, ForgetError> {
        let entry = self.entry(name);
        // no report is judged meanwhile
        let _turn = match &entry {
            Some(entry) => Some(entry.turn.lock().await),
            None => None,
        };
        let status = self.status(name).ok_or(ForgetError::Unknown)?;
        wanted.check(&version(&status)).map_err(ForgetError::Changed)?;
        if !status.silent {
            return Err(ForgetError::Reports);
        }
        lock(&self.inner.unwritten).retain(|(node, _), _| node != name);
        let origin = Origin { actor: by.actor.clone(), cause: by.cause.clone() };
        self.take_rows(&status, by, now).await?;
        let (inner, node) = (Arc::clone(&self.inner), name.clone());
        let decide = move |world: &crate::world::World| {
            let view = inner.view.read().unwrap_or_else(PoisonError::into_inner);
            reconcile::forgotten(world, view.clusters(), &node, now)
        };
        if self.inner.centre.change(origin, decide).await?.is_empty() {
            return Err(ForgetError::Reports);
        }
        if let Some(entry) = &entry {
            self.drop_entry(entry);
        }
        Ok(status)
    }

    async fn take_rows(&self, status: &NodeStatus, by: By, now: Moment) -> Result<(), ForgetError> {
        let name = status.node.name.clone();
        let before = serde_json::to_value(status).ok();
        let work = self.inner.centre.store().write(|c| {
            Box::pin(async move {
                rows::delete(c, &name).await?;
                let subject = name.as_str();
                let action = Action::NodeDeleted;
                let change = Change { action, subject, before, after: None };
                audit::write(c, &by, change, now).await
            })
        });
        Ok(work.await?)
    }

    /// This process knows nothing of it any more; what waits for its turn finds an empty node.
    fn drop_entry(&self, entry: &Arc<Entry>) {
        *lock(&entry.node) = super::entry::Node::default();
        self.inner.nodes.write().unwrap_or_else(PoisonError::into_inner).remove(&entry.name);
        self.inner.view.write().unwrap_or_else(PoisonError::into_inner).forget(&entry.name);
    }

    /// Nodes that another process has forgotten: silent when last looked at, and not in the world any more.
    pub(super) fn drop_forgotten(&self) {
        for entry in self.entries() {
            let silent = {
                let node = lock(&entry.node);
                node.agents().next().is_some() && node.agents().all(|known| known.agent.silent)
            };
            if silent && self.inner.centre.read(|world| world.node(&entry.name).is_none()) {
                self.drop_entry(&entry);
            }
        }
    }
}
