//! `/v1/containers` and what is beneath it.

use super::Face;
use super::find::{self, Key, cursor, find, key, place};
use super::view::{ContainerView, Page, RecentView};
use crate::board::{Shared, lock};
use crate::rate::DERIVED;
use crate::sample::Field;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use common::config::nearest;
use common::serve::{Problem, json};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Containers on a page unless `limit` says otherwise.
const USUAL: usize = 100;
/// Most containers on a page: some 4 MB of JSON.
const MOST: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<usize>,
    cursor: Option<String>,
    /// Comma-separated; all when absent.
    metrics: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecentQuery {
    metric: Option<String>,
    since: Option<String>,
}

type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

pub(super) async fn list(
    State(face): State<Arc<Face>>,
    query: Asked<ListQuery>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| Problem::bad_request(e.body_text()))?;
    let limit = query.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad_request(format!("limit must be 1 to {MOST}")));
    }
    let after = query.cursor.as_deref().map(|text| {
        place(text).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "bad_cursor",
                "this cursor is not from here; begin without one",
            )
        })
    });
    let after: Option<Key> = after.transpose()?;
    let only: Option<HashSet<&str>> = query.metrics.as_deref().map(|m| m.split(',').collect());
    let (entries, keys) = all(&face);
    let begin = after.map_or(0, |after| keys.partition_point(|key| *key <= after));
    let end = keys.len().min(begin + limit);
    let items = entries[begin..end]
        .iter()
        .map(|entry| ContainerView::of(&lock(entry), &face.dc, &face.node, only.as_ref()))
        .collect();
    let next = (end < keys.len()).then(|| cursor(&keys[end - 1]));
    Ok(json(&Page { items, next }))
}

pub(super) async fn one(
    State(face): State<Arc<Face>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (entries, keys) = all(&face);
    let entry = &entries[find(&keys, &id)?];
    Ok(json(&ContainerView::of(&lock(entry), &face.dc, &face.node, None)))
}

pub(super) async fn recent(
    State(face): State<Arc<Face>>,
    Path(id): Path<String>,
    query: Asked<RecentQuery>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| Problem::bad_request(e.body_text()))?;
    let metric = query.metric.ok_or_else(|| {
        Problem::bad_request("which metric? for example ?metric=cpu.percent&since=-15m")
    })?;
    known(&metric)?;
    let since = query.since.as_deref().map_or(Some(0), |text| since(text, SystemTime::now()));
    let since = since.ok_or_else(|| {
        Problem::bad_request("since must be Unix seconds, RFC 3339, or a time ago such as -15m")
    })?;
    let (entries, keys) = all(&face);
    let index = find(&keys, &id)?;
    let points = lock(&entries[index]).recent.series(&metric, since);
    let (_, instance, id) = keys[index].clone();
    let points = points.into_iter().filter(|(_, value)| value.is_finite()).collect();
    Ok(json(&RecentView { id, instance, metric, points }))
}

/// Every container and its place, in order.
fn all(face: &Face) -> (Vec<Shared>, Vec<find::Key>) {
    let place = |entry: Shared| {
        let key = key(&lock(&entry).container);
        (key, entry)
    };
    let mut keyed: Vec<_> = face.board.entries().into_iter().map(place).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (keys, entries) = keyed.into_iter().unzip();
    (entries, keys)
}

/// Refuses a metric that no container can have in its memory: only those without a device or interface in their name are kept.
fn known(metric: &str) -> Result<(), Problem> {
    let names = || Field::ALL.iter().map(|f| f.name()).chain(DERIVED);
    if names().any(|name| name == metric) {
        return Ok(());
    }
    let hint =
        nearest(metric, names()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "unknown_metric",
        format!("{metric} is not kept{hint}"),
    ))
}

/// `1795600800`, `2026-11-25T10:00:00Z`, `-15m`: Unix seconds, rounded up.
fn since(text: &str, now: SystemTime) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let at = match text.strip_prefix('-') {
        Some(ago) => now.checked_sub(humantime::parse_duration(ago).ok()?)?,
        None => humantime::parse_rfc3339(text).ok()?,
    };
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Some(since.as_secs() + u64::from(since.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_read_in_three_forms() {
        let now = UNIX_EPOCH + Duration::from_millis(1_795_600_800_500);
        assert_eq!(since("1795600000", now), Some(1_795_600_000));
        assert_eq!(since("2026-11-25T10:00:00Z", now), Some(1_795_600_800));
        assert_eq!(since("-15m", now), Some(1_795_599_901));
        for bad in ["", "yesterday", "-", "15m", "-15", "-99999999999999999h", "1.5"] {
            assert_eq!(since(bad, now), None, "{bad}");
        }
    }
}
