//! Where a task can be reached: its host ports by the app's port mappings, in both dialects of networking. Pure.
//!
//! `ports` of a task are the host ports of those mappings that have one, in their order. Mappings without one are at the container's own
//! address. Ports that are UDP only are no backends, since a backend has no protocol.

use crate::schedulers::marathon::wire::{App, PortMapping, Task};
use common::api_types::Backend;
use std::net::IpAddr;

/// Most ports of an app, and of a task.
const MOST: usize = 256;
/// Longest name of a port.
const LONGEST_NAME: usize = 100;

/// The ways into the tasks of an app.
#[derive(Debug, Clone, Default)]
pub(super) struct Outlets(Vec<Outlet>);

#[derive(Debug, Clone)]
struct Outlet {
    /// It takes the next of the task's host ports; else it is at the container's own address.
    on_host: bool,
    container_port: Option<u16>,
    name: Option<String>,
    tcp: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Host,
    Bridge,
    Own,
}

impl Outlets {
    /// As the app is defined.
    pub(super) fn of(app: &App) -> Self {
        let container = app.container.as_ref();
        let docker = container.and_then(|c| c.docker.as_ref());
        let old = docker.and_then(|d| d.network.as_deref());
        let mode = match (app.networks.first().and_then(|n| n.mode.as_deref()), old) {
            (Some("container/bridge"), _) | (None, Some("BRIDGE")) => Mode::Bridge,
            (Some("container"), _) | (None, Some("USER")) => Mode::Own,
            (None, None) if app.ip_address.is_some() => Mode::Own,
            _ => Mode::Host,
        };
        let new = container.map_or(&[][..], |c| &c.port_mappings);
        let mappings =
            if new.is_empty() { docker.map_or(&[][..], |d| &d.port_mappings) } else { new };
        let discovery = app.ip_address.iter().filter_map(|ip| ip.discovery.as_ref());
        let outlets: Vec<Outlet> = match mode {
            Mode::Host => app.port_definitions.iter().map(|p| Outlet::new(p, Mode::Host)).collect(),
            _ if !mappings.is_empty() => mappings.iter().map(|p| Outlet::new(p, mode)).collect(),
            _ => discovery
                .flat_map(|d| &d.ports)
                .map(|port| Outlet {
                    on_host: false,
                    container_port: port.number.filter(|p| *p > 0),
                    name: name(port.name.as_deref()),
                    tcp: is_tcp(port.protocol.as_deref()),
                })
                .collect(),
        };
        Self(outlets.into_iter().take(MOST).collect())
    }

    /// The backends of one task, sorted.
    pub(super) fn of_task(&self, task: &Task) -> Vec<Backend> {
        let host = task.host.as_deref().and_then(super::host);
        let host = host.as_deref();
        let ports = || task.ports.iter().take(MOST);
        let mut backends: Vec<Backend> =
            if self.0.iter().filter(|o| o.on_host).count() == task.ports.len() {
                let mut ports = ports();
                let own = own_address(task);
                self.0.iter().filter_map(|outlet| outlet.backend(&mut ports, host, own)).collect()
            } else {
                // made from another definition of the app, or by an old Marathon that tells no definitions: which port is which is not known
                let bare = |port: &u16| {
                    Some(Backend {
                        address: host?.to_owned(),
                        port: *port,
                        container_port: None,
                        name: None,
                    })
                };
                ports().flatten().filter(|p| **p > 0).filter_map(bare).collect()
            };
        backends.sort();
        backends.dedup();
        backends
    }
}

impl Outlet {
    fn new(mapping: &PortMapping, mode: Mode) -> Self {
        Self {
            on_host: mode != Mode::Own || mapping.host_port.is_some(),
            container_port: mapping.container_port.filter(|p| *p > 0 && mode != Mode::Host),
            name: name(mapping.name.as_deref()),
            tcp: is_tcp(mapping.protocol.as_deref()),
        }
    }

    fn backend<'a>(
        &self,
        ports: &mut impl Iterator<Item = &'a Option<u16>>,
        host: Option<&str>,
        own: Option<&str>,
    ) -> Option<Backend> {
        // a port is taken also where it is of no use: the next one is the next mapping's
        let port = if self.on_host { *ports.next()? } else { self.container_port };
        let address = if self.on_host { host } else { own };
        let port = port.filter(|port| *port > 0 && self.tcp)?;
        Some(Backend {
            address: address?.to_owned(),
            port,
            container_port: self.container_port.filter(|inside| *inside != port),
            name: self.name.clone(),
        })
    }
}

/// The container's own address. Only what is one: it goes into the configuration of others.
fn own_address(task: &Task) -> Option<&str> {
    let told = task.ip_addresses.iter().filter_map(|a| a.ip_address.as_deref());
    told.into_iter().find(|text| text.parse::<IpAddr>().is_ok())
}

fn name(name: Option<&str>) -> Option<String> {
    name.filter(|n| !n.is_empty() && n.len() <= LONGEST_NAME && !n.contains(char::is_control))
        .map(str::to_owned)
}

fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|p| p.split(',').any(|p| p.trim() == "tcp"))
}
