//! Two containers never have one name. Pure.

use super::{Container, short_id};
use crate::ids::{AppId, InstanceId};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Of those with one app and instance the oldest keeps the name, the others get a suffix. The names that were there twice, `app/instance`.
pub fn part(all: &mut BTreeMap<String, Arc<Container>>) -> Vec<String> {
    let mut by_age: Vec<Arc<Container>> = all.values().cloned().collect();
    by_age.sort_by_key(|c| c.started_at_ms.unwrap_or(u64::MAX));
    let mut taken: HashSet<(&AppId, &InstanceId)> = HashSet::with_capacity(by_age.len());
    let mut collisions = Vec::new();
    for container in by_age.iter().filter(|c| !taken.insert((&c.app, &c.instance))) {
        collisions.push(format!("{}/{}", container.app, container.instance));
        let mut apart = Container::clone(container);
        apart.instance = InstanceId::new(format!("{}-{}", apart.instance, short_id(&apart.id)));
        all.insert(apart.id.clone(), Arc::new(apart));
    }
    collisions
}
