//! The ways to the agents: where the one of an instance's node listens, and who vouches that it is the one.

use crate::centre::Centre;
use crate::nodes::Nodes;
use crate::world::World;
use axum::http::uri::Authority;
use common::api_types::Instance;
use common::http::Options;
use common::printable::printable;
use common::tls;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Where the authorities that vouch for agents are named.
const CA_SETTING: &str = "[server] agents_ca";

/// To all agents. Clones are the same.
#[derive(Clone)]
pub struct Ways {
    centre: Centre,
    nodes: Nodes,
    /// None for the system's authorities.
    vouching: Option<Arc<Vouching>>,
}

/// The authorities of a file.
struct Vouching {
    file: PathBuf,
    client: RwLock<tls::Client>,
}

impl Ways {
    /// `agents_ca`: the file of the authorities that vouch for agents; None for the system's.
    pub fn new(centre: Centre, nodes: Nodes, agents_ca: Option<&Path>) -> Result<Self, tls::Error> {
        let read = |file: &Path| {
            let client = RwLock::new(tls::Client::load(Some(file))?);
            Ok(Arc::new(Vouching { file: file.to_owned(), client }))
        };
        Ok(Self { centre, nodes, vouching: agents_ca.map(read).transpose()? })
    }

    /// Reads the file of the authorities again, for whoever is connected to from now on. An error changes nothing. False if there is none.
    pub fn reload(&self) -> Result<bool, tls::Error> {
        let Some(vouching) = &self.vouching else { return Ok(false) };
        let next = tls::Client::load(Some(&vouching.file))?;
        *vouching.client.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(true)
    }

    /// The way to this agent of an instance's node, or why there is none.
    pub fn to(&self, agent: &str, instance: &Instance) -> Result<Way, String> {
        let reached = instance.node.as_ref().and_then(|node| self.nodes.address(node, agent));
        self.centre.read(|world| way(world, agent, instance, reached))
    }

    /// How an agent is asked.
    pub fn options(&self, timeout: Duration, max_body: usize) -> Options {
        let client = |vouching: &Arc<Vouching>| {
            vouching.client.read().unwrap_or_else(PoisonError::into_inner).clone()
        };
        let tls = self.vouching.as_ref().map(client);
        Options { timeout, max_body, tls, ca_setting: CA_SETTING, ..Options::default() }
    }
}

/// A way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// `http://host-17:7002` or `https://...`, without a path.
    pub base: String,
    /// Why it may not work.
    pub care: Option<String>,
}

/// The way, or why there is none. `reached`: the agent's address as others reach it, where that is known better than by its own word. Pure.
pub fn way(
    world: &World,
    agent: &str,
    instance: &Instance,
    reached: Option<String>,
) -> Result<Way, String> {
    let name = instance.node.as_ref().ok_or("it is not placed on a node yet")?;
    let shown = printable(name.as_str());
    let node = world.node(name).ok_or_else(|| format!("node {shown} has not reported yet"))?;
    let known = node.agents.iter().find(|known| known.name == agent);
    let known = known.ok_or_else(|| format!("no {agent} reports from node {shown}"))?;
    // an agent's word: only an address of host and port becomes a link
    let address = reached.as_ref().unwrap_or(&known.address).parse::<Authority>().ok();
    let address = address.filter(|address| {
        address.port_u16().is_some()
            && !address.host().is_empty()
            && !address.as_str().contains('@')
    });
    let address = address.ok_or_else(|| format!("the {agent} of node {shown} tells no address"))?;
    let care = known.silent.then(|| format!("the {agent} of node {shown} is silent"));
    let scheme = if known.tls { "https" } else { "http" };
    Ok(Way { base: format!("{scheme}://{address}"), care })
}
