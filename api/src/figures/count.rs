//! How many instances an app has, by where. Pure.

use crate::world::World;
use common::api_types::{AppDc, AppSpec, InstanceState};
use common::container::Health;
use std::collections::BTreeMap;

/// The app's lines with the counts of its instances: one for every cluster that defines it or runs one.
pub fn app(world: &World, app: &AppSpec) -> Vec<AppDc> {
    let mut lines: BTreeMap<(&str, &str), AppDc> = BTreeMap::new();
    for line in &app.dcs {
        let made = empty(&line.dc, &line.cluster, line.wanted);
        lines.insert((&line.dc, &line.cluster), made);
    }
    for instance in world.of_app(&app.id) {
        let line = lines
            .entry((&instance.dc, &instance.cluster))
            .or_insert_with(|| empty(&instance.dc, &instance.cluster, None));
        match instance.state {
            InstanceState::Staging | InstanceState::Starting => line.staging += 1,
            InstanceState::Running => line.running += 1,
            InstanceState::Stopping | InstanceState::Unreachable | InstanceState::Ended => {}
        }
        match instance.health {
            Health::Healthy => line.healthy += 1,
            Health::Unhealthy => line.unhealthy += 1,
            Health::Unknown => {}
        }
    }
    lines.into_values().collect()
}

/// The app in one data centre, all its clusters there together.
pub(super) fn by_dc(lines: &[AppDc]) -> BTreeMap<&str, AppDc> {
    let mut sums: BTreeMap<&str, AppDc> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(&line.dc).or_insert_with(|| empty(&line.dc, "", None));
        sum.staging += line.staging;
        sum.running += line.running;
        sum.healthy += line.healthy;
        sum.unhealthy += line.unhealthy;
        sum.wanted = match (sum.wanted, line.wanted) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
    }
    sums
}

fn empty(dc: &str, cluster: &str, wanted: Option<u32>) -> AppDc {
    AppDc {
        dc: dc.to_owned(),
        cluster: cluster.to_owned(),
        wanted,
        staging: 0,
        running: 0,
        healthy: 0,
        unhealthy: 0,
    }
}
