//! What the engine says, as values: its version, where its data is, its list of containers, its events. Pure.

use crate::container::{Health, is_executor, is_id};
use crate::lenient::{from_json, lenient};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Component, PathBuf};

/// The API this code was written against (Docker 25). Older engines are asked in theirs.
const OURS: (u32, u32) = (1, 44);
/// Most entries of one list that are looked at.
pub(super) const MAX_LISTED: usize = 10_000;
/// Longest path of its data, in bytes: the kernel's own limit.
const MAX_ROOT: usize = 4_096;

/// `GET /version`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) version: String,
    #[serde(default, deserialize_with = "lenient")]
    api_version: String,
    #[serde(default, deserialize_with = "lenient", rename = "MinAPIVersion")]
    min_api_version: String,
}

impl Version {
    pub(super) fn parse(json: &[u8]) -> serde_json::Result<Self> {
        let mut version: Self = from_json(json)?;
        version.version = version.version.chars().take(64).collect();
        Ok(version)
    }

    /// The path prefix to ask with: `/v1.44`, or the nearest the engine speaks; none if it does not say.
    pub(super) fn prefix(&self) -> String {
        let number = |text: &str| -> Option<(u32, u32)> {
            let (major, minor) = text.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        let Some(newest) = number(&self.api_version) else { return String::new() };
        let oldest = number(&self.min_api_version).unwrap_or((1, 0));
        let (major, minor) = OURS.min(newest).max(oldest);
        format!("/v{major}.{minor}")
    }
}

/// `GET /info`, as far as it is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default, deserialize_with = "lenient")]
    docker_root_dir: String,
}

/// Where the engine keeps its data; None for what cannot be that.
pub(super) fn parse_root(json: &[u8]) -> serde_json::Result<Option<PathBuf>> {
    let info: Info = from_json(json)?;
    let root = PathBuf::from(info.docker_root_dir);
    let plain = |c: Component<'_>| matches!(c, Component::RootDir | Component::Normal(_));
    let good = root.is_absolute() && root.components().all(plain) && root.components().count() > 1;
    Ok(Some(root).filter(|root| good && root.as_os_str().len() <= MAX_ROOT))
}

/// One entry of `GET /containers/json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    /// An executor's own container: to be left alone.
    pub(super) executor: bool,
    /// Running or paused; an engine that does not say lists only those.
    pub(super) runs: bool,
    /// Whether it is paused, where the engine says so.
    pub(super) paused: Option<bool>,
    /// Its health, where the engine says so.
    pub(super) health: Option<Health>,
    /// Changes when the entry does, apart from the passing of time.
    pub(super) print: u64,
    /// No more than this many seconds up, by the engine's own words ("Up 3 minutes").
    pub(super) up_at_most: Option<u64>,
}

/// Reads a list. The number is that of entries beyond the bound, or without a usable id.
pub(super) fn parse_list(json: &[u8]) -> serde_json::Result<(Vec<Listed>, usize)> {
    let List { kept, left_out } = from_json(json)?;
    Ok((kept, left_out))
}

/// What is kept of a list. Its entries are taken one at a time: as a tree of values, the list of a large host is many times its text.
struct List {
    kept: Vec<Listed>,
    left_out: usize,
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of containers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<List, A::Error> {
                let mut list = List { kept: Vec::new(), left_out: 0 };
                while let Some(entry) = entries.next_element()? {
                    match listed(entry) {
                        Some(entry) if list.kept.len() < MAX_LISTED => list.kept.push(entry),
                        _ => list.left_out += 1,
                    }
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(Entries)
    }
}

fn listed(mut entry: Value) -> Option<Listed> {
    let id = entry.get("Id")?.as_str().filter(|id| is_id(id))?.to_owned();
    let names = entry.get("Names").and_then(Value::as_array);
    let executor = names.is_some_and(|n| n.iter().filter_map(Value::as_str).any(is_executor));
    let state = entry.get("State").and_then(Value::as_str).unwrap_or("");
    let runs = matches!(state, "" | "running" | "paused");
    let status = entry.get("Status").and_then(Value::as_str).unwrap_or("");
    let mut hasher = DefaultHasher::new();
    // "Up 3 minutes (healthy)": the remark counts, the time does not
    let remark = status.split_once('(').map(|(_, remark)| remark);
    remark.hash(&mut hasher);
    let health = match remark {
        Some("healthy)") => Some(Health::Healthy),
        Some("unhealthy)") => Some(Health::Unhealthy),
        _ => None,
    };
    let paused = (!state.is_empty()).then_some(state == "paused");
    let up_at_most = up_at_most(status);
    // only what is stable: newer engines add counters that tick
    for key in [
        "Names",
        "Image",
        "ImageID",
        "State",
        "Labels",
        "Ports",
        "Mounts",
        "NetworkSettings",
        "HostConfig",
    ] {
        if let Some(value) = entry.get_mut(key) {
            // the engine walks maps: lists come in any order
            sort_lists(value);
            value.to_string().hash(&mut hasher);
        }
    }
    Some(Listed { id, executor, runs, paused, health, print: hasher.finish(), up_at_most })
}

/// Sorts every list within a value. The depth is bounded by the JSON parser.
fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(sort_lists);
            list.sort_by_cached_key(Value::to_string);
        }
        Value::Object(fields) => fields.values_mut().for_each(sort_lists),
        _ => {}
    }
}

/// The most seconds that `Up ...` can stand for (go-units `HumanDuration`). It shows a restart whose events were lost: the list has no start time.
fn up_at_most(status: &str) -> Option<u64> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let text = status.strip_prefix("Up ")?;
    let text = text.split_once('(').map_or(text, |(time, _)| time).trim();
    match text {
        "Less than a second" => return Some(1),
        "About a minute" => return Some(2 * MINUTE),
        "About an hour" => return Some(2 * HOUR),
        _ => {}
    }
    let (number, unit) = text.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let unit = match unit.strip_suffix('s').unwrap_or(unit) {
        "second" => 1,
        "minute" => MINUTE,
        "hour" => HOUR,
        "day" => DAY,
        "week" => 7 * DAY,
        "month" => 30 * DAY,
        "year" => 365 * DAY,
        _ => return None,
    };
    number.checked_add(1)?.checked_mul(unit)
}

/// What an event says has happened to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// It runs.
    Started,
    /// It has ended, with this code.
    Died(Option<i64>),
    /// The kernel killed a process of it for memory.
    Oom,
    /// It was removed.
    Destroyed,
    /// Something of it is different: look.
    Changed,
    /// Its limits are different: nothing that an inspection would show, but whoever reads the kernel wants to know.
    Limits,
}

/// One event of `GET /events`, about one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) id: String,
    pub(super) happening: Happening,
}

#[derive(Deserialize)]
struct WireEvent {
    #[serde(default, deserialize_with = "lenient", rename = "Type")]
    kind: String,
    #[serde(default, deserialize_with = "lenient", rename = "Action")]
    action: String,
    #[serde(default, deserialize_with = "lenient", rename = "Actor")]
    actor: Actor,
}

#[derive(Default, Deserialize)]
struct Actor {
    #[serde(default, deserialize_with = "lenient", rename = "ID")]
    id: String,
    #[serde(default, deserialize_with = "lenient", rename = "Attributes")]
    attributes: Attributes,
}

/// Labels stand among the attributes too, so none of them may be trusted beyond what it is used for here.
#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(default, deserialize_with = "lenient")]
    name: String,
    #[serde(default, deserialize_with = "lenient", rename = "exitCode")]
    exit_code: String,
    #[serde(default, deserialize_with = "lenient")]
    container: String,
}

/// Reads an event; none when it is not about a container we look at.
pub(super) fn parse_event(line: &[u8]) -> serde_json::Result<Option<Heard>> {
    let event: WireEvent = from_json(line)?;
    let Actor { id, attributes } = event.actor;
    let about = |id: String, happening| is_id(&id).then_some(Heard { id, happening });
    if event.kind == "network" {
        // connected or disconnected: its addresses are others
        return Ok(about(attributes.container, Happening::Changed));
    }
    if event.kind != "container" || is_executor(&attributes.name) {
        return Ok(None);
    }
    // "health_status: healthy"
    let action = event.action.split(':').next().unwrap_or("").trim();
    let happening = match action {
        "start" => Happening::Started,
        "die" => Happening::Died(attributes.exit_code.parse().ok()),
        "oom" => Happening::Oom,
        "destroy" => Happening::Destroyed,
        "health_status" | "rename" | "pause" | "unpause" => Happening::Changed,
        "update" => Happening::Limits,
        _ => return Ok(None),
    };
    Ok(about(id, happening))
}

#[cfg(test)]
mod tests;
