//! Which schedulers there are: who owns an app's instances in a data centre.

use crate::config::{Cluster, Kind, cluster::LOCAL};
use common::api_types::ContainerFact;

/// The configured clusters: name, dc, kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clusters(Vec<(String, String, Kind)>);

impl Clusters {
    /// As configured.
    pub fn new(clusters: &[Cluster]) -> Self {
        Self(clusters.iter().map(|c| (c.name.clone(), c.dc.clone(), c.kind)).collect())
    }

    /// The cluster of containers without a scheduler in this dc.
    pub fn plain(&self, dc: &str) -> &str {
        let docker = self.0.iter().find(|(_, at, kind)| at == dc && *kind == Kind::Docker);
        docker.map_or(LOCAL, |(name, ..)| name)
    }

    /// The Marathons of a dc.
    pub fn marathons<'a>(&'a self, dc: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(_, at, kind)| at == dc && *kind == Kind::Marathon)
            .map(|(name, ..)| name.as_str())
    }

    /// Whether this cluster has a scheduler of its own that says what its instances are.
    pub fn schedules(&self, dc: &str, cluster: &str) -> bool {
        self.marathons(dc).any(|name| name == cluster)
    }

    /// The task that a container is to a Marathon of the dc. None for a container that stands for itself: no task, or no Marathon
    /// here, or a run of Chronos (`ct:...`), of which no Marathon will ever tell.
    ///
    /// A task waits for its Marathon's word: were it shown by itself until then, every start and every end would be told twice.
    pub fn task<'a>(&self, dc: &str, container: &'a ContainerFact) -> Option<&'a str> {
        let task = container.task.as_deref().filter(|t| !t.is_empty() && !t.starts_with("ct:"))?;
        self.marathons(dc).next().map(|_| task)
    }

    /// One text for all of them: what was judged by other clusters has to be judged again.
    pub fn fingerprint(&self) -> String {
        let line =
            |(name, dc, kind): &(String, String, Kind)| format!("{name} {} {dc}", kind.name());
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use crate::reconcile::tests::lab;

    #[test]
    fn a_dc_without_docker_cluster_has_a_local_one() {
        let clusters = lab::clusters();
        assert_eq!((clusters.plain("dc1"), clusters.plain("dc2")), ("local", "d2"));
        assert!(clusters.schedules("dc1", "m1") && !clusters.schedules("dc2", "m1"));
    }
}
