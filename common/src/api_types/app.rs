//! An app: what is wanted of it (an entity of the bus) and what there is of it (counted when asked).

use crate::ids::AppId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An app as its schedulers define it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppSpec {
    /// The Marathon path without its leading slash, or the name from labels.
    pub id: AppId,
    /// The scheduler's labels; of plain containers those that begin with `qae.`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Label `qae.owner`.
    #[serde(default)]
    pub owner: Option<String>,
    /// Where it runs, by dc and cluster, sorted, each pair once.
    #[serde(default)]
    pub dcs: Vec<Wanted>,
}

/// How many instances a cluster is to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Wanted {
    /// Data centre.
    pub dc: String,
    /// Cluster in it.
    pub cluster: String,
    /// Wanted instances; null where nobody says (plain Docker).
    #[serde(default)]
    pub wanted: Option<u32>,
}

/// An app with its counts, as `/v1/apps` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct App {
    /// As in [`AppSpec`].
    pub id: AppId,
    /// As in [`AppSpec`].
    pub labels: BTreeMap<String, String>,
    /// As in [`AppSpec`].
    pub owner: Option<String>,
    /// Where it runs, with counts.
    pub dcs: Vec<AppDc>,
}

/// An app's instances in one cluster, ended ones not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppDc {
    /// Data centre.
    pub dc: String,
    /// Cluster in it.
    pub cluster: String,
    /// Wanted instances; null where nobody says.
    pub wanted: Option<u32>,
    /// In state `staging` or `starting`.
    pub staging: u32,
    /// In state `running`.
    pub running: u32,
    /// With passing health checks.
    pub healthy: u32,
    /// With a failing health check.
    pub unhealthy: u32,
}
