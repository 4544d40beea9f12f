//! A container without a scheduler as an instance: its node says it all.

use super::join::given;
use super::seen::Seen;
use common::api_types::{Backend, ContainerFact, EndedFact, Exit, Instance, InstanceState};
use common::container::{Port, State, is_id, is_uuid, short_id};
use common::ids::{NodeName, component};
use common::moment::Moment;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// Where a container is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub node: &'a NodeName,
    pub cluster: &'a str,
    pub seen: &'a Seen,
}

/// The key of a container's instance. Ids of Docker and Mesos are told apart by their first 12 digits; the id of a plain cgroup is
/// its path, which is not.
pub(super) fn key(cluster: &str, node: &NodeName, id: &str) -> String {
    let short = if is_id(id) || is_uuid(id) { short_id(id).to_owned() } else { component(id) };
    format!("{cluster}/{node}/{short}")
}

/// A container as it is. `exit` is how its previous run ended.
pub(super) fn instance(at: Place<'_>, container: &ContainerFact, exit: Option<Exit>) -> Instance {
    Instance {
        key: key(at.cluster, at.node, &container.id),
        id: container.instance.clone(),
        app: container.app.clone(),
        dc: at.seen.dc().to_owned(),
        cluster: at.cluster.to_owned(),
        node: Some(at.node.clone()),
        container: Some(container.id.clone()),
        state: match container.state {
            State::Running | State::Exited => InstanceState::Running,
            // frozen, it answers nobody, as between two runs
            State::Created | State::Restarting | State::Paused => InstanceState::Starting,
        },
        health: container.health,
        started_at: container.started_at,
        ended_at: None,
        exit,
        image: given(&container.image),
        digest: given(&container.digest),
        backends: backends(at, &container.ports),
        restarts: container.restarts,
        log_volumes: container.log_volumes.clone(),
        version: None,
    }
}

/// An instance at its end.
pub(super) fn ended(mut last: Instance, at: Moment, exit: Exit) -> Instance {
    last.state = InstanceState::Ended;
    last.ended_at = Some(at);
    last.exit = Some(exit);
    last
}

/// How a run ended, in the words of engines.
pub(super) fn exit(end: &EndedFact) -> Exit {
    let reason = match end.code {
        _ if end.oom => "oom_killed",
        Some(137) => "killed",
        _ => "exited",
    };
    Exit { code: end.code, reason: Some(reason.to_owned()), oom: end.oom }
}

/// Published ports as others reach them. Only TCP: a backend does not say its protocol.
fn backends(at: Place<'_>, ports: &[Port]) -> Vec<Backend> {
    let tcp = || ports.iter().filter(|p| p.protocol == "tcp" && p.port > 0);
    let any_v4: BTreeSet<u16> =
        tcp().filter(|p| p.address == IpAddr::V4(Ipv4Addr::UNSPECIFIED)).map(|p| p.port).collect();
    let made: BTreeSet<Backend> = tcp()
        .filter(|p| !(is_any_v6(p) && any_v4.contains(&p.port)))
        .map(|p| Backend {
            address: reached_at(at, p),
            port: p.port,
            container_port: Some(p.container_port),
            name: None,
        })
        .collect();
    made.into_iter().collect()
}

/// `0.0.0.0` is all addresses of the node. So is `::`, but a port open on IPv6 alone is not at the node's IPv4 address: there its name
/// is the better guess.
fn reached_at(at: Place<'_>, port: &Port) -> String {
    let node = at.seen.address();
    let elsewhere = is_any_v6(port) && node.parse::<Ipv4Addr>().is_ok();
    match port.address {
        address if !address.is_unspecified() => address.to_string(),
        _ if node.is_empty() || elsewhere => at.node.to_string(),
        _ => node.to_owned(),
    }
}

fn is_any_v6(port: &Port) -> bool {
    port.address.is_ipv6() && port.address.is_unspecified()
}
