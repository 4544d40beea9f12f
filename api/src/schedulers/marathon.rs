//! Marathon 0.8 to 1.11: its lists are the truth, its events tell what to look at again.
//!
//! ```text
//! one cluster: connect -- stream --> frames --> wire::Event --.
//!                 |                                           >-- ledger --> sink --> reconcile --> centre
//!                 '------ list --> wire --> translate --------'     |
//!                           ^--- pace <--- what is dirty <----------'
//! ```
//!
//! Nothing that Marathon sends is relied on beyond its lists: events may be lost, doubled, late or out of order.
//! Pure: [`wire`], [`frames`], [`ids`], [`translate`], [`ledger`], [`hosts`], [`pace`]. The rest is IO: [`client`], [`stream`], [`sink`];
//! [`session`] is one connection, [`follow`] all of them.

pub mod client;
pub mod follow;
pub mod frames;
pub mod hosts;
pub mod ids;
pub mod ledger;
pub mod pace;
pub mod session;
pub mod sink;
pub mod status;
pub mod stream;
pub mod translate;
pub mod wire;

use crate::centre::Centre;
use crate::config::{Cluster, Kind};
use crate::nodes::Nodes;
use common::exposition::Exposition;
use sink::Sink;
use status::{Shared, Status};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The followers of all Marathon clusters.
#[derive(Debug, Clone, Default)]
pub struct Marathons {
    followers: Arc<[Arc<Shared>]>,
}

impl Marathons {
    /// Begins to follow each cluster of kind `marathon`, with the nodes' facts at hand. Ends with `stop`.
    pub fn start(
        clusters: &[Cluster],
        centre: &Centre,
        nodes: &Nodes,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let marathons = clusters.iter().filter(|c| c.kind == Kind::Marathon);
        let followers = marathons.map(|cluster| {
            let shared = Arc::new(Shared::new(cluster));
            let lease = centre.lease(&format!("marathon/{}", cluster.name));
            let sink = Sink::new(cluster, centre.clone(), nodes.clone());
            tasks.spawn(follow::follow(cluster.clone(), sink, lease, shared.clone(), stop.clone()));
            shared
        });
        Self { followers: followers.collect() }
    }

    /// How each goes, in the order of the config.
    pub fn status(&self) -> Vec<Status> {
        self.followers.iter().map(|shared| shared.status()).collect()
    }

    /// Their figures for Prometheus.
    pub fn expose(&self, out: &mut Exposition) {
        self.followers.iter().for_each(|shared| shared.expose(out));
    }
}

#[cfg(test)]
mod tests;
