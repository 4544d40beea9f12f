//! What the handlers answer from.

use crate::access::Access;
use crate::bus::Bus;
use crate::centre::Centre;
use crate::config::Config;
use crate::figures::Figures;
use crate::nodes::Nodes;
use crate::relay::Relay;
use crate::schedulers::marathon::Marathons;
use crate::snapshots::Snapshots;
use crate::ways::Ways;
use common::moment::Moment;
use common::serve::Counts;
use common::systemd::Pulse;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The whole centre, as a handler sees it.
pub struct Api {
    /// What it was told.
    pub(crate) config: Config,
    /// State and events.
    pub(crate) centre: Centre,
    /// Readers of the bus.
    pub(crate) bus: Bus,
    /// The state at a cursor, ready to be sent.
    pub(crate) snapshots: Snapshots,
    /// Who may what.
    pub(crate) access: Access,
    /// Reports of agents.
    pub(crate) nodes: Nodes,
    /// Where agents are asked.
    pub(crate) ways: Ways,
    /// Live logs through the centre.
    pub(crate) relay: Relay,
    /// Followers of Marathon.
    pub(crate) marathons: Marathons,
    /// Counts per app on their way to Graphite; None without one.
    pub(crate) figures: Option<Figures>,
    /// The HTTP side's own figures.
    pub(crate) counts: Arc<Counts>,
    /// Progress of the daemon's loop.
    pub(crate) pulse: Arc<Pulse>,
    /// When it began.
    pub(crate) started: Moment,
    /// Readers are to be told to go.
    pub(crate) closing: CancellationToken,
}
