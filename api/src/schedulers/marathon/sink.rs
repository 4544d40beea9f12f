//! From the ledger to the centre, and back at the start.

use super::ledger::{Changed, Ledger};
use crate::centre::{self, Centre, Origin};
use crate::change::Change;
use crate::config::Cluster;
use crate::nodes::Nodes;
use crate::reconcile::{self, ListedApp, ListedTask, Listing};
use common::api_types::{AppSpec, Instance, InstanceState};
use common::moment::Moment;
use std::pin::Pin;

/// What is stored, when it is: how many changes there were.
pub type Work = Pin<Box<dyn Future<Output = Result<usize, centre::Error>> + Send>>;

/// Where a cluster's facts go.
#[derive(Clone)]
pub struct Sink {
    centre: Centre,
    nodes: Nodes,
    name: String,
    dc: String,
}

impl Sink {
    /// For one cluster.
    pub fn new(cluster: &Cluster, centre: Centre, nodes: Nodes) -> Self {
        Self { centre, nodes, name: cluster.name.clone(), dc: cluster.dc.clone() }
    }

    /// A ledger with what the centre knows of the cluster.
    pub fn restore(&self) -> Ledger {
        let prefix = format!("{}/", self.name);
        let (apps, tasks) = self.centre.read(|world| {
            let apps = world.apps().filter_map(|app| listed_app(app, &self.name)).collect();
            let here = world.instances_beneath(&prefix).filter(|i| i.cluster == self.name);
            (apps, here.map(|i| listed_task(i)).collect())
        });
        Ledger::restored(apps, tasks)
    }

    /// Stores what has changed.
    pub fn store(&self, ledger: &Ledger, changed: &Changed) -> Work {
        let listing =
            Listing { cluster: self.name.clone(), dc: self.dc.clone(), at: Moment::now() };
        let origin = |cause: &str| Origin {
            actor: format!("cluster:{}", self.name),
            cause: cause.to_owned(),
        };
        let (centre, nodes) = (self.centre.clone(), self.nodes.clone());
        if changed.all {
            let facts = ledger.facts(listing);
            let origin = origin("listed by Marathon");
            return Box::pin(async move {
                let decide = move |world: &_| {
                    nodes.with_view(|view| reconcile::cluster(world, &facts, view))
                };
                centre.change(origin, decide).await.map(|events| events.len())
            });
        }
        let (apps, tasks) = (ledger.apps(&changed.apps), ledger.tasks(&changed.tasks));
        let origin = origin("told by Marathon");
        Box::pin(async move {
            let decide = move |world: &_| {
                let of_apps = apps.iter().flat_map(|app| reconcile::app(world, &listing, app));
                let mut changes: Vec<Change> = of_apps.collect();
                nodes.with_view(|view| {
                    let of_task = |task| reconcile::task(world, &listing, task, view);
                    changes.extend(tasks.iter().flat_map(of_task));
                });
                changes
            };
            centre.change(origin, decide).await.map(|events| events.len())
        })
    }
}

fn listed_app(app: &AppSpec, cluster: &str) -> Option<ListedApp> {
    let here = app.dcs.iter().find(|line| line.cluster == cluster)?;
    Some(ListedApp {
        id: app.id.clone(),
        labels: app.labels.clone(),
        owner: None,
        wanted: here.wanted.unwrap_or(0),
    })
}

fn listed_task(instance: &Instance) -> ListedTask {
    ListedTask {
        id: instance.id.clone(),
        app: instance.app.clone(),
        host: instance.node.as_ref().map(|node| node.as_str().to_owned()),
        state: instance.state,
        health: instance.health,
        started_at: instance.started_at,
        ended_at: instance.ended_at,
        exit: (instance.state == InstanceState::Ended).then(|| instance.exit.clone()).flatten(),
        backends: instance.backends.clone(),
        version: instance.version.clone(),
        restarts: instance.restarts,
    }
}
