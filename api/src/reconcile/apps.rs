//! What an app is, said by several clusters: each owns its own line in `dcs`; of the labels the first scheduler's count (by dc, then
//! cluster), without one those of the container that started last.

use super::facts::NodeFactsView;
use super::observed::{ListedApp, Listing};
use crate::change::Change;
use crate::world::World;
use common::api_types::{AppSpec, Entity, Wanted};
use common::ids::AppId;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

const LABEL_OWNER: &str = "qae.owner";

/// The app with what its scheduler says of it now.
pub(super) fn scheduled(before: Option<&AppSpec>, listing: &Listing, app: &ListedApp) -> AppSpec {
    let mut spec = before.cloned().unwrap_or_else(|| new(&app.id));
    spec.dcs.retain(|line| line.cluster != listing.cluster);
    enter(&mut spec, &listing.dc, &listing.cluster, Some(app.wanted));
    let first = spec.dcs.iter().find(|line| line.wanted.is_some());
    if first.is_some_and(|line| line.cluster == listing.cluster) {
        label(&mut spec, &app.labels);
        spec.owner = app.owner.clone().filter(|o| !o.is_empty()).or(spec.owner);
    }
    spec
}

/// The app after this cluster has it no more; None if nobody has.
pub(super) fn withdrawn(before: &AppSpec, cluster: &str, view: &NodeFactsView) -> Option<AppSpec> {
    let mut spec = before.clone();
    spec.dcs.retain(|line| line.cluster != cluster);
    if spec.dcs.is_empty() {
        return None;
    }
    label_plain(&mut spec, view);
    Some(spec)
}

/// The app with a container of it that no scheduler speaks for.
pub(super) fn plain(
    before: Option<&AppSpec>,
    app: &AppId,
    dc: &str,
    cluster: &str,
    view: &NodeFactsView,
) -> AppSpec {
    let mut spec = before.cloned().unwrap_or_else(|| new(app));
    if !spec.dcs.iter().any(|line| line.dc == dc && line.cluster == cluster) {
        enter(&mut spec, dc, cluster, None);
    }
    label_plain(&mut spec, view);
    spec
}

/// The app after a container of it that no scheduler speaks for is gone: another one's labels may count now.
pub(super) fn relabelled(before: &AppSpec, view: &NodeFactsView) -> AppSpec {
    let mut spec = before.clone();
    label_plain(&mut spec, view);
    spec
}

/// Gives an app that is new, and of which nothing runs any more, the labels that its container had.
pub(super) fn label_new(spec: &mut AppSpec, labels: &BTreeMap<String, String>) {
    if spec.labels.is_empty() && spec.dcs.iter().all(|line| line.wanted.is_none()) {
        label(spec, labels);
    }
}

/// Plain apps that have lost their last instance somewhere, and may be forgotten there.
pub fn idle(world: &World) -> Vec<AppId> {
    let idle = |app: &&Arc<AppSpec>| app.dcs.iter().any(|line| is_idle(world, app, line));
    world.apps().filter(idle).map(|app| app.id.clone()).collect()
}

/// What becomes of apps that have been idle for long.
pub fn expired(world: &World, view: &NodeFactsView, long: &HashSet<AppId>) -> Vec<Change> {
    let long = long.iter().filter_map(|id| world.app(id));
    long.filter_map(|app| without(app, |line| is_idle(world, app, line), view)).collect()
}

fn is_idle(world: &World, app: &AppSpec, line: &Wanted) -> bool {
    line.wanted.is_none()
        && !world.of_app(&app.id).any(|i| i.dc == line.dc && i.cluster == line.cluster)
}

/// Lines of clusters that are configured no more.
pub(super) fn unconfigured(world: &World, view: &NodeFactsView) -> Vec<Change> {
    let clusters = view.clusters();
    let unknown = |line: &Wanted| match line.wanted {
        Some(_) => !clusters.schedules(&line.dc, &line.cluster),
        None => clusters.plain(&line.dc) != line.cluster,
    };
    world.apps().filter_map(|app| without(app, unknown, view)).collect()
}

fn without(app: &AppSpec, out: impl Fn(&Wanted) -> bool, view: &NodeFactsView) -> Option<Change> {
    if !app.dcs.iter().any(&out) {
        return None;
    }
    let mut spec = app.clone();
    spec.dcs.retain(|line| !out(line));
    if spec.dcs.is_empty() {
        return Some(Change::Forget(Entity::App(app.clone())));
    }
    label_plain(&mut spec, view);
    Some(Change::Put(Entity::App(spec)))
}

fn new(id: &AppId) -> AppSpec {
    AppSpec { id: id.clone(), labels: BTreeMap::new(), owner: None, dcs: Vec::new() }
}

fn enter(spec: &mut AppSpec, dc: &str, cluster: &str, wanted: Option<u32>) {
    spec.dcs.push(Wanted { dc: dc.to_owned(), cluster: cluster.to_owned(), wanted });
    spec.dcs.sort();
}

fn label(spec: &mut AppSpec, labels: &BTreeMap<String, String>) {
    spec.labels.clone_from(labels);
    spec.owner = labels.get(LABEL_OWNER).filter(|owner| !owner.is_empty()).cloned();
}

fn label_plain(spec: &mut AppSpec, view: &NodeFactsView) {
    if spec.dcs.iter().all(|line| line.wanted.is_none()) {
        if let Some(labels) = view.labels(&spec.id) {
            label(spec, labels);
        }
    }
}
