//! What Marathon says of itself.

use super::tolerant;
use serde::Deserialize;

/// `GET /v2/info`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// `1.9.109`.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub version: Option<String>,
    /// `host:port`.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub leader: Option<String>,
    /// The framework's id: the same one for ever, whoever leads.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub framework_id: Option<String>,
}

/// `GET /v2/leader`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Leader {
    /// `host:port`.
    #[serde(default, deserialize_with = "tolerant::leaf")]
    pub leader: Option<String>,
}
