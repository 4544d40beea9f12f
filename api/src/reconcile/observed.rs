//! What a scheduler says, in our words.

use common::api_types::{Backend, Exit, InstanceState};
use common::container::Health;
use common::ids::{AppId, InstanceId};
use common::moment::Moment;
use std::collections::BTreeMap;

/// Which cluster speaks, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The cluster's name.
    pub cluster: String,
    /// Its data centre.
    pub dc: String,
    /// When the scheduler said it: the end of what it no longer lists.
    pub at: Moment,
}

/// All that a scheduler has at one moment: what is not in it is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Who and when.
    pub listing: Listing,
    /// Every app.
    pub apps: Vec<ListedApp>,
    /// Every task, those that have ended but are still listed included.
    pub tasks: Vec<ListedTask>,
}

/// An app as its scheduler defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedApp {
    /// Its id, without a leading slash.
    pub id: AppId,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Who owns it, if the scheduler has another word for it than the label `qae.owner`.
    pub owner: Option<String>,
    /// How many instances it is to have.
    pub wanted: u32,
}

/// A task as its scheduler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTask {
    /// Its id.
    pub id: InstanceId,
    /// Its app.
    pub app: AppId,
    /// The host it is placed on, in the scheduler's words (a name or an address).
    pub host: Option<String>,
    /// What it is doing; [`InstanceState::Ended`] for one that is over.
    pub state: InstanceState,
    /// Verdict of the scheduler's checks.
    pub health: Health,
    /// When it began to run.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub ended_at: Option<Moment>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Where it can be reached.
    pub backends: Vec<Backend>,
    /// Version of the app it was made from.
    pub version: Option<String>,
    /// How often it was started again under the same instance: its incarnation less one.
    pub restarts: u64,
}
