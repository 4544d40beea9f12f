//! What was observed and what is stored, into changes. Pure.
//!
//! Two kinds of observers speak: schedulers ([`cluster()`], Marathon's list of apps and tasks) and nodes ([`node()`], dadvisor's inventory of
//! containers). **Every field of an instance has one owner.** Of a task the scheduler owns state, health, ports, version, start and
//! count of restarts; the node owns container, image and log volumes, and adds the exit code to an end. Of a container without scheduler
//! the node owns all. An observer writes what it owns, leaves the rest, and looks up what the other one said last. So whoever speaks
//! first, the state that both leave is the same.
//!
//! What an observation does not list ends only if the observation is whole; a report that does not come ends nothing.

mod apps;
mod cluster;
mod clusters;
mod facts;
mod forgotten;
mod join;
mod kills;
pub mod losses;
mod node;
mod observed;
mod plain;
mod seen;
mod silence;
#[cfg(test)]
pub(crate) mod tests;
mod told;

pub use apps::{expired, idle};
pub use cluster::{app, app_gone, cluster, task, task_gone};
pub use clusters::Clusters;
pub use facts::NodeFactsView;
pub use forgotten::forgotten;
pub use losses::Losses;
pub use node::{NodeReport, node};
pub use observed::{ClusterFacts, ListedApp, ListedTask, Listing};
pub use seen::{MOST_CONTAINERS, Seen, TaskContainer};
pub use silence::{agent, silent};
pub use told::{Doubts, OOM_COUNT, OOM_KILLS, Told, doubts};

use crate::change::Change;
use crate::world::World;
use common::api_types::{Entity, Exit, Instance, InstanceState};
use common::moment::Moment;

/// What is left of clusters that are configured no more.
pub fn unconfigured(world: &World, view: &NodeFactsView, now: Moment) -> Vec<Change> {
    let clusters = view.clusters();
    let foreign =
        |i: &Instance| !clusters.schedules(&i.dc, &i.cluster) && clusters.plain(&i.dc) != i.cluster;
    let ended = world.instances().filter(|i| foreign(i)).map(|i| {
        let exit = Exit {
            reason: Some(format!("cluster {} is no longer configured", i.cluster)),
            ..Exit::default()
        };
        let last = Instance {
            state: InstanceState::Ended,
            ended_at: Some(now),
            exit: Some(exit),
            ..Instance::clone(i)
        };
        Change::Forget(Entity::Instance(Box::new(last)))
    });
    ended.chain(apps::unconfigured(world, view)).collect()
}
