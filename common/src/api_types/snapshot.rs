//! The scoped state at a cursor, and lists.

use super::{AppSpec, Instance, Node};
use crate::ids::Cursor;
use serde::{Deserialize, Serialize};

/// What `GET /v1/snapshot?topics=...` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Snapshot {
    /// The state is the one right after this event; follow from here.
    pub cursor: Cursor,
    /// [`super::digest::Digest`] of the lists below.
    pub digest: String,
    /// The scope, sorted.
    pub topics: Vec<String>,
    /// Apps in scope, by id.
    #[serde(default)]
    pub apps: Vec<AppSpec>,
    /// Instances in scope that have not ended, by key.
    #[serde(default)]
    pub instances: Vec<Instance>,
    /// Nodes in scope, by name.
    #[serde(default)]
    pub nodes: Vec<Node>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}
