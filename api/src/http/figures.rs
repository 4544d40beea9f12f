//! What the daemon counts, in the words of `/metrics`: `qae_api_*` is this process, `qae_*` what it knows of the fleet.

use super::state::Api;
use common::api_types::InstanceState;
use common::container::Health;
use common::exposition::{Exposition, Labels};
use common::metric::Value;
use common::own::Own;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// All of it.
pub fn fill(out: &mut Exposition, api: &Api) {
    fleet(out, api);
    api.marathons.expose(out);
    let mut own = Figures { out };
    own.one(
        "start_time_seconds",
        "Start of this process, Unix time.",
        Value::Milli(api.started.unix_ms()),
    );
    let process = Own::read();
    if let Some(bytes) = process.resident {
        own.one("resident_bytes", "Memory of this process.", Value::Int(bytes));
    }
    if let Some(ms) = process.cpu_ms {
        own.one("cpu_seconds_total", "CPU time of this process.", Value::Milli(ms));
    }
    own.one(
        "ready",
        "1 if the store takes changes.",
        Value::Int(u64::from(api.centre.healthy().is_ok())),
    );
    own.one("head", "Number of the last event.", Value::Int(api.centre.head().seq));
    own.one("oldest", "Number of the oldest event that is kept.", Value::Int(api.centre.oldest()));
    api.counts
        .each(|name, value| own.total("http", name, "What happened at the HTTP side.", value));
    centre(&mut own, api);
    readers(&mut own, api);
    reports(&mut own, api);
    graphite(&mut own, api);
    api.relay.each_count(|name, value| own.any("relay", name, "Logs through the centre.", value));
    api.access.each_count(|name, value| own.any("access", name, "Who was let in.", value));
}

fn centre(own: &mut Figures<'_>, api: &Api) {
    let counts = api.centre.counts();
    for (name, count) in [
        ("commits", &counts.commits),
        ("events", &counts.events),
        ("others_events", &counts.others),
        ("failures", &counts.failures),
        ("refused", &counts.refused),
        ("replays", &counts.replays),
    ] {
        own.total("centre", name, "Transactions and events.", count.load(Ordering::Relaxed));
    }
}

fn readers(own: &mut Figures<'_>, api: &Api) {
    let counts = api.bus.counts();
    for (name, count) in [
        ("readers", &counts.readers),
        ("feeds", &counts.feeds),
        ("frames", &counts.frames),
        ("slow", &counts.slow),
        ("failed", &counts.failed),
        ("gone", &counts.gone),
    ] {
        own.any("bus", name, "Readers of the bus.", count.load(Ordering::Relaxed));
    }
    let counts = api.snapshots.counts();
    for (name, count) in
        [("renders", &counts.renders), ("shared", &counts.shared), ("busy", &counts.busy)]
    {
        own.total("snapshots", name, "Snapshots.", count.load(Ordering::Relaxed));
    }
}

fn reports(own: &mut Figures<'_>, api: &Api) {
    let counts = api.nodes.counts();
    for (name, count) in [
        ("taken", &counts.reports),
        ("judged", &counts.judged),
        ("silences", &counts.silences),
        ("skipped", &counts.skipped),
        ("taken_over", &counts.taken_over),
        ("write_failures", &counts.write_failures),
    ] {
        own.total("reports", name, "Reports of agents.", count.load(Ordering::Relaxed));
    }
    for (code, count) in counts.refused() {
        let labels = Labels::new(&[("code", code)]);
        let name = "qae_api_reports_refused_total";
        own.out.add(name, "Reports not taken, by code.", &labels, Value::Int(count));
    }
}

fn graphite(own: &mut Figures<'_>, api: &Api) {
    let Some(figures) = &api.figures else { return };
    let counts = figures.counts();
    for (name, count) in
        [("points", &counts.points), ("refused", &counts.refused), ("missed", &counts.missed)]
    {
        own.total("figures", name, "Figures of apps.", count.load(Ordering::Relaxed));
    }
    figures.status().each(|name, help, value| {
        own.one(&format!("carbon_{name}"), help, Value::Int(value));
    });
}

/// What is counted now, not since the start.
const GAUGES: &[&str] = &["tokens", "sessions", "slowed_addresses", "readers", "feeds", "open"];

struct Figures<'a> {
    out: &'a mut Exposition,
}

impl Figures<'_> {
    fn one(&mut self, name: &str, help: &str, value: Value) {
        self.out.add(&format!("qae_api_{name}"), help, &Labels::default(), value);
    }

    /// A counter, or one of the few that rise and fall.
    fn any(&mut self, group: &str, name: &str, help: &str, value: u64) {
        if GAUGES.contains(&name) {
            self.one(&format!("{group}_{name}"), help, Value::Int(value));
        } else {
            self.total(group, name, help, value);
        }
    }

    fn total(&mut self, group: &str, name: &str, help: &str, value: u64) {
        self.one(&format!("{group}_{name}_total"), help, Value::Int(value));
    }
}

/// What there is: apps, instances by state and health, nodes.
fn fleet(out: &mut Exposition, api: &Api) {
    let (apps, instances, nodes, silent) = api.centre.read(|world| {
        let mut instances: BTreeMap<(&'static str, &'static str), u64> = BTreeMap::new();
        for instance in world.instances() {
            *instances.entry((state(instance.state), health(instance.health))).or_default() += 1;
        }
        let silent = world.nodes().filter(|n| n.silent()).count();
        (world.apps().count(), instances, world.nodes().count(), silent)
    });
    let mut gauge = |name: &str, help: &str, value: usize| {
        out.add(name, help, &Labels::default(), Value::Int(value as u64));
    };
    gauge("qae_apps", "Apps.", apps);
    gauge("qae_nodes", "Nodes.", nodes);
    gauge("qae_nodes_silent", "Nodes of which no agent reports.", silent);
    for ((state, health), count) in instances {
        let labels = Labels::new(&[("state", state), ("health", health)]);
        out.add("qae_instances", "Instances that have not ended.", &labels, Value::Int(count));
    }
}

const fn state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Staging => "staging",
        InstanceState::Starting => "starting",
        InstanceState::Running => "running",
        InstanceState::Stopping => "stopping",
        InstanceState::Unreachable => "unreachable",
        InstanceState::Ended => "ended",
    }
}

const fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
        Health::Unknown => "unknown",
    }
}
