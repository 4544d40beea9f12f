//! The files of an instance.

use super::{Desk, Refused};
use crate::live::ask::{Query, bad_query};
use crate::live::files::known_by;
use crate::source::State as FileState;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use common::moment::Moment;
use common::serve::json;
use serde::Serialize;
use std::sync::Arc;

/// Files of a page, and the most.
const USUAL: u64 = 1_000;
const MOST: u64 = 10_000;

/// A list.
#[derive(Debug, Serialize)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

/// A file of it.
#[derive(Debug, Serialize)]
struct Item {
    source: String,
    file: String,
    generation: u64,
    size: u64,
    state: &'static str,
    modified: Moment,
    /// The instance has ended.
    ended: bool,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Path(instance): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let query = Query::parse(uri.query(), &["limit", "cursor"], &[]);
    let query = query.map_err(|problem| desk.refuse(problem))?;
    let guest = desk.guest(&headers, &instance).await?;
    let limit = query.number("limit")?.unwrap_or(USUAL);
    let limit = usize::try_from(limit).ok().filter(|_| (1..=MOST).contains(&limit));
    let limit = limit.ok_or_else(|| bad_query(format!("`limit` must be 1 to {MOST}")))?;
    let listing = desk.room.listings.of(&guest.instance);
    // names may come twice (a deleted file and the next of its name): the id makes places in the list single
    let place = |file: &str, source: &str| format!("{file}:{source}");
    let after = query.get("cursor").unwrap_or_default();
    let items = listing.files.iter().filter(|f| guest.access.reads(&f.file)).map(|f| {
        let tide = f.source.tide();
        Item {
            source: known_by(&f.source),
            file: f.file.to_string(),
            generation: tide.generation,
            size: tide.len,
            state: match tide.state {
                FileState::Live => "live",
                FileState::Rotated => "rotated",
                FileState::Deleted => "deleted",
            },
            modified: Moment::from_unix_ms(f.source.modified_ms()),
            ended: listing.ended,
        }
    });
    let mut items: Vec<Item> =
        items.filter(|item| place(&item.file, &item.source).as_str() > after).collect();
    items.sort_by_cached_key(|item| place(&item.file, &item.source));
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|item| place(&item.file, &item.source));
    Ok(json(&Page { items, next }))
}
