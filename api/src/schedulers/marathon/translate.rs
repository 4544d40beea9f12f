//! Marathon's apps and tasks in our words. Pure.
//!
//! Whatever is out of bounds is left out and counted: an app or task without a usable id, labels beyond what an app may have.

mod backends;

use super::ids;
use super::wire;
use crate::reconcile::{ListedApp, ListedTask};
use common::api_types::{Exit, InstanceState};
use common::container::Health;
use common::ids::{AppId, InstanceId};
use common::moment::Moment;
use std::collections::BTreeMap;

/// Longest app id and task id, in bytes.
const LONGEST_ID: usize = 1024;
/// Longest host name.
const LONGEST_HOST: usize = 255;
/// Longest text kept of a status or version.
const LONGEST_WORD: usize = 200;
/// Most labels of an app, and most bytes of one and of all.
const MOST_LABELS: usize = 256;
const LONGEST_LABEL: usize = 4096;
const LABEL_BYTES: usize = 32 << 10;

/// An app with its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The app.
    pub app: ListedApp,
    /// How many checks it has.
    pub checks: usize,
    /// Its tasks.
    pub tasks: Vec<TranslatedTask>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslatedTask {
    /// In our words.
    pub task: ListedTask,
    /// The instance it is a run of.
    pub instance: String,
    /// A check has had a result: `task.health` is Marathon's word.
    pub checked: bool,
}

/// An app's id in our words: without the leading slash. None for what is none.
pub fn app_id(id: &str) -> Option<AppId> {
    let id = id.trim_matches('/');
    usable(id).then(|| AppId::new(id))
}

/// Whether this can be an id.
fn usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(char::is_control)
}

/// A host's name or address. Only what is one: it becomes part of the configuration of others.
pub fn host(host: &str) -> Option<String> {
    let part =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    (!host.is_empty() && host.len() <= LONGEST_HOST && host.bytes().all(part))
        .then(|| host.to_owned())
}

/// Translates a list of apps; what is out of bounds is counted in `left_out`.
pub fn apps(apps: Vec<wire::App>, left_out: &mut u64) -> Vec<Translated> {
    apps.into_iter().filter_map(|listed| app(listed, left_out)).collect()
}

/// Translates one app.
pub fn app(mut listed: wire::App, left_out: &mut u64) -> Option<Translated> {
    let Some(id) = app_id(&listed.id) else {
        *left_out += 1;
        return None;
    };
    let tasks = listed.tasks.take().unwrap_or_default();
    let outlets = backends::Outlets::of(&listed);
    let tasks = tasks
        .into_iter()
        .filter_map(|raw| {
            let translated = task(&id, &outlets, raw);
            *left_out += u64::from(translated.is_none());
            translated
        })
        .collect();
    let app = ListedApp {
        id,
        labels: labels(listed.labels, left_out),
        owner: None,
        wanted: listed.instances.unwrap_or(1),
    };
    Some(Translated { app, checks: listed.health_checks.len(), tasks })
}

fn labels(labels: BTreeMap<String, String>, left_out: &mut u64) -> BTreeMap<String, String> {
    let mut room = LABEL_BYTES;
    let mut kept = BTreeMap::new();
    for (key, value) in labels {
        let size = key.len() + value.len();
        if size > LONGEST_LABEL || size > room || kept.len() == MOST_LABELS {
            *left_out += 1;
            continue;
        }
        room -= size;
        kept.insert(key, value);
    }
    kept
}

fn task(app: &AppId, outlets: &backends::Outlets, raw: wire::Task) -> Option<TranslatedTask> {
    if !usable(&raw.id) {
        return None;
    }
    let started_at = raw.started_at.as_deref().and_then(Moment::parse);
    let status = raw.state.as_deref().map(word);
    let state = status.as_deref().and_then(state).unwrap_or(match started_at {
        Some(_) => InstanceState::Running,
        None => InstanceState::Staging,
    });
    let host = raw.host.as_deref().and_then(host);
    let mut results = raw.health_check_results.iter().filter_map(|r| r.alive);
    let told = raw.health_check_results.iter().find_map(|r| r.instance_id.as_deref());
    let of_task = ids::of_task(&raw.id);
    let checked = results.clone().next().is_some();
    let instance = match told {
        Some(id) if usable(id) => id.to_owned(),
        _ => of_task.instance,
    };
    let task = ListedTask {
        app: app.clone(),
        host,
        state,
        health: match (checked, results.all(|alive| alive)) {
            (false, _) => Health::Unknown,
            (true, true) => Health::Healthy,
            (true, false) => Health::Unhealthy,
        },
        started_at,
        ended_at: None,
        exit: (state == InstanceState::Ended).then(|| Exit { reason: status, ..Exit::default() }),
        backends: outlets.of_task(&raw),
        version: raw.version.as_deref().map(word),
        restarts: of_task.restarts,
        id: InstanceId::new(raw.id),
    };
    Some(TranslatedTask { task, instance, checked })
}

/// What a Mesos status is to us; None for one that is not known.
///
/// `TASK_LOST` may be over or may come back, which only Marathon knows: until the next list it counts as out of reach.
pub fn state(status: &str) -> Option<InstanceState> {
    Some(match status {
        "TASK_STAGING" => InstanceState::Staging,
        "TASK_STARTING" => InstanceState::Starting,
        "TASK_RUNNING" => InstanceState::Running,
        "TASK_KILLING" => InstanceState::Stopping,
        "TASK_UNREACHABLE" | "TASK_LOST" => InstanceState::Unreachable,
        "TASK_FINISHED"
        | "TASK_FAILED"
        | "TASK_KILLED"
        | "TASK_ERROR"
        | "TASK_DROPPED"
        | "TASK_GONE"
        | "TASK_GONE_BY_OPERATOR"
        | "TASK_UNKNOWN" => InstanceState::Ended,
        _ => return None,
    })
}

/// A word of Marathon's, cut to a size.
pub fn word(text: &str) -> String {
    text.chars().take(LONGEST_WORD).collect()
}

#[cfg(test)]
mod tests;
