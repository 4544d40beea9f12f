//! Whether the centre is there and takes our token: asked once, by `check`.

use super::Error;
use super::ask::ask;
use crate::config::api::Api;
use crate::tls;
use serde::Deserialize;
use std::time::Duration;

/// Who the centre says that we are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Me {
    /// The token's name.
    pub name: String,
    /// The node that the token is for; None for one of a person.
    pub node: Option<String>,
}

/// Asks `GET /v1/me`. `tls`: who vouches for `https://`.
pub async fn whoami(api: &Api, tls: Option<tls::Client>, timeout: Duration) -> Result<Me, Error> {
    ask(api, tls, timeout, "/v1/me", "answers, but not as a centre").await
}
