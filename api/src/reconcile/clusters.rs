//! Which schedulers there are: who owns an app's instances in a data centre.

use common::api_types::ContainerFact;

/// What runs a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// Nobody above the Docker engines: the nodes' inventories are the truth.
    Docker,
    /// Marathon: its lists are the truth.
    Marathon,
}

/// The configured clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clusters(Vec<(String, String, Scheduler)>);

impl Clusters {
    /// From (name, dc, scheduler).
    pub fn new(all: impl IntoIterator<Item = (String, String, Scheduler)>) -> Self {
        Self(all.into_iter().collect())
    }

    /// The cluster of containers without a scheduler in this dc: the first one configured so, else `local`.
    pub fn plain(&self, dc: &str) -> &str {
        let docker = self.0.iter().find(|(_, at, kind)| at == dc && *kind == Scheduler::Docker);
        match docker {
            Some((name, ..)) => name,
            // a name stands for one cluster: a Marathon that is called `local`, wherever, keeps its own
            None if self.0.iter().any(|(name, ..)| name == "local") => "docker",
            None => "local",
        }
    }

    /// The Marathons of a dc.
    pub fn marathons<'a>(&'a self, dc: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(_, at, kind)| at == dc && *kind == Scheduler::Marathon)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dc_without_docker_cluster_has_a_local_one() {
        let made = |all: &[(&str, &str, Scheduler)]| {
            Clusters::new(all.iter().map(|(n, d, s)| ((*n).to_owned(), (*d).to_owned(), *s)))
        };
        let clusters =
            made(&[("m1", "dc1", Scheduler::Marathon), ("d1", "dc1", Scheduler::Docker)]);
        assert_eq!((clusters.plain("dc1"), clusters.plain("dc2")), ("d1", "local"));
        assert!(clusters.schedules("dc1", "m1") && !clusters.schedules("dc2", "m1"));
        assert_eq!(made(&[("local", "dc1", Scheduler::Marathon)]).plain("dc1"), "docker");
        assert_eq!(made(&[("local", "dc2", Scheduler::Marathon)]).plain("dc1"), "docker");
    }
}
