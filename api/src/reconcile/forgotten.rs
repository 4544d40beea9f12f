//! A node that will not come back.

use super::Clusters;
use super::plain;
use crate::change::Change;
use crate::world::World;
use common::api_types::{Entity, Exit, Node};
use common::ids::NodeName;
use common::moment::Moment;

/// The node is no more, by somebody's word, and what it alone spoke for ends with it; a scheduler's instances there are the scheduler's to
/// end. Nothing, if the node is not known or an agent of it still reports.
pub fn forgotten(world: &World, clusters: &Clusters, name: &NodeName, now: Moment) -> Vec<Change> {
    let Some(node) = world.node(name).filter(|node| node.silent()) else { return Vec::new() };
    let own = world.on_node(name).filter(|i| !clusters.schedules(&i.dc, &i.cluster));
    let ends = own.map(|instance| {
        let exit = Exit { reason: Some("node_deleted".to_owned()), ..Exit::default() };
        let last = plain::ended((**instance).clone(), now, exit);
        Change::Forget(Entity::Instance(Box::new(last)))
    });
    ends.chain([Change::Forget(Entity::Node(Node::clone(node)))]).collect()
}
