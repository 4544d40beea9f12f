//! The way to the logs of an instance: where the log-agent of its node listens. Pure.

use crate::world::World;
use axum::http::uri::Authority;
use common::api_types::Instance;
use common::printable::printable;

/// The agent that serves logs.
pub const AGENT: &str = "log-agent";

/// A way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// `http://host-17:7002` or `https://...`, without a path.
    pub base: String,
    /// Why it may not work.
    pub care: Option<String>,
}

/// The way, or why there is none. `reached`: the agent's address as others reach it, where that is known better than by its own word.
pub fn way(world: &World, instance: &Instance, reached: Option<String>) -> Result<Way, String> {
    let name = instance.node.as_ref().ok_or("it is not placed on a node yet")?;
    let shown = printable(name.as_str());
    let node = world.node(name).ok_or_else(|| format!("node {shown} has not reported yet"))?;
    let agent = node.agents.iter().find(|agent| agent.name == AGENT);
    let agent = agent.ok_or_else(|| format!("no log-agent reports from node {shown}"))?;
    // an agent's word: only an address of host and port becomes a link
    let address = reached.as_ref().unwrap_or(&agent.address).parse::<Authority>().ok();
    let address = address.filter(|address| {
        address.port_u16().is_some()
            && !address.host().is_empty()
            && !address.as_str().contains('@')
    });
    let address =
        address.ok_or_else(|| format!("the log-agent of node {shown} tells no address"))?;
    let care = agent.silent.then(|| format!("the log-agent of node {shown} is silent"));
    let scheme = if agent.tls { "https" } else { "http" };
    Ok(Way { base: format!("{scheme}://{address}"), care })
}
